"""An account on the made market, without sockets: its time is set by the test."""

from __future__ import annotations

import hashlib
import hmac
import itertools
from typing import Any
from urllib.parse import urlencode

import msgspec
from tests.sim.serving import BALANCES, START_MS, made_market

from ares.sim.serve.binance import Binance
from ares.sim.serve.binance_account import binance_rules
from ares.sim.serve.clock import MarketClock
from ares.sim.serve.faults import ActiveFaults, Fault
from ares.sim.serve.funds import VenueRules
from ares.sim.serve.keys import default_keys
from ares.sim.serve.kraken import Kraken
from ares.sim.serve.kraken_account import kraken_rules
from ares.sim.serve.kraken_keys import signature
from ares.sim.serve.market import SimMarket, SymbolMarket, Trade
from ares.sim.serve.matching import Event, Exchange
from ares.sim.serve.orders import Ids, LetterIds, NewOrder, NumberIds, SimOrder
from ares.sim.serve.venue import Face, SignedRequest, SimVenue

MARKET = SimMarket(made_market())
BTC, ADA = MARKET.symbols
COIN = 10**8


class Trading:
    """An account whose clock the test moves; ``events`` has what happened to its orders."""

    face: Face

    def __init__(self, rules: VenueRules, ids: Ids) -> None:
        self.now_s = 0.0
        self.clock = MarketClock(START_MS, 1.0, lambda: 0, lambda: self.now_s)
        self.faults = ActiveFaults(lambda: self.now_s)
        self.exchange = Exchange(self.clock.market_ms, BALANCES, rules, self.faults, ids)
        self.venue = SimVenue(MARKET, self.clock, self.faults, self.exchange)
        self.keys = {key.name: key for key in default_keys(1, withdraws=True)}
        self.events: list[Event] = []
        self.exchange.listeners.append(self.events.append)

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


class Scene(Trading):
    """An account that speaks Kraken's REST."""

    def __init__(self, *, stops_hold: bool = True, tier: str = "") -> None:
        super().__init__(kraken_rules()._replace(stops_hold=stops_hold), LetterIds("test"))
        self.face: Kraken = Kraken(self.venue, self.keys.values(), tier)
        self._nonces = itertools.count(1)

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


class BinanceScene(Trading):
    """An account that speaks Binance's REST."""

    def __init__(self) -> None:
        super().__init__(binance_rules(), NumberIds(1_000))
        self.face: Binance = Binance(self.venue, self.keys.values())

    def signed(self, key: str = "engine", **params: Any) -> dict[str, Any]:
        """Return the parameters with the time and the signature."""
        timed = {"timestamp": self.now_ms, **params}
        secret = self.keys[key].secret.encode()
        signed = hmac.new(secret, urlencode(timed).encode(), hashlib.sha256).hexdigest()
        return {**timed, "signature": signed}

    def ask(self, request: str, key: str = "engine", **params: Any) -> tuple[int, Any]:
        """Return status and answer of ``POST order`` and the like."""
        method, name = request.split()
        query = urlencode(self.signed(key, **params))
        headers = {"X-MBX-APIKEY": self.keys[key].key}
        requested = SignedRequest(method, f"/api/v3/{name}", {}, headers, b"", query)
        answer = self.face.private(requested)
        assert answer is not None
        return answer.status, msgspec.json.decode(answer.body)

    def result(self, request: str, key: str = "engine", **params: Any) -> Any:
        """Return the answer, which is no error."""
        status, answer = self.ask(request, key, **params)
        assert status == 200
        assert "code" not in answer
        return answer

    def code(self, request: str, key: str = "engine", **params: Any) -> int:
        """Return the code of an error."""
        return int(self.ask(request, key, **params)[1]["code"])
