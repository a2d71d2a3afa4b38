"""Candles of a run into the store: each real bar once, no invented one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ares.domain.events import BarsClosed
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.run import RunInstrument, RunSetup
from ares.domain.timeframe import Timeframe
from ares.runtime.ingest.journal_candles import JournalCandles
from ares.store.candles import CandleStore
from ares.store.database import open_database

BTC, ETH = Instrument("binance", "BTC/USDT"), Instrument("binance", "ETH/USDT")
MINUTE_MS = 60_000
START_MS = 1_704_067_200_000


def setup() -> RunSetup:
    lanes = tuple(
        RunInstrument(InstrumentSpec(key, 2, 3, 1.0), MINUTE_MS, None, is_champion=False)
        for key in (BTC, ETH)
    )
    return RunSetup("paper", lanes, (Timeframe.M1,), -1, 0, 0, 0, 1e4, {}, 0.0, {})


def instant(k: int, present: list[bool], flat: list[bool]) -> BarsClosed:
    price = 100.0 + k
    rows = np.array([[price, price + 1, price - 1, price, 2.0]] * 2)
    return BarsClosed(START_MS + (k + 1) * MINUTE_MS, rows.tobytes(), bytes(present), bytes(flat))


def test_bars_are_stored_in_order_without_flat_and_missing_ones(tmp_path: Path) -> None:
    store = CandleStore(open_database(tmp_path / "ares.db"), None)
    candles = JournalCandles(store, setup(), "journal:paper")
    candles.add(instant(1, [True, True], [False, True]))
    candles.add(instant(0, [True, False], [False, False]))  # late
    candles.add(instant(2, [True, True], [False, False]))
    assert len(candles) == 3
    candles.flush()
    assert len(candles) == 0
    btc, eth = (store.load(key, "1m", None, None) for key in (BTC, ETH))
    assert ((btc.ts_ms - START_MS) // MINUTE_MS).tolist() == [0, 1, 2]
    assert btc.close.tolist() == [100.0, 101.0, 102.0]
    assert ((eth.ts_ms - START_MS) // MINUTE_MS).tolist() == [2]
    candles.add(instant(2, [True, True], [False, False]))
    candles.flush()
    assert len(store.load(BTC, "1m", None, None)) == 3, "a bar read again is stored once"
