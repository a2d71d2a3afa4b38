"""Candles from a venue: faults retried, refusals said, and only spot asked for."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.candle_fetching import AT_ONCE, fetch, minutes

from ares.adapters.ccxt_candles import CcxtCandles, RetryPolicy
from ares.cli.main import run
from ares.domain.errors import ExternalError, UserError
from ares.runtime.ingest.candle_fetch import fetch_candles
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


def test_without_a_network_it_gives_up_after_three_attempts(store: CandleStore) -> None:
    with socket.socket() as closed:  # nobody listens there, and nobody else can
        closed.bind(("127.0.0.1", 0))
        lines: list[str] = []
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        venue = CcxtCandles("binance", address, AT_ONCE, lines.append)
        with pytest.raises(ExternalError, match=r"not answer .* after 3 attempts"):
            fetch(store, venue, 0, 100)
    assert len(lines) == 2


def test_a_rejected_request_is_not_retried(
    store: CandleStore, venue: CcxtCandles, binance: BinanceServer
) -> None:
    binance.faults = [400, 200]
    with pytest.raises(ExternalError, match="binance rejected the request"):
        fetch(store, venue, 0, 100)
    assert binance.faults == [200]


def test_errors_name_the_nearest(store: CandleStore, venue: CcxtCandles) -> None:
    with pytest.raises(UserError, match=r"unknown venue 'binanse': did you mean binance\?"):
        CcxtCandles("binanse")
    with pytest.raises(UserError, match="'nonsense' is not an address"):
        CcxtCandles("binance", "nonsense")
    with pytest.raises(UserError, match=r"no symbol 'BTC/USDC': did you mean BTC/USDT\?"):
        fetch_candles(store, venue, "BTC/USDC", "1m", None, None, 0)
    with pytest.raises(UserError, match="unknown interval '7m'"):
        fetch_candles(store, venue, "BTC/USDT", "7m", None, None, 0)


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
