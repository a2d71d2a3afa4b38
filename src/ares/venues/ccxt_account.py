"""An account over ccxt as the engine's venue; what is the venue's own is in subclasses."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple, Protocol

from ares.domain.api_key import ApiKey
from ares.domain.errors import ExternalError, UserError
from ares.domain.events import Event
from ares.domain.feed_events import InstrumentState
from ares.domain.order_events import VenueDown, VenueUp
from ares.domain.venue import VenueTraits
from ares.venues.account_fees import AccountFee, fee_of
from ares.venues.amounts import decimal_of
from ares.venues.answers import NoAnswer, Refused
from ares.venues.ccxt_setup import line_of
from ares.venues.ccxt_venue import CcxtVenue, VenueOrders
from ares.venues.ending import closed
from ares.venues.instrument_states import EVERY_S, InstrumentStates
from ares.venues.known_orders import KnownOrders, Reading
from ares.venues.markets import VenueMarket, markets_of
from ares.venues.quotes import best_bids
from ares.venues.requests import PrivateRequests, RequestPolicy
from ares.venues.signer_client import HeldKey, send_through
from ares.venues.statement import Statement
from ares.venues.stream import PrivateStream, PrivateStreamPolicy, SessionBroken
from ares.venues.venue_clock import ahead_of

EXPLAIN_ATTEMPTS = 6
SKEW_EVERY_S = 60.0


class AccountPolicy(NamedTuple):
    """How an account is reached; nothing here changes what is sent.

    rates : other limits than the venue's own: name -> (most at once, seconds).
    states_s : how often the states of the instruments are read.
    """

    requests: RequestPolicy = RequestPolicy()
    stream: PrivateStreamPolicy = PrivateStreamPolicy()
    rates: Mapping[str, tuple[float, float]] | None = None
    states_s: float = EVERY_S


class VenueReports(Protocol):
    """Reads the messages of the private stream; see ``KrakenReports``."""

    def begin_session(self) -> None:
        """A new session begins."""

    def read(self, text: str) -> Reading:
        """Read a message; raise ValueError for one that is none."""


class CcxtAccount(ABC):
    """The connections of one account: markets, requests, private stream, clock, states.

    address : scheme and host of another server with the venue's API. policy: None: the venue's.
    states  : the venue's word for the state of an instrument -> state.
    """

    name: ClassVar[str]
    ping: ClassVar[Mapping[str, Any] | None] = None
    policy: ClassVar[AccountPolicy] = AccountPolicy()
    states: ClassVar[Mapping[str, InstrumentState]]

    def __init__(
        self,
        keys: ApiKey,
        now_ms: Callable[[], int],
        say: Callable[[str], None] = lambda _: None,
        address: str | None = None,
        policy: AccountPolicy | None = None,
    ) -> None:
        self._require(keys)
        self._keys, self._now_ms, self._say = keys, now_ms, say
        self._address, self._policy = address, policy or self.policy
        self._signer = keys.client() if isinstance(keys, HeldKey) else None
        self._exchange = self._opened()
        self._requests = self._new_requests()
        self._listed: Mapping[str, Any] = {}
        self._known = KnownOrders()
        self._session, self._speed = 0, 1
        self._venue_at: tuple[int, int, float] | None = None
        self._is_up = False
        self._post: Callable[[Event], None] = lambda _: None
        self._explaining: set[asyncio.Task[None]] = set()
        self._clock_doubted = asyncio.Event()

    # --- what is the venue's own -----------------------------------------------------------------

    @abstractmethod
    def _open(self) -> Any:
        """Return an exchange object of ccxt's WebSocket side, with the keys, for this address."""

    @abstractmethod
    def _new_requests(self) -> PrivateRequests:
        """Return the private requests, of ``self._exchange``."""

    @abstractmethod
    def _new_orders(
        self, markets: Sequence[VenueMarket], traits: VenueTraits
    ) -> tuple[VenueOrders, VenueReports]:
        """Return orders and reports of a run's instruments; they share ``self._known``."""

    @abstractmethod
    async def _read_statement(self, markets: Sequence[VenueMarket], from_ms: int) -> Statement:
        """Return what the venue says of the account; raises Refused, NoAnswer or ValueError."""

    @abstractmethod
    async def _next_message(self, exchange: Any) -> None:
        """Wait for the next message of the private stream; the first call subscribes."""

    @abstractmethod
    async def _explained(self, entry: Mapping[str, Any]) -> list[Event]:
        """Return the events of an execution, see ``Reading.unexplained``; raises the same."""

    @abstractmethod
    def _prepare_session(self, exchange: Any) -> None:
        """Set a session's exchange object up."""

    async def _read_fees(self, markets: Sequence[VenueMarket]) -> list[AccountFee]:
        """Return the account's fees; raises Refused, NoAnswer or ValueError. Where a venue is not
        asked for those of the account: what it lists for everybody.
        """
        listed = [(m.symbol, self._listed[m.symbol].get("taker")) for m in markets]
        return [fee_of(symbol, Decimal(str(fee)) * 100) for symbol, fee in listed if fee]

    @abstractmethod
    async def _state_words(self) -> Sequence[str]:
        """Return the state of each instrument in the venue's words, see ``InstrumentStates``."""

    # --- what all share --------------------------------------------------------------------------

    def _require(self, keys: ApiKey) -> None:
        """Raise UserError for a key that cannot be one of the venue."""
        if not keys.key or not keys.secret:
            raise UserError(f"the key of the {self.name} account, or its secret, is empty")

    def _opened(self) -> Any:
        """Return a new exchange object, which signs through the signer where that has the key."""
        exchange = self._open()
        if self._signer is not None and isinstance(self._keys, HeldKey):
            send_through(exchange, self._keys.name, self._signer)
        return exchange

    async def markets(self, symbols: Sequence[str]) -> list[VenueMarket]:
        """Return the venue's markets of some symbols.

        Raises ExternalError where the venue does not answer, UserError for a symbol that it lacks.
        """
        try:
            self._listed = await self._exchange.load_markets()
        except Exception as error:  # whatever ccxt raises
            text = f"{self.name}: its markets were not read: {line_of(error)}"
            raise ExternalError(text) from error
        return markets_of(self.name, self._listed, symbols)

    async def price(self, symbol: str) -> Decimal:
        """Return the last price of a symbol; raise ExternalError where the venue has none."""
        try:
            ticker = await self._exchange.fetch_ticker(symbol)
            return decimal_of(str(ticker["last"]))
        except Exception as error:  # whatever ccxt raises
            text = f"{self.name}: the price of {symbol} was not read: {line_of(error)}"
            raise ExternalError(text) from error

    async def venue(
        self, symbols: Sequence[str], traits: VenueTraits, post: Callable[[Event], None]
    ) -> CcxtVenue:
        """Return the account as a venue for these instruments; events go to ``post``."""
        markets = await self.markets(symbols)
        self._known = KnownOrders()
        self._post, self._speed = post, traits.speed
        orders, self._reports = self._new_orders(markets, traits)
        self._stream = PrivateStream(
            self._connect, self._next_message, self._read, self._began, self._ended, self.ping,
            self._policy.stream,
        )  # fmt: skip
        states = InstrumentStates(
            self._state_words, self.states, post, self._now_ms, self._say, self._policy.states_s
        )
        tasks = [self._keep_stream, self._measure_clock, states.run]
        self._venue = CcxtVenue(
            orders, len(markets), post, self._now_ms, self._say, tasks, self.close
        )
        return self._venue

    async def bids(self, symbols: Sequence[str]) -> list[Decimal]:
        """Return the best bid of each symbol; raise ExternalError where the venue does not answer.

        Its markets must have been read.
        """
        return await best_bids(self.name, self._exchange, symbols)

    async def fees(self, symbols: Sequence[str]) -> list[AccountFee]:
        """Return what the account pays for each symbol that the venue has a fee for, in order.

        Raises ExternalError where it does not answer.
        """
        markets = await self.markets(symbols)
        try:
            return await self._read_fees(markets)
        except (Refused, NoAnswer, ValueError) as error:
            raise ExternalError(f"{self.name}: its fees were not read: {error}") from error

    async def statement(self, symbols: Sequence[str], from_ms: int) -> Statement:
        """Return what the venue says of the account; executions since ``from_ms``.

        Raises ExternalError where it does not.
        """
        markets = await self.markets(symbols)
        try:
            return await self._read_statement(markets, from_ms)
        except (Refused, NoAnswer, ValueError) as error:
            raise ExternalError(f"{self.name}: the account was not read: {error}") from error

    async def close(self) -> None:
        """Close every connection."""
        await self._requests.close()
        await closed(self._exchange)
        if self._signer is not None:
            await self._signer.close()

    # --- the private stream ----------------------------------------------------------------------

    def _connect(self) -> Any:
        """Return an exchange object for one session."""
        exchange = self._opened()
        exchange.set_markets(dict(self._listed))
        exchange.enableRateLimit = False
        self._prepare_session(exchange)
        self._reports.begin_session()
        return exchange

    def _read(self, text: str) -> bool:
        reading = self._reports.read(text)
        for event in reading.events:
            self._post(event)
        for client_id, instrument in reading.look_ups:
            self._venue.look_up(client_id, instrument)
        for entry in reading.unexplained:
            task = asyncio.get_running_loop().create_task(self._explain(entry))
            self._explaining.add(task)
            task.add_done_callback(self._explaining.discard)
        if reading.broken:
            raise SessionBroken(reading.broken)
        return reading.subscribed

    async def _explain(self, entry: Mapping[str, Any]) -> None:
        """Post an execution once what is missing of it is known."""
        for attempt in range(EXPLAIN_ATTEMPTS):
            try:
                for event in await self._explained(entry):
                    self._post(event)
            except (Refused, NoAnswer, ValueError) as error:
                self._say(f"{self.name}: an execution is not explained: {line_of(error)}")
                await asyncio.sleep(0.5 * 2**attempt)
            else:
                return
        self._say(f"{self.name}: an execution stays unexplained: the balances will show it")

    async def _keep_stream(self) -> None:
        self._post(VenueDown(self._now_ms(), "connecting"))
        await self._stream.run()

    def _began(self) -> None:
        self._session, self._is_up = self._session + 1, True
        self._post(VenueUp(self._now_ms(), self._session))

    def _ended(self, reason: str) -> None:
        self._say(f"{self.name}: the private stream ended: {reason}")
        if self._is_up:
            self._is_up = False
            self._post(VenueDown(self._now_ms(), reason))

    # --- the clock -------------------------------------------------------------------------------

    async def _measure_clock(self) -> None:
        """Know the venue's time; how far clocks differ the market data's stream reports."""

        async def venue_ms() -> int | None:
            try:
                return int(await self._exchange.fetch_time())
            except Exception as error:  # a clock is no reason to end
                self._say(f"{self.name}: its clock was not read: {line_of(error)}")
                return None

        while True:
            found = await ahead_of(venue_ms, self._now_ms)
            if found is not None:
                self._venue_at = (self._now_ms(), found, asyncio.get_running_loop().time())
            with suppress(TimeoutError):
                async with asyncio.timeout(SKEW_EVERY_S):
                    await self._clock_doubted.wait()
            self._clock_doubted.clear()

    def venue_ms(self) -> int:
        """Return what the venue's clock says; the engine's, as long as that is not known.

        It goes on with the machine's monotonic clock: the engine's may be set again meanwhile. In a
        rehearsal that runs faster than the machine's it goes on with the engine's.
        """
        if self._venue_at is None:
            return self._now_ms()
        then_ms, ahead_ms, then_s = self._venue_at
        if self._speed > 1:
            return self._now_ms() + ahead_ms
        passed_s = asyncio.get_running_loop().time() - then_s
        return then_ms + ahead_ms + int(passed_s * 1000.0)
