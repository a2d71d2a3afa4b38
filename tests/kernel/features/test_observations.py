"""Observations of a series: ordered by when they are known, and cut by instrument and time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.kernel.features.observations import ALL_INSTRUMENTS, NO_OBSERVATIONS, Observations

ROW = st.tuples(
    st.integers(0, 5), st.integers(0, 5), st.sampled_from([-1.0, 0.0, 1.0]), st.integers(-1, 2)
)


def rows_of(found: Observations) -> list[tuple[float, ...]]:
    columns = (found.known_ms, found.published_ms, found.values, found.lane)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@given(st.lists(ROW, max_size=12), st.randoms())
def test_the_order_in_which_rows_come_changes_nothing(
    rows: list[tuple[int, int, float, int]], chance: object
) -> None:
    turned = list(rows)
    chance.shuffle(turned)  # type: ignore[attr-defined]  # hypothesis types it as object
    found = rows_of(Observations.of(rows))
    assert found == rows_of(Observations.of(turned)) == sorted(rows)


def test_news_of_the_market_and_of_the_instrument_count() -> None:
    news = Observations.of([(1, 1, 5, 0), (2, 2, 6, 1), (3, 3, 7, ALL_INSTRUMENTS)])
    assert news.about(0).values.tolist() == [5, 7]
    assert news.about(1).values.tolist() == [6, 7]
    assert news.until(2).values.tolist() == [5, 6]
    assert len(Observations.of([])) == len(NO_OBSERVATIONS.about(0)) == 0


def test_what_is_known_at_an_instant_includes_that_instant() -> None:
    known = Observations.of([(10, 1, 0.1, 0), (10, 2, 0.2, 0), (20, 3, 0.3, 0)])
    assert [len(known.until(ms)) for ms in (9, 10, 19, 20)] == [0, 2, 2, 3]
    assert [known.between(*window) for window in ((10, 20), (11, 19), (10, 10), (20, 10))] == [
        3, 0, 2, 0,
    ]  # fmt: skip


def test_rows_are_cut_in_every_column() -> None:
    whole = Observations.of([(k, k - 1, k / 10, k % 2) for k in range(1, 6)])
    mask = whole.values > 0.25
    assert rows_of(whole[mask]) == rows_of(whole[np.flatnonzero(mask)]) == rows_of(whole[2:])
    assert len(whole[mask]) == 3


def test_a_row_with_too_few_values_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        Observations.of([(1, 1, 0.5, 0), (1, 1, 0.5)])
