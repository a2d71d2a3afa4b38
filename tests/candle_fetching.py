"""Fetching minutes of a venue on loopback into a store: what two files of tests begin with."""

from __future__ import annotations

from typing import Any

from ares.adapters.ccxt_candles import CcxtCandles, RetryPolicy
from ares.domain.instrument import Instrument
from ares.runtime.ingest.candle_fetch import FetchReport, fetch_candles
from ares.store.candles import CandleStore

START_MS = 1_700_000_000_000 // 3_600_000 * 3_600_000
MINUTE = 60_000
BTC = Instrument("binance", "BTC/USDT")
AT_ONCE = RetryPolicy(attempts=4, wait_first_s=0.0, wait_max_s=0.0)


def fetch(
    store: CandleStore, venue: CcxtCandles, first: int | None, last: int | None, **more: Any
) -> FetchReport:
    from_ms, to_ms = (None if m is None else START_MS + m * MINUTE for m in (first, last))
    return fetch_candles(store, venue, "BTC/USDT", "1m", from_ms, to_ms, local_ms=0, **more)


def minutes(store: CandleStore) -> list[int]:
    """Return which minutes after START_MS are stored."""
    stored: list[int] = ((store.load(BTC, "1m").ts_ms - START_MS) // MINUTE).tolist()
    return stored
