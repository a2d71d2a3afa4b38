"""The window of a backtest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ares.domain.errors import UserError
from ares.domain.timeframe import DAY_MS
from ares.research import Candles
from ares.research.window import parse_utc, window
from ares.store.candles import CandleStore
from ares.store.database import open_database

CandlesMaker = Callable[..., Candles]


def test_the_default_window_ends_where_all_have_candles(walk: CandlesMaker, tmp_path: Path) -> None:
    database = open_database(tmp_path / "ares.db")
    store = CandleStore(database, None)
    long, short = walk("AAA/USDT", 3_000), walk("BBB/USDT", 2_000)
    for each in (long, short):
        store.save(each.spec, "1m", each.bars, "test")
    keys = [each.spec.instrument for each in (long, short)]
    from_ms, to_ms = window(store, keys, None, None, 1.0)
    assert to_ms == short.close_ms[-1]
    assert from_ms == to_ms - DAY_MS
    database.dispose()


def test_an_invalid_date_is_refused() -> None:
    assert parse_utc("2023-04-20T02:00+02:00") == parse_utc("2023-04-20")
    with pytest.raises(UserError, match="is not a date"):
        parse_utc("20.4.2023")
