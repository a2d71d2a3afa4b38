"""Candles from a venue: paged, resumed, patient, and never an unfinished bar."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ares.adapters.ccxt_candles import CcxtCandles, RetryPolicy
from ares.cli.main import run
from ares.domain.errors import ExternalError, UserError
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.runtime.ingest.candle_fetch import FetchReport, fetch_candles
from ares.store.candles import CandleStore
from ares.store.database import open_database

if TYPE_CHECKING:
    from tests.adapters.conftest import BinanceServer

START_MS = 1_700_000_000_000 // 3_600_000 * 3_600_000
MINUTE = 60_000
BTC = Instrument("binance", "BTC/USDT")
AT_ONCE = RetryPolicy(attempts=4, wait_first_s=0.0, wait_max_s=0.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CandleStore]:
    engine = open_database(tmp_path / "ares.db")
    yield CandleStore(engine)
    engine.dispose()


@pytest.fixture
def venue(binance: BinanceServer) -> CcxtCandles:
    return CcxtCandles("binance", binance.address, AT_ONCE)


def fetch(
    store: CandleStore, venue: CcxtCandles, first: int | None, last: int | None, **more: Any
) -> FetchReport:
    from_ms, to_ms = (None if m is None else START_MS + m * MINUTE for m in (first, last))
    return fetch_candles(store, venue, "BTC/USDT", "1m", from_ms, to_ms, local_ms=0, **more)


def minutes(store: CandleStore) -> list[int]:
    """Return which minutes after START_MS are stored."""
    stored: list[int] = ((store.load(BTC, "1m").ts_ms - START_MS) // MINUTE).tolist()
    return stored


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


@pytest.mark.parametrize("faults", [[429], [418], [500], [503], [0], [429, 500, 0]])
def test_errors_of_network_and_venue_are_retried(
    store: CandleStore, binance: BinanceServer, faults: list[int]
) -> None:
    lines: list[str] = []
    venue = CcxtCandles("binance", binance.address, AT_ONCE, lines.append)
    binance.faults = list(faults)
    assert fetch(store, venue, 0, 1_500).new == 1_500
    assert minutes(store) == list(range(1_500))
    assert len(lines) == len(faults)
    assert all(line.startswith("binance: ") and "retrying in" in line for line in lines)


def test_a_venue_that_does_not_answer_is_one_line_and_keeps_what_was_fetched(
    store: CandleStore, venue: CcxtCandles, binance: BinanceServer
) -> None:
    binance.faults = [200, 500, 500, 500, 500]
    with pytest.raises(
        ExternalError, match=r"not answer .*run the command again to continue"
    ) as caught:
        fetch(store, venue, 0, 1_500)
    assert "\n" not in str(caught.value)
    assert minutes(store) == list(range(1_000))
    assert fetch(store, venue, 0, 1_500).new == 500


def test_a_venue_that_never_answers_times_out(store: CandleStore, binance: BinanceServer) -> None:
    binance.silent.clear()
    venue = CcxtCandles("binance", binance.address, RetryPolicy(1, 0.0, 0.0, timeout_s=0.2))
    with pytest.raises(ExternalError, match=r"not answer .*RequestTimeout"):
        fetch(store, venue, 0, 100)
    binance.silent.set()


def test_a_rejected_request_is_not_retried(
    store: CandleStore, venue: CcxtCandles, binance: BinanceServer
) -> None:
    binance.faults = [400, 200]
    with pytest.raises(ExternalError, match="binance rejected the request"):
        fetch(store, venue, 0, 100)
    assert binance.faults == [200]


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


def test_errors_name_the_nearest(store: CandleStore, venue: CcxtCandles) -> None:
    with pytest.raises(UserError, match=r"unknown venue 'binanse': did you mean binance\?"):
        CcxtCandles("binanse")
    with pytest.raises(UserError, match="'nonsense' is not an address"):
        CcxtCandles("binance", "nonsense")
    with pytest.raises(UserError, match=r"no symbol 'BTC/USDC': did you mean BTC/USDT\?"):
        fetch_candles(store, venue, "BTC/USDC", "1m", None, None, 0)
    with pytest.raises(UserError, match="unknown interval '7m'"):
        fetch_candles(store, venue, "BTC/USDT", "7m", None, None, 0)
    with pytest.raises(UserError, match="--to is before --from"):
        fetch(store, venue, 100, 50)


def test_only_spot_is_loaded(
    store: CandleStore, venue: CcxtCandles, binance: BinanceServer
) -> None:
    fetch(store, venue, 0, 10)
    assert set(binance.paths) == {"/api/v3/exchangeInfo", "/api/v3/time", "/api/v3/klines"}


def test_from_the_command_line(
    binance: BinanceServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init"]) == 0
    capsys.readouterr()
    args = ["data", "fetch", "-s", "BTC/USDT", "-i", "5m", "-i", "1h", "--address", binance.address]
    assert run([*args, "--from", "2023-11-14T22:00", "--json"]) == 0
    out, err = capsys.readouterr()
    five, hour = json.loads(out)
    assert (five["instrument"], five["interval"], five["new"]) == ("binance:BTC/USDT", "5m", 600)
    assert hour["new"] == 50
    assert "BTC/USDT 5m: done" in err
    assert run(args) == 0
    assert "binance:BTC/USDT" in capsys.readouterr().out
    assert run([*args, "--from", "soon"]) == 2
    assert "'soon' is not a date" in capsys.readouterr().err
