"""Binance's REST, request by request: shapes, limits, errors; nothing of the future."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from tests.sim.serving import FROM_MS, START_MS, made_market

from ares.domain.timeframe import MINUTE_MS
from ares.sim.serve.binance_rest import BinanceRest
from ares.sim.serve.clock import MarketClock
from ares.sim.serve.faults import ActiveFaults, Fault
from ares.sim.serve.market import SimMarket
from ares.sim.serve.venue import SimVenue

NOW_MS = START_MS + 30_500


@pytest.fixture(scope="module")
def venue() -> SimVenue:
    clock = MarketClock(NOW_MS, 1.0, lambda: 0, lambda: 0.0)
    bars = made_market()
    bars["ADA/USDT"] = bars["ADA/USDT"][np.arange(3_000) != 1_000]  # a minute without a candle
    return SimVenue(SimMarket(bars), clock, ActiveFaults(lambda: 0.0))


@pytest.fixture
def rest(venue: SimVenue) -> BinanceRest:
    return BinanceRest(venue)


def ask(rest: BinanceRest, path: str, **query: Any) -> Any:
    answer = rest.answer(f"/api/v3/{path}", {name: str(value) for name, value in query.items()})
    assert answer.status == 200
    return msgspec.json.decode(answer.body)


def test_time_is_market_time_and_a_wrong_clock_shows(rest: BinanceRest, venue: SimVenue) -> None:
    assert ask(rest, "ping") == {}
    assert ask(rest, "time") == {"serverTime": NOW_MS}
    number = venue.faults.add(Fault("wrong_clock", ms=1_500))
    assert ask(rest, "time") == {"serverTime": NOW_MS + 1_500}
    venue.faults.clear(number)


def opens(rows: Any) -> list[int]:
    return [(row[0] - FROM_MS) // MINUTE_MS for row in rows]


def test_klines_by_start_and_end(rest: BinanceRest) -> None:
    def klines(**query: Any) -> list[int]:
        return opens(ask(rest, "klines", symbol="BTCUSDT", interval="1m", **query))

    at = [FROM_MS + k * MINUTE_MS for k in range(3_000)]
    assert klines() == list(range(1_501, 2_001))  # the newest 500, the running one too
    assert klines(limit=5_000) == list(range(1_001, 2_001))
    assert klines(startTime=at[10], limit=3) == [10, 11, 12]
    assert klines(startTime=at[10], endTime=at[11], limit=3) == [10, 11]
    assert klines(endTime=at[11], limit=3) == [9, 10, 11]
    assert klines(startTime=0, limit=2) == [0, 1]
    assert klines(startTime=NOW_MS + 1) == []


def test_a_minute_without_a_candle_is_absent(rest: BinanceRest) -> None:
    start = FROM_MS + 998 * MINUTE_MS
    rows = ask(rest, "klines", symbol="ADAUSDT", interval="1m", startTime=start, limit=4)
    assert opens(rows) == [998, 999, 1_001]


def test_a_kline_has_twelve_cells_with_8_decimals(rest: BinanceRest) -> None:
    row = ask(rest, "klines", symbol="BTCUSDT", interval="5m", startTime=FROM_MS, limit=1)[0]
    assert len(row) == 12
    assert row[6] == FROM_MS + 5 * MINUTE_MS - 1
    assert all(len(cell.partition(".")[2]) == 8 for cell in (*row[1:6], row[7], row[9], row[10]))
    assert float(row[9]) <= float(row[5])


def test_trades_by_id_and_time(rest: BinanceRest) -> None:
    newest = ask(rest, "trades", symbol="BTCUSDT", limit=4)
    assert newest[-1]["time"] <= NOW_MS
    by_id = ask(rest, "historicalTrades", symbol="BTCUSDT", fromId=newest[0]["id"], limit=4)
    assert by_id == newest
    start, end = newest[1]["time"], newest[2]["time"]
    rows = ask(rest, "aggTrades", symbol="BTCUSDT", startTime=start, endTime=end)
    assert [row["a"] for row in rows] == [newest[1]["id"], newest[2]["id"]]
    assert rows[0]["m"] == newest[1]["isBuyerMaker"]


def test_tickers_of_one_some_and_all(rest: BinanceRest) -> None:
    assert ask(rest, "ticker/price", symbol="ADAUSDT")["symbol"] == "ADAUSDT"
    assert len(ask(rest, "ticker/price")) == 2
    some = ask(rest, "ticker/24hr", symbols='["BTCUSDT"]')
    assert [row["symbol"] for row in some] == ["BTCUSDT"]
    assert some[0]["count"] == some[0]["lastId"] - some[0]["firstId"] + 1
    best = ask(rest, "ticker/bookTicker", symbol="BTCUSDT")
    depth = ask(rest, "depth", symbol="BTCUSDT", limit=1)
    assert [best["bidPrice"], best["bidQty"]] == depth["bids"][0]


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("klines", {"symbol": "FOO", "interval": "1m"}, 400, -1121),
        ("klines", {"interval": "1m"}, 400, -1102),
        ("klines", {"symbol": "BTCUSDT", "interval": "7m"}, 400, -1120),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": "x"}, 400, -1100),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": "0"}, 400, -1130),
        ("ticker/24hr", {"symbols": "BTC"}, 400, -1100),
        ("ticker/24hr", {"symbols": "3"}, 400, -1100),
        ("account", {}, 401, -2014),
    ],
)
def test_errors_are_binances(
    rest: BinanceRest, path: str, query: dict[str, str], status: int, code: int
) -> None:
    answer = rest.answer(f"/api/v3/{path}", query)
    assert answer.status == status
    assert msgspec.json.decode(answer.body)["code"] == code
