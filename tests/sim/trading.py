"""An account on the made market, without sockets: its time is set by the test."""

from __future__ import annotations

import itertools
from typing import Any
from urllib.parse import urlencode

import msgspec
from tests.sim.serving import BALANCES, START_MS, made_market

from ares.sim.serve.clock import MarketClock
from ares.sim.serve.faults import ActiveFaults, Fault
from ares.sim.serve.keys import default_keys
from ares.sim.serve.kraken import Kraken
from ares.sim.serve.kraken_account import kraken_rules
from ares.sim.serve.kraken_keys import signature
from ares.sim.serve.market import SimMarket, SymbolMarket, Trade
from ares.sim.serve.matching import Event, Exchange
from ares.sim.serve.orders import NewOrder, SimOrder
from ares.sim.serve.venue import SignedRequest, SimVenue

MARKET = SimMarket(made_market())
BTC, ADA = MARKET.symbols
COIN = 10**8


class Scene:
    """An account whose clock the test moves; ``events`` has what happened to its orders."""

    def __init__(self, *, stops_hold: bool = True, tier: str = "") -> None:
        self.now_s = 0.0
        self.clock = MarketClock(START_MS, 1.0, lambda: 0, lambda: self.now_s)
        self.faults = ActiveFaults(lambda: self.now_s)
        rules = kraken_rules(stops_hold=stops_hold)
        self.exchange = Exchange(self.clock.market_ms, BALANCES, rules, self.faults, "test")
        self.venue = SimVenue(MARKET, self.clock, self.faults, self.exchange)
        self.keys = {key.name: key for key in default_keys(1)}
        self.face = Kraken(self.venue, self.keys.values(), tier)
        self.events: list[Event] = []
        self.exchange.listeners.append(self.events.append)
        self._nonces = itertools.count(1)

    @property
    def now_ms(self) -> int:
        return self.clock.market_ms()

    def fault(self, kind: str, **values: Any) -> int:
        return self.faults.add(Fault(kind, **values))

    def last(self, symbol: SymbolMarket = BTC) -> int:
        return symbol.last_ticks(self.now_ms)

    def trade(self, ticks: int, lots: int = 100 * COIN, symbol: SymbolMarket = BTC) -> None:
        """Let the market trade at a price, a second later."""
        self.now_s += 1.0
        self.exchange.trade(Trade(symbol.index, 7, self.now_ms, ticks, lots, True))

    def advance(self, seconds: float) -> None:
        """Let time pass without a trade."""
        self.now_s += seconds
        self.exchange.tick()
        self.face.tick()

    def submit(
        self, side: str, kind: str, lots: int, limit: int = 0, stop: int = 0, **more: Any
    ) -> SimOrder:
        return self.exchange.submit(
            NewOrder(more.pop("symbol", BTC), side == "buy", kind, lots, limit, stop, **more)
        )

    def kinds(self) -> list[str]:
        """Return what happened since the last call."""
        kinds = [event.kind for event in self.events]
        self.events.clear()
        return kinds

    def ask(self, method: str, key: str = "engine", **fields: Any) -> Any:
        """Return the answer of private REST, with its errors."""
        nonce = str(next(self._nonces))
        body = urlencode({"nonce": nonce, **fields}).encode()
        path = f"/0/private/{method}"
        api_key = self.keys[key]
        headers = {
            "API-Key": api_key.key,
            "API-Sign": signature(path, nonce, body, api_key.secret),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        answer = self.face.private(SignedRequest("POST", path, {}, headers, body))
        assert answer is not None
        assert answer.status == 200
        return msgspec.json.decode(answer.body)

    def result(self, method: str, key: str = "engine", **fields: Any) -> Any:
        """Return the result of private REST, which has no error."""
        answer = self.ask(method, key, **fields)
        assert answer["error"] == []
        return answer["result"]

    def error(self, method: str, key: str = "engine", **fields: Any) -> str:
        """Return the error of private REST."""
        answer = self.ask(method, key, **fields)
        assert "result" not in answer
        return str(answer["error"][0])
