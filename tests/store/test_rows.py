"""Rows of a series: read half-open, compared with a tolerance, counted with a content version."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import Engine

from ares.kernel.bars import Bars
from ares.store.database import reading, writing
from ares.store.rows import (
    SAME_TOLERANCE,
    bars_of,
    count_bars,
    differences,
    insert_bars,
    read_rows,
    series_row,
    span_ms,
)

KEY, OTHER = ("BTC/USDT", "binance", "1m"), ("BTC/USDT", "kraken", "1m")
STEP_MS = 60_000


@pytest.fixture
def filled(engine: Engine) -> Engine:
    """Return a database in which each of two venues has ten bars."""
    with writing(engine) as connection:
        connection.exec_driver_sql("INSERT INTO candle_sources (id, name) VALUES (1, 'a.csv')")
        for key, price in ((KEY, 100.0), (OTHER, 200.0)):
            insert_bars(connection, key, bars(price), 1)
            count_bars(connection, key, bars(price))
    return engine


def bars(price: float = 100.0, first: int = 0) -> Bars:
    close = price + np.arange(10.0)
    ts_ms = STEP_MS * np.arange(first, first + 10, dtype=np.int64)
    return Bars.make(ts_ms, close, close.copy(), close.copy(), close.copy(), close.copy())


def test_the_end_of_a_window_is_excluded_and_another_venue_never_read(filled: Engine) -> None:
    with reading(filled) as connection:
        found = bars_of(read_rows(connection, KEY, 2 * STEP_MS, 5 * STEP_MS))
        assert found.close.tolist() == [102.0, 103.0, 104.0]
        assert bars_of(read_rows(connection, KEY, None, None)).hash == bars().hash
        assert len(read_rows(connection, KEY, 5 * STEP_MS, 5 * STEP_MS)) == 0
        assert span_ms(connection, OTHER) == (0, 9 * STEP_MS)
        assert span_ms(connection, ("ETH/USDT", "binance", "1m")) is None


def test_a_difference_names_the_first_column_and_rounding_is_none(filled: Engine) -> None:
    with reading(filled) as connection:
        stored = read_rows(connection, KEY, None, None)
    offered = bars()
    offered.volume[1] *= 1.0 + 0.5 * SAME_TOLERANCE
    assert differences(offered, stored) == []
    offered.volume[3] = 7.0
    offered.low[3] = 8.0
    offered.volume[5] *= 1.0 + 2.0 * SAME_TOLERANCE
    third, fifth = differences(offered, stored)
    assert third == (3 * STEP_MS, "low", 103.0, 8.0, 1)
    assert (fifth.ts_ms, fifth.column) == (5 * STEP_MS, "volume")


def test_the_content_version_follows_what_is_inserted(filled: Engine) -> None:
    def version_of(connection: object) -> tuple[str, int]:
        row = connection.execute(series_row(KEY)).one()  # type: ignore[attr-defined]
        return row.version, row.bars

    with writing(filled) as connection:
        before = version_of(connection)
        count_bars(connection, KEY, Bars.empty())
        assert version_of(connection) == before, "nothing new: caches stay valid"
        insert_bars(connection, KEY, bars(first=10), 1)
        count_bars(connection, KEY, bars(first=10))
        after = version_of(connection)
    assert before[1] == 10
    assert after[1] == 20
    assert after[0] != before[0]
