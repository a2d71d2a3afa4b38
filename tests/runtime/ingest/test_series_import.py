"""A file of values into the store: all of it or nothing, about what is stored or configured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine

from ares.domain.errors import UserError
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.timeframe import HOUR_MS
from ares.kernel.bars import Bars
from ares.runtime.ingest.series_import import SeriesRequest, store_series
from ares.store.candles import CandleStore
from ares.store.database import open_database
from ares.store.series import SeriesStore

NOW_MS = 1_704_067_200_000  # 2024-01-01


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Return a database with candles of ETH/USDT at binance."""
    made = open_database(tmp_path / "ares.db")
    price = np.ones(1)
    bars = Bars.make(np.zeros(1, np.int64), price, price, price, price, price)
    CandleStore(made).save(
        InstrumentSpec(Instrument("binance", "ETH/USDT"), 4, 4), "1h", bars, "made for a test"
    )
    yield made
    made.dispose()


def write(folder: Path, *lines: str) -> Path:
    path = folder / "rate.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_report_is_of_the_whole_file(engine: Engine, tmp_path: Path) -> None:
    path = write(
        tmp_path, "published,value,symbol", "2023-12-31 20:00,2,ETH", "2023-12-31 08:00,1,ETH",
        "2023-12-31 22:00,3,ETH",
    )  # fmt: skip
    request = SeriesRequest(path, "rate", lag_ms=3 * HOUR_MS)
    done = store_series(engine, request, [], NOW_MS)
    assert (done.rows, done.saved.new, done.scopes) == (3, 3, ("ETH",))
    assert (done.first_ms, done.last_ms) == (NOW_MS - 16 * HOUR_MS, NOW_MS - 2 * HOUR_MS)
    assert done.not_yet_known == 1
    again = store_series(engine, request, [], NOW_MS)
    assert (again.saved.new, again.saved.same) == (0, 3)


@pytest.mark.parametrize(
    "bad", ["2023-12-31 20:00,much,ETH", "2024-01-01 00:01,2,ETH", "2023-12-31 20:00,2,XRP"]
)
def test_one_bad_row_and_nothing_of_the_file_is_stored(
    engine: Engine, tmp_path: Path, bad: str
) -> None:
    path = write(tmp_path, "published,value,symbol", "2023-12-31 08:00,1,ETH", bad)
    with pytest.raises(UserError, match=r"rate\.csv.*3"):
        store_series(engine, SeriesRequest(path, "rate", 0), [], NOW_MS)
    assert SeriesStore(engine).names() == []


@pytest.mark.parametrize("symbol", ["ETH", "ETH/USDT", "binance:ETH/USDT", "SOL/USDT", "SOL"])
def test_values_are_about_what_is_stored_or_configured(
    engine: Engine, tmp_path: Path, symbol: str
) -> None:
    path = write(tmp_path, "published,value", "2023-12-31 08:00,1")
    request = SeriesRequest(path, "rate", 0, symbol=symbol)
    assert store_series(engine, request, ["SOL/USDT"], NOW_MS).scopes == (symbol,)


def test_a_symbol_that_is_neither_is_the_callers_error(engine: Engine, tmp_path: Path) -> None:
    path = write(tmp_path, "published,value", "2023-12-31 08:00,1")
    with pytest.raises(UserError, match=r"^--symbol: "):
        store_series(engine, SeriesRequest(path, "rate", 0, symbol="SOL"), [], NOW_MS)
    assert SeriesStore(engine).names() == []
