"""Kraken's REST, request by request: shapes, limits, errors; nothing of the future."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.sim.serving import FROM_MS, START_MS, made_market

from ares.domain.timeframe import MINUTE_MS
from ares.sim.serve.clock import MarketClock
from ares.sim.serve.faults import ActiveFaults, Fault
from ares.sim.serve.kraken_rest import KrakenRest
from ares.sim.serve.market import SimMarket
from ares.sim.serve.venue import SimVenue

NOW_MS = START_MS + 30_500


@pytest.fixture(scope="module")
def venue() -> SimVenue:
    clock = MarketClock(NOW_MS, 1.0, lambda: 0, lambda: 0.0)
    return SimVenue(SimMarket(made_market()), clock, ActiveFaults(lambda: 0.0))


@pytest.fixture
def rest(venue: SimVenue) -> KrakenRest:
    return KrakenRest(venue)


def ask(rest: KrakenRest, method: str, **query: str) -> Any:
    answer = rest.answer(f"/0/public/{method}", query)
    decoded = msgspec.json.decode(answer.body)
    assert answer.status == 200
    assert decoded["error"] == []
    return decoded["result"]


def error_of(rest: KrakenRest, path: str, **query: str) -> str:
    decoded = msgspec.json.decode(rest.answer(path, query).body)
    assert "result" not in decoded
    return str(decoded["error"][0])


def test_time_and_status_are_market_time_and_a_wrong_clock_shows(
    rest: KrakenRest, venue: SimVenue
) -> None:
    assert ask(rest, "Time")["unixtime"] == NOW_MS // 1000
    assert ask(rest, "SystemStatus")["status"] == "online"
    venue.faults.add(Fault("wrong_clock", ms=-5_000))
    assert ask(rest, "Time")["unixtime"] == NOW_MS // 1000 - 5
    venue.faults.clear()


def test_the_last_720_candles_are_all_there_is(rest: KrakenRest) -> None:
    result = ask(rest, "OHLC", pair="XBTUSDT", interval="1", since="0")
    rows = result["XBTUSDT"]
    assert len(rows) == 720
    assert [row[0] for row in rows] == [START_MS // 1000 - 60 * k for k in range(719, -1, -1)]
    assert result["last"] == rows[-2][0]
    assert all(isinstance(cell, str) for cell in rows[0][1:7])
    later = ask(rest, "OHLC", pair="BTC/USDT", since=str(rows[-3][0]))["XBTUSDT"]
    assert [row[0] for row in later] == [rows[-2][0], rows[-1][0]]  # since is exclusive
    silent = [row for row in rows if row[7] == 0]
    assert len(silent) == 72
    assert all(row[1] == row[4] and row[5] == "0.00" and row[6] == "0.00000000" for row in silent)


def test_trades_page_by_last(rest: KrakenRest) -> None:
    since, seen = str(FROM_MS // 1000), []
    for _ in range(3):
        result = ask(rest, "Trades", pair="XBTUSDT", since=since)
        seen += result["XBTUSDT"]
        since = result["last"]
    assert [row[6] for row in seen] == list(range(1, 3_001))
    newest = ask(rest, "Trades", pair="XBTUSDT")["XBTUSDT"]
    assert len(newest) == 1_000
    assert newest[-1][2] <= NOW_MS / 1000
    assert newest[-1][3] in "bs"
    assert ask(rest, "Trades", pair="XBTUSDT", since=str(NOW_MS * 10**6))["XBTUSDT"] == []
    assert len(ask(rest, "Trades", pair="XBTUSDT", count="3")["XBTUSDT"]) == 3


def test_pairs_and_assets(rest: KrakenRest) -> None:
    assert list(ask(rest, "AssetPairs")) == ["XBTUSDT", "ADAUSDT"]
    assert list(ask(rest, "AssetPairs", pair="XBTUSDT")) == ["XBTUSDT"]
    assert list(ask(rest, "AssetPairs", pair="BTC/USDT")) == ["BTC/USDT"]
    assert set(ask(rest, "Assets")) == {"ADA", "USDT", "XXBT"}
    assert list(ask(rest, "Assets", asset="XBT")) == ["XXBT"]


def test_ticker_and_depth_agree_with_the_last_trade(rest: KrakenRest, venue: SimVenue) -> None:
    ticker = ask(rest, "Ticker", pair="ADAUSDT")["ADAUSDT"]
    last = venue.market.symbols[1].last_ticks(NOW_MS) / 10**4
    assert float(ticker["c"][0]) == last
    assert float(ticker["b"][0]) < last < float(ticker["a"][0])
    assert ticker["t"][0] <= ticker["t"][1]
    assert float(ticker["l"][1]) <= float(ticker["p"][1]) <= float(ticker["h"][1])
    book = ask(rest, "Depth", pair="ADAUSDT", count="5")["ADAUSDT"]
    assert len(book["asks"]) == len(book["bids"]) == 5
    assert book["bids"][0][0] == ticker["b"][0]


@pytest.mark.parametrize(
    ("path", "query", "words"),
    [
        ("/0/public/OHLC", {"pair": "FOOBAR"}, "EQuery:Unknown asset pair"),
        ("/0/public/OHLC", {}, "EQuery:Unknown asset pair"),
        ("/0/public/OHLC", {"pair": "XBTUSDT", "interval": "7"}, "EGeneral:Invalid arguments"),
        ("/0/public/OHLC", {"pair": "XBTUSDT", "interval": "x"}, "EGeneral:Invalid arguments"),
        ("/0/public/Trades", {"pair": "XBTUSDT", "count": "1001"}, "EGeneral:Invalid arguments"),
        ("/0/public/Trades", {"pair": "XBTUSDT", "since": "now"}, "EGeneral:Invalid arguments"),
        ("/0/public/Depth", {"pair": "XBTUSDT", "count": "0"}, "EGeneral:Invalid arguments"),
        ("/0/public/Assets", {"asset": "FOO"}, "EQuery:Unknown asset"),
        ("/0/public/Nothing", {}, "EGeneral:Unknown method"),
        ("/elsewhere", {}, "EGeneral:Unknown method"),
        ("/0/private/Balance", {}, "EAPI:Invalid key"),
    ],
)
def test_errors_are_krakens(rest: KrakenRest, path: str, query: dict[str, str], words: str) -> None:
    assert error_of(rest, path, **query) == words


def test_candles_of_higher_intervals_end_with_the_running_one(rest: KrakenRest) -> None:
    rows = ask(rest, "OHLC", pair="XBTUSDT", interval="60")["XBTUSDT"]
    assert rows[-1][0] * 1000 == START_MS - START_MS % (60 * MINUTE_MS)
    assert len(rows) == 34
