"""Bars as columns: cut, joined, typed and hashed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ares.kernel.bars import Bars

N = 6


def bars() -> Bars:
    ts_ms = 60_000 * np.arange(10, 10 + N, dtype=np.int64)
    o, h, low, c, v = 100.0 * np.arange(1, 6)[:, None] + np.arange(N)
    return Bars.make(ts_ms, o, h, low, c, v, np.arange(N) == 3)


@pytest.mark.parametrize(
    ("from_minute", "to_minute", "minutes"),
    [
        (None, None, [10, 11, 12, 13, 14, 15]),
        (12, 14, [12, 13]),
        (11.5, 12.5, [12]),
        (12, 12, []),
        (14, 12, []),
        (None, 11, [10]),
        (15, None, [15]),
        (16, None, []),
    ],
)
def test_a_window_holds_its_start_and_not_its_end(
    from_minute: float | None, to_minute: float | None, minutes: list[int]
) -> None:
    from_ms, to_ms = (None if m is None else int(m * 60_000) for m in (from_minute, to_minute))
    found = bars().between(from_ms, to_ms)
    assert (found.ts_ms // 60_000).tolist() == minutes
    assert (found.close - 400.0 + 10).tolist() == minutes


def test_a_slice_a_mask_and_an_index_cut_every_column() -> None:
    whole = bars()
    mask = np.arange(N) >= 3
    for rows in (slice(3, None), mask, np.flatnonzero(mask)):
        cut = whole[rows]
        assert len(cut) == 3
        for part, column in zip(cut.columns, whole.columns, strict=True):
            assert part.tolist() == column[3:].tolist()
        assert cut.flat.tolist() == [True, False, False]


def test_parts_are_joined_in_their_order_and_nothing_is_no_bars() -> None:
    whole = bars()
    joined = Bars.concat([whole[:2], Bars.empty(), whole[2:]])
    assert joined.hash == whole.hash
    assert joined.flat.tolist() == whole.flat.tolist()
    none = Bars.concat([])
    assert len(none) == 0
    assert [column.dtype for column in none.columns] == [column.dtype for column in whole.columns]


def test_columns_are_contiguous_and_of_the_kernels_types() -> None:
    """Compiled functions take one layout: any other would compile a second copy of them."""
    loose: Any = np.arange(2 * N, dtype=np.float32)[::2]
    times: Any = np.arange(2 * N, dtype=np.int32)[::2]
    made = Bars.make(times, loose, loose, loose, loose, loose)
    assert [column.dtype.str for column in made.columns] == ["<i8", *["<f8"] * 5, "|b1"]
    assert all(column.flags.c_contiguous for column in made.columns)
    assert not made.flat.any()


@pytest.mark.parametrize("column", ["ts_ms", "open", "high", "low", "close", "volume"])
def test_the_hash_is_of_times_prices_and_volumes(column: str) -> None:
    whole = bars()
    changed = getattr(whole, column).copy()
    changed[2] += 1
    assert replace(whole, **{column: changed}).hash != whole.hash
    assert replace(whole, flat=~whole.flat).hash == whole.hash
    assert whole[::2].hash == whole[np.arange(0, N, 2)].hash
