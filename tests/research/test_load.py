"""Candles for research: out of a file or the store, resampled, never made finer than they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ares.domain.errors import UserError
from ares.domain.timeframe import DAY_MS, HOUR_MS, MINUTE_MS, Timeframe
from ares.research.load import candles_of_file, stored_candles
from ares.research.market import Candles
from ares.store.candles import CandleStore
from ares.store.database import open_database

Maker = Callable[..., Candles]


@pytest.fixture
def file(tmp_path: Path, walk: Maker) -> Path:
    """Return a file of ten minutes, of which the fourth is missing."""
    bars = walk(n=10).bars
    keep = np.arange(10) != 3
    columns = {name: getattr(bars, name)[keep] for name in ("open", "high", "low", "close")}
    path = tmp_path / "AAAUSDT_1m.parquet"
    frame = pl.DataFrame({"ts": bars.ts_ms[keep], **columns, "volume": bars.volume[keep]})
    frame.write_parquet(path)
    return path


def test_a_short_gap_of_a_file_is_filled_with_a_flat_bar(file: Path) -> None:
    candles = candles_of_file(file, "kraken", None, None)
    assert (candles.key, candles.timeframe) == ("kraken:AAA/USDT", Timeframe.M1)
    assert candles.bars.flat.tolist() == [k == 3 for k in range(10)]
    assert candles.bars.close[3] == candles.bars.close[2]
    assert candles.spec.price_decimals == 2


def test_candles_of_a_file_are_resampled_to_longer_ones_only(file: Path) -> None:
    fine, coarse = (candles_of_file(file, "x", None, t) for t in (None, Timeframe.M5))
    assert coarse.bars.close.tolist() == fine.bars.close[[4, 9]].tolist()
    assert coarse.bars.high[0] == fine.bars.high[:5].max()
    hours = file.rename(file.with_name("AAAUSDT_1h.parquet"))
    frame = pl.read_parquet(hours).with_columns(ts=DAY_MS * 19_000 + pl.int_range(9) * HOUR_MS)
    frame.write_parquet(hours)
    with pytest.raises(UserError, match="holds 1h candles; 5m is shorter"):
        candles_of_file(hours, "x", None, Timeframe.M5)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.csv: no such file: check the path"):
        candles_of_file(tmp_path / "none.csv", "x", None, None)


@pytest.fixture
def store(tmp_path: Path, walk: Maker) -> Iterator[CandleStore]:
    engine = open_database(tmp_path / "ares.db")
    store = CandleStore(engine)
    made = walk(n=60)
    store.save(made.spec, "1m", made.bars, "a.csv")
    yield store
    engine.dispose()


def test_stored_candles_are_the_finest_and_closed_within_the_window(
    store: CandleStore, walk: Maker
) -> None:
    made = walk(n=60)
    found = stored_candles(store, "aaa/usdt", None, None, None)
    assert (found.timeframe, found.bars.hash) == (Timeframe.M1, made.bars.hash)
    from_ms = int(made.bars.ts_ms[10])
    to_ms = int(made.bars.ts_ms[20]) + 1
    part = stored_candles(store, "AAA/USDT", Timeframe.M5, from_ms, to_ms)
    assert part.bars.ts_ms.tolist() == [from_ms, from_ms + 5 * MINUTE_MS]
    assert part.close_ms.max() <= to_ms
    with pytest.raises(UserError, match="unknown symbol"):
        stored_candles(store, "BBB/USDT", None, None, None)
