"""Missing candles fetched page by page: continued, never twice, and never an unfinished bar."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.candle_fetching import AT_ONCE, BTC, MINUTE, START_MS, fetch, minutes

from ares.adapters.ccxt_candles import CcxtCandles
from ares.domain.errors import UserError
from ares.domain.instrument import InstrumentSpec
from ares.store.candles import CandleStore
from ares.store.database import open_database

if TYPE_CHECKING:
    from tests.conftest import BinanceServer


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CandleStore]:
    engine = open_database(tmp_path / "ares.db")
    yield CandleStore(engine)
    engine.dispose()


@pytest.fixture
def venue(binance: BinanceServer) -> CcxtCandles:
    return CcxtCandles("binance", binance.address, AT_ONCE)


def test_the_whole_window_is_fetched_page_by_page(
    store: CandleStore, venue: CcxtCandles, binance: BinanceServer
) -> None:
    shares: list[float] = []
    report = fetch(store, venue, 0, 2_500, on_page=lambda share, _: shares.append(share))
    assert (report.new, report.pages, report.missing, report.dropped) == (2_500, 3, 0, 0)
    assert minutes(store) == list(range(2_500))
    assert [(ms - START_MS) // MINUTE for ms in binance.klines_from] == [0, 1_000, 2_000]
    assert shares == [0.4, 0.8, 1.0]
    bars = store.load(BTC, "1m")
    assert bars.close[7] == 100 + (START_MS // MINUTE + 7) % 700 / 100 + 0.5
    assert store.spec(BTC) == InstrumentSpec(BTC, 2, 5, 5.0)


def test_a_bar_is_stored_once_it_is_closed_by_the_venues_clock(
    store: CandleStore, venue: CcxtCandles, binance: BinanceServer
) -> None:
    binance.clock_ms = START_MS + 10 * MINUTE + 59_999
    assert fetch(store, venue, 0, None).new == 10
    binance.clock_ms += 1
    assert fetch(store, venue, None, None).new == 1
    assert minutes(store) == list(range(11))
    assert fetch(store, venue, None, None).pages == 0


def test_without_a_start_it_continues_after_the_last_stored_bar(
    store: CandleStore, venue: CcxtCandles, binance: BinanceServer
) -> None:
    fetch(store, venue, 100, 200)
    binance.klines_from.clear()
    report = fetch(store, venue, None, 260)
    assert (report.new, report.from_ms) == (60, START_MS + 200 * MINUTE)
    assert binance.klines_from == [START_MS + 200 * MINUTE]


def test_stored_bars_are_not_requested(
    store: CandleStore, venue: CcxtCandles, binance: BinanceServer
) -> None:
    fetch(store, venue, 500, 600)
    fetch(store, venue, 0, 100)
    binance.klines_from.clear()
    report = fetch(store, venue, 0, 700)
    assert report.new == 500
    assert minutes(store) == list(range(700))
    assert binance.klines_from == [START_MS + 100 * MINUTE]


def test_an_interrupted_fetch_continues(
    store: CandleStore, venue: CcxtCandles, binance: BinanceServer
) -> None:
    def stop(share: float, _: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(store, venue, 0, 2_500, on_page=stop)
    assert minutes(store) == list(range(1_000))
    binance.klines_from.clear()
    assert fetch(store, venue, 0, 2_500).new == 1_500
    assert minutes(store) == list(range(2_500))
    assert binance.klines_from[0] == START_MS + 1_000 * MINUTE


def test_gaps_and_invalid_bars_are_counted(
    store: CandleStore, venue: CcxtCandles, binance: BinanceServer
) -> None:
    binance.missing = {START_MS + m * MINUTE for m in range(40, 45)}
    bad_ms = START_MS + 7 * MINUTE
    binance.replaced = {
        bad_ms: [bad_ms + 28_000, "1", "1", "1", "1", "1", 0, "1", 1, "1", "1", "0"],
        bad_ms + MINUTE: [bad_ms + MINUTE, "0", "1", "0", "1", "1", 0, "1", 1, "1", "1", "0"],
    }
    report = fetch(store, venue, 0, 100)
    assert (report.new, report.dropped, report.missing) == (93, 2, 7)
    assert set(range(100)) - set(minutes(store)) == {7, 8, *range(40, 45)}


def test_a_different_bar_is_a_conflict_and_the_stored_one_is_kept(
    store: CandleStore, venue: CcxtCandles, binance: BinanceServer
) -> None:
    fetch(store, venue, 0, 10)
    fetch(store, venue, 11, 13)
    kept = store.load(BTC, "1m")
    changed_ms = START_MS + 12 * MINUTE
    binance.replaced = {changed_ms: [changed_ms, "9", "9", "9", "9", "9", 0, "1", 1, "1", "1", "0"]}
    report = fetch(store, venue, 0, 13)
    assert (report.new, report.same, report.conflict_count) == (1, 1, 1)
    assert store.load(BTC, "1m")[np.arange(13) != 10].hash == kept.hash


def test_a_window_that_ends_before_it_begins_is_refused(
    store: CandleStore, venue: CcxtCandles, binance: BinanceServer
) -> None:
    with pytest.raises(UserError, match="--to is before --from"):
        fetch(store, venue, 100, 50)
    assert binance.klines_from == []
    empty = fetch(store, venue, 50, 50)
    assert (empty.new, empty.pages, empty.missing) == (0, 0, 0)
