"""Kraken's WebSocket v2, message by message: acknowledgements, snapshots, updates, refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.sim.serving import FROM_MS, START_MS, made_market

from ares.domain.timeframe import MINUTE_MS
from ares.sim.serve.clock import MarketClock
from ares.sim.serve.faults import ActiveFaults
from ares.sim.serve.kraken_socket import KrakenSession
from ares.sim.serve.market import SimMarket
from ares.sim.serve.venue import SimVenue


class Sent:
    """Takes the place of a socket and keeps what is sent."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def send(self, message: str) -> None:
        self.messages.append(json.loads(message))

    def take(self) -> list[dict[str, Any]]:
        taken, self.messages = self.messages, []
        return taken


@pytest.fixture(scope="module")
def venue() -> SimVenue:
    clock = MarketClock(START_MS, 1.0, lambda: 0, lambda: 0.0)
    return SimVenue(SimMarket(made_market()), clock, ActiveFaults(lambda: 0.0))


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def session(venue: SimVenue, sent: Sent) -> KrakenSession:
    return KrakenSession(sent, venue, 1)  # type: ignore[arg-type]


def ask(session: KrakenSession, sent: Sent, method: str, **params: Any) -> list[dict[str, Any]]:
    session.receive(json.dumps({"method": method, "params": params, "req_id": 7}))
    return sent.take()


def play(session: KrakenSession, venue: SimVenue, minutes: int = 1) -> int:
    trades = [
        trade
        for symbol in venue.market.symbols
        for trade in symbol.trades(START_MS + 1, START_MS + minutes * MINUTE_MS)
    ]
    for trade in sorted(trades, key=lambda t: t.ts_ms):
        session.trade(trade)
    return len(trades)


def test_a_new_socket_gets_the_status(session: KrakenSession, sent: Sent) -> None:
    session.opened()
    (message,) = sent.take()
    assert message["channel"] == "status"
    assert message["data"][0]["system"] == "online"


def test_ping_with_and_without_an_id(session: KrakenSession, sent: Sent) -> None:
    session.receive('{"method": "ping", "req_id": 3}')
    session.receive('{"method": "ping"}')
    first, second = sent.take()
    assert (first["method"], first["req_id"]) == ("pong", 3)
    assert "req_id" not in second
    assert first["time_in"] <= first["time_out"]


def test_each_symbol_is_acknowledged_and_a_wrong_one_refused(
    session: KrakenSession, sent: Sent
) -> None:
    messages = ask(session, sent, "subscribe", channel="trade", symbol=["BTC/USDT", "FOO/BAR"])
    good, bad = messages
    assert good["success"] is True
    assert good["result"] == {"channel": "trade", "symbol": "BTC/USDT", "snapshot": False}
    assert bad["success"] is False
    assert bad["error"] == "Currency pair not supported FOO/BAR"
    assert {message["req_id"] for message in messages} == {7}


def test_candles_are_updated_by_trades_and_end_as_the_bar(
    session: KrakenSession, sent: Sent, venue: SimVenue
) -> None:
    ack, snapshot = ask(session, sent, "subscribe", channel="ohlc", symbol=["BTC/USDT"], interval=1)
    assert ack["result"]["interval"] == 1
    assert snapshot["type"] == "snapshot"
    play(session, venue)
    session.minute(START_MS + MINUTE_MS)
    updates = sent.take()
    assert len(updates) == 8
    assert [update["data"][0]["trades"] for update in updates] == list(range(1, 9))
    bars = made_market()["BTC/USDT"]
    row = (START_MS - FROM_MS) // MINUTE_MS
    last = updates[-1]["data"][0]
    assert [last[k] for k in ("open", "high", "low", "close", "volume")] == [
        column[row] for column in bars.columns[1:6]
    ]
    assert last["interval_begin"] == "2023-11-16T09:20:00.000000Z"
    assert last["timestamp"] == "2023-11-16T09:21:00.000000Z"


