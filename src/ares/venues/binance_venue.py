"""A Binance spot account as the engine's venue, composed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ares.domain.events import Event
from ares.domain.feed_events import InstrumentState
from ares.domain.order_events import SubmitOrder
from ares.domain.venue import VenueTraits
from ares.venues.answers import Refused
from ares.venues.binance_orders import RATES, BinanceOrders
from ares.venues.binance_reports import BinanceReports
from ares.venues.binance_statement import binance_statement
from ares.venues.binance_words import FORM, OF_THE_CLOCK, UNKNOWN_SYMBOL, is_refusal
from ares.venues.ccxt_account import AccountPolicy, CcxtAccount
from ares.venues.ccxt_setup import prepare
from ares.venues.known_orders import KnownOrders
from ares.venues.markets import VenueMarket
from ares.venues.requests import REPORT, PrivateRequests, RequestPolicy, limiters
from ares.venues.statement import Statement

STATES: dict[str, InstrumentState] = {
    "TRADING": "trading",
    "HALT": "halted",
    "BREAK": "maintenance",
    "PRE_TRADING": "maintenance",
    "POST_TRADING": "maintenance",
    "END_OF_DAY": "maintenance",
}
"""The status of a symbol in exchangeInfo -> state of the instrument."""


class BinanceAccount(CcxtAccount):
    """The connections of one account."""

    name = "binance"
    ping: ClassVar[Mapping[str, Any] | None] = {"id": "ping", "method": "ping"}
    policy: ClassVar[AccountPolicy] = AccountPolicy(RequestPolicy(turn_s=0.1))
    """Nothing orders requests at Binance: one that hangs need not hold the next up for long."""
    states: ClassVar[Mapping[str, InstrumentState]] = STATES

    async def try_late(self, command: SubmitOrder) -> None:
        """Have an order checked, and not placed, that comes after its deadline; raises Refused."""
        await self._orders.try_late(command)

    def _open(self) -> Any:
        import ccxt.pro

        exchange = ccxt.pro.binance({"apiKey": self._keys.key, "secret": self._keys.secret})
        prepare(exchange, self._address)
        return exchange

    def _new_requests(self) -> PrivateRequests:
        limit_of = limiters(self._policy.rates or RATES)
        policy = self._policy.requests
        return PrivateRequests(self._exchange, self._is_refusal, limit_of, policy, FORM)

    def _is_refusal(self, text: str) -> bool:
        if text.startswith(OF_THE_CLOCK):
            self._clock_doubted.set()
        return is_refusal(text)

    def _new_orders(
        self, markets: Sequence[VenueMarket], traits: VenueTraits
    ) -> tuple[BinanceOrders, BinanceReports]:
        reports = BinanceReports(markets, self._known, self._now_ms, self._say)
        self._orders = BinanceOrders(
            self._requests, markets, self._known, reports, self._now_ms, self.venue_ms,
            traits.speed,
        )  # fmt: skip
        self._binance_reports, self._markets = reports, markets
        return self._orders, reports

    async def _state_words(self) -> list[str]:
        """Return the status of each symbol; empty: it is not listed any more."""
        words = []
        for market in self._markets:
            named = {"symbol": market.venue_id}
            try:
                answer = await self._requests.read(
                    "publicGetExchangeInfo", named, REPORT, "weight", 20.0
                )
            except Refused as error:
                if not str(error).startswith(UNKNOWN_SYMBOL):
                    raise
                words.append("")
                continue
            listed = answer.get("symbols")
            row = listed[0] if isinstance(listed, list) and listed else {}
            words.append(str(row.get("status") or ""))
        return words

    async def _read_statement(self, markets: Sequence[VenueMarket], from_ms: int) -> Statement:
        known, now_ms = KnownOrders(), self._now_ms
        reports = BinanceReports(markets, known, now_ms, self._say)
        venue_ms = int(await self._exchange.fetch_time())
        orders = BinanceOrders(self._requests, markets, known, reports, now_ms, now_ms)
        return await binance_statement(orders, markets, reports, from_ms, venue_ms)

    def _prepare_session(self, exchange: Any) -> None:
        """Have the subscription signed with the time by which requests are signed.

        ccxt cannot read the answer to a ping while its list of subscriptions has the account's.
        """
        exchange.nonce = lambda: int(self._orders.signed({})["timestamp"])
        exchange.handle_subscription_status = lambda _client, _message: None

    async def _next_message(self, exchange: Any) -> None:
        await exchange.watch_orders()

    async def _explained(self, entry: Mapping[str, Any]) -> list[Event]:
        """Translate a fee that was paid in a third asset."""
        return [await self._orders.booked(self._binance_reports.reported(entry))]
