"""A Kraken account as the engine's venue, composed."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from ares.domain.api_key import ApiKey
from ares.domain.errors import UserError
from ares.domain.events import Event
from ares.domain.feed_events import InstrumentState
from ares.domain.order_events import SubmitOrder
from ares.domain.venue import VenueTraits
from ares.venues.account_fees import AccountFee, fee_of
from ares.venues.answers import NoAnswer, Refused
from ares.venues.ccxt_account import AccountPolicy, CcxtAccount
from ares.venues.ccxt_setup import prepare
from ares.venues.known_orders import KnownOrder, KnownOrders
from ares.venues.kraken_orders import TIERS, KrakenOrders, table_of
from ares.venues.kraken_reports import KrakenReports
from ares.venues.kraken_statement import kraken_statement
from ares.venues.kraken_words import is_refusal
from ares.venues.markets import VenueMarket
from ares.venues.requests import LOOK_UP, PrivateRequests, count_up, limiters
from ares.venues.statement import Statement
from ares.venues.stream import SessionBroken

STATES: dict[str, InstrumentState] = {
    "online": "trading",
    "post_only": "post_only",
    "limit_only": "limit_only",
    "reduce_only": "reduce_only",
    "cancel_only": "cancel_only",
    "maintenance": "maintenance",
}
"""The status of a pair in AssetPairs and in the instrument channel -> state of the instrument."""


class KrakenAccount(CcxtAccount):
    """The connections of one account; tier: its level, see ``kraken_orders.TIERS``."""

    name = "kraken"
    ping: ClassVar[Mapping[str, Any] | None] = {"method": "ping"}
    states: ClassVar[Mapping[str, InstrumentState]] = STATES

    def __init__(
        self,
        keys: ApiKey,
        now_ms: Callable[[], int],
        say: Callable[[str], None] = lambda _: None,
        address: str | None = None,
        tier: str = "starter",
        policy: AccountPolicy | None = None,
    ) -> None:
        if tier not in TIERS:
            raise UserError(f"level '{tier}' of a kraken account: use one of {', '.join(TIERS)}")
        self._tier = tier
        super().__init__(keys, now_ms, say, address, policy)
        count_up(self._exchange)

    def _require(self, keys: ApiKey) -> None:
        super()._require(keys)
        try:
            base64.b64decode(keys.secret, validate=True)
        except (binascii.Error, ValueError):
            raise UserError("the secret of the kraken account is no base64 text") from None

    @property
    def orders(self) -> KrakenOrders:
        """Return the account's orders, once there is a venue."""
        return self._orders

    async def try_late(self, command: SubmitOrder) -> None:
        """Have an order checked, and not placed, that comes after its deadline; raises Refused."""
        await self._orders.try_late(command)

    def _open(self) -> Any:
        import ccxt.pro

        exchange = ccxt.pro.kraken({"apiKey": self._keys.key, "secret": self._keys.secret})
        prepare(exchange, self._address)
        return exchange

    def _new_requests(self) -> PrivateRequests:
        limit_of = limiters(self._policy.rates or TIERS[self._tier])
        return PrivateRequests(self._exchange, is_refusal, limit_of, self._policy.requests)

    def _new_orders(
        self, markets: Sequence[VenueMarket], traits: VenueTraits
    ) -> tuple[KrakenOrders, KrakenReports]:
        self._markets = markets
        self._kraken_reports = KrakenReports(markets, self._known, self._now_ms, self._say)
        self._orders = KrakenOrders(
            self._requests, markets, self._known, self._kraken_reports, self._now_ms,
            self.venue_ms, traits.deadline_ms, traits.speed,
        )  # fmt: skip
        return self._orders, self._kraken_reports

    async def _read_fees(self, markets: Sequence[VenueMarket]) -> list[AccountFee]:
        parameters = {"pair": ",".join(market.venue_id for market in markets)}
        result = await self._requests.read("privatePostTradeVolume", parameters, LOOK_UP, "rest")
        taker, maker = table_of(result, "fees"), result.get("fees_maker") or {}
        return [
            fee_of(m.symbol, taker[m.venue_id].get("fee"), (maker.get(m.venue_id) or {}).get("fee"))
            for m in markets
            if m.venue_id in taker
        ]

    async def _state_words(self) -> list[str]:
        """Return the status of each instrument's pair. One unknown pair is an error for all."""
        try:
            return await self._statuses(self._markets)
        except Refused:
            words = []
            for market in self._markets:
                try:
                    words += await self._statuses([market])
                except Refused:
                    words.append("")
            return words

    async def _statuses(self, markets: Sequence[VenueMarket]) -> list[str]:
        parameters = {"pair": ",".join(market.venue_id for market in markets)}
        pairs = await self._requests.read("publicGetAssetPairs", parameters)
        return [str((pairs.get(market.venue_id) or {}).get("status") or "") for market in markets]

    async def _read_statement(self, markets: Sequence[VenueMarket], from_ms: int) -> Statement:
        reports = KrakenReports(markets, KnownOrders(), self._now_ms, self._say)
        return await kraken_statement(self._requests, markets, reports, from_ms)

    def _prepare_session(self, exchange: Any) -> None:
        """Have a session's nonces and token asked for as those of the account."""
        exchange.incrementing_nonce = self._exchange.incrementing_nonce

        async def token(_parameters: Any = None) -> Any:
            try:
                return {"result": await self._orders.token()}
            except Refused as error:
                raise SessionBroken(f"the venue refused the stream: {error}") from error
            except NoAnswer as error:
                raise SessionBroken(f"no token for the stream: {error}") from error

        exchange.privatePostGetWebSocketsToken = token

    async def _next_message(self, exchange: Any) -> None:
        await exchange.watch_orders(None, None, None, {"snap_orders": True, "snap_trades": False})

    async def _explained(self, entry: Mapping[str, Any]) -> list[Event]:
        """Find out whose execution it is: ours may come before the answer that names its order."""
        venue_id = str(entry.get("order_id") or "")
        known = self._known.get(venue_id)
        client_id = known.client_id if known else await self._orders.owner_of(venue_id)
        if known is None and client_id != venue_id:
            self._known.add(venue_id, KnownOrder(client_id, -1, 0))
        return self._kraken_reports.execution(entry, client_id)
