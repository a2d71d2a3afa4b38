"""Binance's sockets, message by message: subscriptions, events, running and closed candles."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.sim.serving import FROM_MS, START_MS, made_market

from ares.domain.timeframe import MINUTE_MS
from ares.sim.serve.binance_rest import BinanceRest
from ares.sim.serve.binance_socket import BinanceApi, BinanceStreams, streams_of
from ares.sim.serve.clock import MarketClock
from ares.sim.serve.faults import ActiveFaults
from ares.sim.serve.market import SimMarket
from ares.sim.serve.venue import SimVenue


class Sent:
    """Takes the place of a socket and keeps what is sent."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    def send(self, message: str) -> None:
        self.messages.append(json.loads(message))

    def take(self) -> list[Any]:
        taken, self.messages = self.messages, []
        return taken


@pytest.fixture(scope="module")
def venue() -> SimVenue:
    clock = MarketClock(START_MS, 1.0, lambda: 0, lambda: 0.0)
    return SimVenue(SimMarket(made_market()), clock, ActiveFaults(lambda: 0.0))


@pytest.fixture
def sent() -> Sent:
    return Sent()


def streams(venue: SimVenue, sent: Sent, *names: str, combined: bool = False) -> BinanceStreams:
    return BinanceStreams(sent, venue, names, combined=combined)  # type: ignore[arg-type]


def play(session: BinanceStreams, venue: SimVenue, minutes: int = 1) -> None:
    for minute in range(minutes):
        start_ms = START_MS + minute * MINUTE_MS
        trades = [
            trade
            for symbol in venue.market.symbols
            for trade in symbol.trades(start_ms, start_ms + MINUTE_MS)
        ]
        for trade in sorted(trades, key=lambda t: t.ts_ms):
            session.trade(trade)
        session.minute(start_ms + MINUTE_MS)


def test_subscriptions_are_made_listed_and_ended(venue: SimVenue, sent: Sent) -> None:
    session = streams(venue, sent)
    names = ["btcusdt@trade", "foobar@trade"]
    session.receive(json.dumps({"method": "SUBSCRIBE", "params": names, "id": 1}))
    session.receive(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": "two"}))
    assert sent.take() == [{"result": None, "id": 1}, {"result": names, "id": "two"}]
    play(session, venue)
    assert len(sent.take()) == 8
    session.receive(json.dumps({"method": "UNSUBSCRIBE", "params": names[:1], "id": 3}))
    assert sent.take() == [{"result": None, "id": 3}]
    play(session, venue)
    assert sent.take() == []


def test_a_candle_runs_with_its_trades_and_is_closed_on_the_minute(
    venue: SimVenue, sent: Sent
) -> None:
    play(streams(venue, sent, "btcusdt@kline_1m"), venue)
    candles = [message["k"] for message in sent.take()]
    assert [candle["x"] for candle in candles] == [False] * 8 + [True]
    assert [candle["n"] for candle in candles] == [*range(1, 9), 8]
    bars = made_market()["BTC/USDT"]
    row = (START_MS - FROM_MS) // MINUTE_MS
    assert [float(candles[-1][name]) for name in "ohlcv"] == [
        column[row] for column in bars.columns[1:6]
    ]
    assert candles[-1]["T"] == START_MS + MINUTE_MS - 1


def test_a_silent_minute_is_closed_too_and_longer_candles_when_they_end(
    venue: SimVenue, sent: Sent
) -> None:
    play(streams(venue, sent, "btcusdt@kline_1m", "btcusdt@kline_5m"), venue, minutes=10)
    closed = [m["k"] for m in sent.take() if m["k"]["x"]]
    ones = [candle for candle in closed if candle["i"] == "1m"]
    assert len(ones) == 10
    silent = [candle for candle in ones if candle["n"] == 0]
    assert [(c["f"], c["L"], float(c["v"])) for c in silent] == [(-1, -1, 0.0)]
    assert [c["t"] for c in closed if c["i"] == "5m"] == [START_MS, START_MS + 5 * MINUTE_MS]


def test_depth_events_follow_on_without_a_gap_and_lead_to_the_book(
    venue: SimVenue, sent: Sent
) -> None:
    symbol = venue.market.symbols[0]
    book = symbol.book(START_MS)
    held = {"b": dict(book.bids), "a": dict(book.asks)}
    last_id = symbol.next_id(START_MS) - 1
    play(streams(venue, sent, "btcusdt@depth@100ms"), venue, minutes=3)
    for event in sent.take():
        assert event["U"] == last_id + 1
        last_id = event["u"]
        for side in "ab":
            for price, qty in event[side]:
                ticks, lots = round(float(price) * 100), round(float(qty) * 1e8)
                held[side][ticks] = lots
                if not lots:
                    del held[side][ticks]
    after = symbol.book(START_MS + 3 * MINUTE_MS)
    assert (held["b"], held["a"]) == (dict(after.bids), dict(after.asks))


def test_events_are_wrapped_on_combined_streams(venue: SimVenue, sent: Sent) -> None:
    session = streams(venue, sent, "adausdt@aggTrade", "adausdt@depth5", combined=True)
    play(session, venue)
    first, second = sent.take()[:2]
    assert (first["stream"], first["data"]["e"]) == ("adausdt@aggTrade", "aggTrade")
    assert len(second["data"]["bids"]) == 5
    session.receive('{"method": "SET_PROPERTY", "params": ["combined", false], "id": 1}')
    session.receive('{"method": "GET_PROPERTY", "params": ["combined"], "id": 2}')
    assert sent.take() == [{"result": None, "id": 1}, {"result": False, "id": 2}]


def test_statistics_come_once_a_second(venue: SimVenue, sent: Sent) -> None:
    session = streams(venue, sent, "adausdt@ticker", "btcusdt@miniTicker")
    session.second()
    full, small = sent.take()
    assert (full["e"], full["s"]) == ("24hrTicker", "ADAUSDT")
    assert (small["e"], small["s"]) == ("24hrMiniTicker", "BTCUSDT")
    assert set(small) < set(full)


@pytest.mark.parametrize(
    ("message", "code"),
    [("{", 3), ('{"method": "DANCE", "id": 1}', 2), ('{"method": "SUBSCRIBE", "params": [1]}', 2)],
)
def test_errors_of_streams(venue: SimVenue, sent: Sent, message: str, code: int) -> None:
    streams(venue, sent).receive(message)
    assert sent.take()[0]["error"]["code"] == code


def test_the_api_answers_by_the_id_of_the_request(venue: SimVenue, sent: Sent) -> None:
    api = BinanceApi(sent, BinanceRest(venue))  # type: ignore[arg-type]
    params = {"symbol": "BTCUSDT", "interval": "1m", "limit": 2}
    api.receive(json.dumps({"id": "a", "method": "klines", "params": params}))
    api.receive('{"id": "b", "method": "order.place", "params": {}}')
    api.receive('{"id": "c", "method": "depth"}')
    api.receive('{"id": "d", "method": "depth", "params": [1]}')
    api.receive("{")
    good, unknown, missing, wrong, broken = sent.take()
    assert (good["id"], good["status"], len(good["result"])) == ("a", 200, 2)
    assert (unknown["id"], unknown["error"]["code"]) == ("b", -1105)
    assert (missing["status"], missing["error"]["code"]) == (400, -1102)
    assert wrong["error"]["code"] == -1100
    assert (broken["id"], broken["error"]["code"]) == (None, -1135)


def test_addresses() -> None:
    assert streams_of("/ws/btcusdt@trade", {}) == (["btcusdt@trade"], False)
    assert streams_of("/stream", {}) == ([], True)
