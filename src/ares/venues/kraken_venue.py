"""A Kraken account as the engine's venue, composed."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ares.domain.api_key import ApiKey
from ares.domain.errors import ExternalError, UserError
from ares.domain.events import Event
from ares.domain.order_events import VenueDown, VenueUp
from ares.domain.venue import VenueTraits
from ares.venues.answers import NoAnswer, Refused
from ares.venues.ccxt_setup import line_of, prepare
from ares.venues.ccxt_venue import CcxtVenue
from ares.venues.ending import closed
from ares.venues.kraken_orders import TIERS, KrakenOrders
from ares.venues.kraken_reports import KnownOrder, KnownOrders, KrakenReports
from ares.venues.kraken_statement import kraken_statement
from ares.venues.kraken_words import is_refusal
from ares.venues.markets import VenueMarket, markets_of
from ares.venues.requests import PrivateRequests, RequestPolicy, count_up, limiters
from ares.venues.statement import Statement
from ares.venues.stream import PrivateStream, PrivateStreamPolicy, SessionBroken
from ares.venues.venue_clock import ahead_of

PING = {"method": "ping"}
EXPLAIN_ATTEMPTS = 6
SKEW_EVERY_S = 60.0


class KrakenPolicy(NamedTuple):
    """How the account is reached; nothing here changes what is sent.

    rates : other limits than those of the account's level, see ``kraken_orders.TIERS``.
    """

    requests: RequestPolicy = RequestPolicy()
    stream: PrivateStreamPolicy = PrivateStreamPolicy()
    rates: Mapping[str, tuple[float, float]] | None = None


class KrakenAccount:
    """The connections of one account: markets, requests, private stream, clock.

    address : scheme and host of another server with Kraken's API.
    tier    : level of the account, see ``TIERS``.
    """

    def __init__(
        self,
        keys: ApiKey,
        now_ms: Callable[[], int],
        say: Callable[[str], None] = lambda _: None,
        address: str | None = None,
        tier: str = "starter",
        policy: KrakenPolicy = KrakenPolicy(),
    ) -> None:
        require_keys(keys)
        if tier not in TIERS:
            raise UserError(f"level '{tier}' of a kraken account: use one of {', '.join(TIERS)}")
        self._keys, self._now_ms, self._say = keys, now_ms, say
        self._address, self._policy = address, policy
        self._exchange = self._open()
        count_up(self._exchange)
        self._requests = PrivateRequests(
            self._exchange, is_refusal, limiters(policy.rates or TIERS[tier]), policy.requests
        )
        self._listed: Mapping[str, Any] = {}
        self._session, self._speed = 0, 1
        self._venue_at: tuple[int, int, float] | None = None
        self._is_up = False
        self._post: Callable[[Event], None] = lambda _: None

    async def markets(self, symbols: Sequence[str]) -> list[VenueMarket]:
        """Return the venue's markets of some symbols.

        Raises ExternalError where the venue does not answer, UserError for a symbol that it lacks.
        """
        try:
            self._listed = await self._exchange.load_markets()
        except Exception as error:  # whatever ccxt raises
            raise ExternalError(f"kraken: its markets were not read: {line_of(error)}") from error
        return markets_of("kraken", self._listed, symbols)

    async def venue(
        self, symbols: Sequence[str], traits: VenueTraits, post: Callable[[Event], None]
    ) -> CcxtVenue:
        """Return the account as a venue for these instruments; events go to ``post``."""
        markets = await self.markets(symbols)
        known = KnownOrders()
        self._post, self._speed = post, traits.speed
        self._reports = KrakenReports(markets, known, self._now_ms, self._say)
        self._orders = KrakenOrders(
            self._requests, markets, known, self._reports, self._now_ms, self.venue_ms,
            traits.deadline_ms, traits.speed,
        )  # fmt: skip
        self._known = known
        self._explaining: set[asyncio.Task[None]] = set()
        self._stream = PrivateStream(
            self._connect, _next_message, self._read, self._began, self._ended, PING,
            self._policy.stream,
        )  # fmt: skip
        self._venue = CcxtVenue(
            self._orders, len(markets), post, self._now_ms, self._say,
            [self._keep_stream, self._measure_clock], self.close,
        )  # fmt: skip
        return self._venue

    async def statement(self, symbols: Sequence[str], from_ms: int) -> Statement:
        """Return what the venue says of the account; executions since ``from_ms``.

        Raises ExternalError where it does not.
        """
        markets = await self.markets(symbols)
        reports = KrakenReports(markets, KnownOrders(), self._now_ms, self._say)
        try:
            return await kraken_statement(self._requests, markets, reports, from_ms)
        except (Refused, NoAnswer, ValueError) as error:
            raise ExternalError(f"kraken: the account was not read: {error}") from error

    @property
    def orders(self) -> KrakenOrders:
        """Return the account's orders, once there is a venue."""
        return self._orders

    async def close(self) -> None:
        """Close every connection."""
        await self._requests.close()
        await closed(self._exchange)

    def _open(self) -> Any:
        import ccxt.pro

        exchange = ccxt.pro.kraken({"apiKey": self._keys.key, "secret": self._keys.secret})
        prepare(exchange, self._address)
        return exchange

    # --- the private stream --------------------------------------------------------------------

    def _connect(self) -> Any:
        """Return an exchange object for one session; its nonces are those of the account."""
        exchange = self._open()
        exchange.set_markets(dict(self._listed))
        exchange.incrementing_nonce = self._exchange.incrementing_nonce
        exchange.enableRateLimit = False

        async def token(_parameters: Any = None) -> Any:
            try:
                return {"result": await self._orders.token()}
            except Refused as error:
                raise SessionBroken(f"the venue refused the stream: {error}") from error
            except NoAnswer as error:
                raise SessionBroken(f"no token for the stream: {error}") from error

        exchange.privatePostGetWebSocketsToken = token
        self._reports.begin_session()
        return exchange

    def _read(self, text: str) -> bool:
        reading = self._reports.read(text)
        for event in reading.events:
            self._post(event)
        for client_id in reading.look_ups:
            self._venue.look_up(client_id, 0)
        for entry in reading.unexplained:
            task = asyncio.get_running_loop().create_task(self._explain(entry))
            self._explaining.add(task)
            task.add_done_callback(self._explaining.discard)
        if reading.broken:
            raise SessionBroken(reading.broken)
        return reading.subscribed

    async def _explain(self, entry: Mapping[str, Any]) -> None:
        """Find out whose execution it is: ours may come before the answer that names its order."""
        venue_id = str(entry.get("order_id") or "")
        for attempt in range(EXPLAIN_ATTEMPTS):
            try:
                known = self._known.get(venue_id)
                client_id = known.client_id if known else await self._orders.owner_of(venue_id)
                if known is None and client_id != venue_id:
                    self._known.add(venue_id, KnownOrder(client_id, -1, 0))
                for event in self._reports.execution(entry, client_id):
                    self._post(event)
            except (Refused, NoAnswer, ValueError) as error:
                self._say(f"execution of order {venue_id}: {line_of(error)}")
                await asyncio.sleep(0.5 * 2**attempt)
            else:
                return
        self._say(f"execution of order {venue_id} is not explained: the balances will show it")

    async def _keep_stream(self) -> None:
        self._post(VenueDown(self._now_ms(), "connecting"))
        await self._stream.run()

    def _began(self) -> None:
        self._session, self._is_up = self._session + 1, True
        self._post(VenueUp(self._now_ms(), self._session))

    def _ended(self, reason: str) -> None:
        self._say(f"kraken: the private stream ended: {reason}")
        if self._is_up:
            self._is_up = False
            self._post(VenueDown(self._now_ms(), reason))

    async def _measure_clock(self) -> None:
        """Know the venue's time; how far clocks differ the market data's stream reports."""

        async def venue_ms() -> int | None:
            try:
                return int(await self._exchange.fetch_time())
            except Exception as error:  # a clock is no reason to end
                self._say(f"kraken: its clock was not read: {line_of(error)}")
                return None

        while True:
            found = await ahead_of(venue_ms, self._now_ms)
            if found is not None:
                self._venue_at = (self._now_ms(), found, asyncio.get_running_loop().time())
            await asyncio.sleep(SKEW_EVERY_S)

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


async def _next_message(exchange: Any) -> None:
    """Wait for the next message of the executions channel; the first call subscribes."""
    await exchange.watch_orders(None, None, None, {"snap_orders": True, "snap_trades": False})


def require_keys(keys: ApiKey) -> None:
    """Raise UserError for keys that cannot be Kraken's."""
    if not keys.key or not keys.secret:
        raise UserError("the key of the kraken account, or its secret, is empty")
    try:
        base64.b64decode(keys.secret, validate=True)
    except (binascii.Error, ValueError):
        raise UserError("the secret of the kraken account is no base64 text") from None