def test_one_interval_of_candles_for_each_symbol_of_a_socket(
    session: KrakenSession, sent: Sent
) -> None:
    ask(session, sent, "subscribe", channel="ohlc", symbol=["BTC/USDT"], interval=1)
    (other,) = ask(session, sent, "subscribe", channel="ohlc", symbol=["BTC/USDT"], interval=5)
    assert other["error"] == "Already subscribed to one ohlc interval on this symbol"
    (again,) = ask(session, sent, "subscribe", channel="ohlc", symbol=["BTC/USDT"], interval=1)
    assert again["error"] == "Already subscribed"
    (ended,) = ask(session, sent, "unsubscribe", channel="ohlc", symbol=["BTC/USDT"], interval=1)
    assert ended["success"] is True
    assert ask(session, sent, "subscribe", channel="ohlc", symbol=["BTC/USDT"], interval=5)[0][
        "success"
    ]


def test_trades_and_ticker(session: KrakenSession, sent: Sent, venue: SimVenue) -> None:
    snapshot = ask(session, sent, "subscribe", channel="trade", symbol=["BTC/USDT"], snapshot=True)[
        1
    ]
    assert len(snapshot["data"]) == 50
    ticker = ask(session, sent, "subscribe", channel="ticker", symbol=["ADA/USDT"])[1]["data"][0]
    assert ticker["bid"] < ticker["last"] < ticker["ask"]
    n = play(session, venue)
    messages = sent.take()
    assert len(messages) == n  # a trade of BTC, or a ticker of ADA, for each trade
    trades = [m["data"][0] for m in messages if m["channel"] == "trade"]
    assert [t["symbol"] for t in trades] == ["BTC/USDT"] * 8
    assert trades[0]["trade_id"] == snapshot["data"][-1]["trade_id"] + 1


def test_instruments(session: KrakenSession, sent: Sent) -> None:
    _, snapshot = ask(session, sent, "subscribe", channel="instrument")
    pairs = {pair["symbol"]: pair for pair in snapshot["data"]["pairs"]}
    assert pairs["BTC/USDT"]["price_precision"] == 2
    assert {asset["id"] for asset in snapshot["data"]["assets"]} == {"BTC", "ADA", "USDT"}


def test_heartbeats_fill_silence_once_something_is_subscribed(
    session: KrakenSession, sent: Sent
) -> None:
    session.second()
    session.second()
    assert sent.take() == []
    ask(session, sent, "subscribe", channel="trade", symbol=["BTC/USDT"])
    session.second()
    assert sent.take() == []  # the acknowledgement was less than a second ago
    session.second()
    assert sent.take() == [{"channel": "heartbeat"}]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("not json", "Malformed request"),
        ("[1]", "Malformed request"),
        ('{"method": "dance"}', "Malformed request"),
        ('{"method": "subscribe"}', "Malformed request"),
        ('{"method": "subscribe", "params": {"channel": "x"}}', "Subscription name invalid"),
        ('{"method": "subscribe", "params": {"channel": "ohlc"}}', "Symbol(s) not found"),
        (
            '{"method": "subscribe", "params": '
            '{"channel": "ohlc", "symbol": ["BTC/USDT"], "interval": "1"}}',
            "Subscription ohlc interval not supported",
        ),
        (
            '{"method": "subscribe", "params": '
            '{"channel": "book", "symbol": ["BTC/USDT"], "depth": 7}}',
            "Subscription depth not supported",
        ),
        (
            '{"method": "subscribe", "params": {"channel": "executions", "token": "x"}}',
            "EAuth:Invalid token",
        ),
        (
            '{"method": "unsubscribe", "params": {"channel": "trade", "symbol": ["BTC/USDT"]}}',
            "Subscription Not Found",
        ),
    ],
)
def test_errors_are_krakens(session: KrakenSession, sent: Sent, message: str, words: str) -> None:
    session.receive(message)
    (answer,) = sent.take()
    assert answer["success"] is False
    assert answer["error"] == words
