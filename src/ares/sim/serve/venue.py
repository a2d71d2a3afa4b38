"""What both protocols share: the market, its clock, the faults, and the seam to the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from ares.sim.serve.clock import MarketClock
from ares.sim.serve.faults import ActiveFaults
from ares.sim.serve.market import Candle, SimMarket, SymbolMarket, Trade
from ares.sim.serve.matching import Exchange
from ares.sim.serve.sockets import Socket

CACHED_MAX = 256


class SimVenue:
    """The market as it stands now.

    exchange : the account's orders; None: the venue has public data alone.
    """

    def __init__(
        self,
        market: SimMarket,
        clock: MarketClock,
        faults: ActiveFaults,
        exchange: Exchange | None = None,
    ) -> None:
        self.market = market
        self.clock = clock
        self.faults = faults
        self.exchange = exchange
        self._candles: dict[tuple[int, int, int], Candle] = {}

    def now_ms(self) -> int:
        """Return the market's time."""
        return self.clock.market_ms()

    def clock_ms(self) -> int:
        """Return the time that the venue says it is: the market's, unless a fault changes it."""
        return self.clock.market_ms() + self.faults.clock_error_ms()

    def clock_of(self, client_ms: int) -> int:
        """Return the venue's time on the scale of a client's: of the market, or of the wall clock.

        Deadlines and signatures run on wall time at any speed; a client that was told the venue's
        time has the market's.
        """
        error_ms = self.faults.clock_error_ms()
        both = (self.clock.market_ms() + error_ms, self.clock.wall_ms() + error_ms)
        return min(both, key=lambda ms: abs(ms - client_ms))

    def state_of(self, symbol: SymbolMarket) -> str:
        """Return the state of a market: online, or what a fault makes it."""
        return "online" if self.exchange is None else self.exchange.state_of(symbol)

    def system_status(self) -> str:
        """Return online, or maintenance while a fault makes the venue unavailable."""
        return "maintenance" if self.faults.lasts("unavailable") else "online"

    def running_candle(self, symbol: SymbolMarket, interval_ms: int, at_ms: int) -> Candle:
        """Return the candle that contains ``at_ms``, as it stood then; computed once for all."""
        key = (symbol.index, interval_ms, at_ms)
        if key not in self._candles:
            if len(self._candles) >= CACHED_MAX:
                self._candles.clear()
            open_ms = at_ms - at_ms % interval_ms
            self._candles[key] = symbol.candles(interval_ms, open_ms, at_ms + 1, at_ms)[-1]
        return self._candles[key]


class SignedRequest(NamedTuple):
    """A request of REST as it came.

    query     : the parameters of its address.
    body      : its bytes, as they were signed.
    raw_query : the text of its parameters, as it was signed.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    raw_query: str = ""

    @property
    def text(self) -> str:
        """What faults look for: method, path, query and body."""
        return f"{self.method} {self.path}?{self.raw_query} {self.body.decode(errors='replace')}"


class Answer(NamedTuple):
    """An answer of REST."""

    body: bytes
    status: int = 200


class Session(Protocol):
    """What a socket is subscribed to, and what it is sent."""

    def opened(self) -> None:
        """Greet a new socket."""

    def receive(self, text: str) -> None:
        """Take a message of the client."""

    def trade(self, trade: Trade) -> None:
        """Send what follows from a trade."""

    def minute(self, ts_ms: int) -> None:
        """Send what follows from a full minute of the market."""

    def second(self) -> None:
        """Called once in a second of wall time."""

    def closed(self) -> None:
        """Called when the socket is gone."""


class Face(Protocol):
    """One venue's protocol."""

    socket_paths: tuple[str, ...]

    def answer(self, path: str, query: Mapping[str, str]) -> Answer:
        """Return the answer of REST to a request."""

    def private(self, request: SignedRequest) -> Answer | None:
        """Return the answer to a signed request; None: it is a public one."""

    def tick(self) -> None:
        """Called 50 times a second of wall time."""

    def refusal(self, status: int) -> bytes:
        """Return the body with which the venue refuses a request: 429 or 503."""

    def session(self, socket: Socket, path: str, query: Mapping[str, str]) -> Session:
        """Return the session of a new socket."""
