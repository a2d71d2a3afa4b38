"""Orders, look-ups and balances of an Alpaca account, over ccxt's private requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

from ares.domain.events import Event
from ares.domain.feed_events import InstrumentState
from ares.domain.order_events import (
    AccountSeen,
    AmendOrder,
    CancelOrder,
    OrderAbsent,
    OrderEnded,
    SubmitOrder,
)
from ares.domain.utc import utc_iso
from ares.domain.venue import VenueTraits
from ares.venues.alpaca_claims import claim, is_claim
from ares.venues.alpaca_reports import ENDS, AlpacaReports, time_ms
from ares.venues.alpaca_words import ID_TAKEN, ROWS, is_not_found
from ares.venues.amounts import decimal_of, money_units, text_of, whole_below
from ares.venues.answers import NoAnswer, Refused
from ares.venues.markets import VenueMarket
from ares.venues.requests import LOOK_UP, NORMAL, REPORT, URGENT, PrivateRequests

ORDERS_MAX, ACTIVITIES_MAX = 500, 100
PAGES_MAX = 60
EARLIER_MS = 1_000
CASH = "USD"

POST = "traderPrivatePostV2Orders"
CANCEL = "traderPrivateDeleteV2OrdersOrderId"
ORDERS = "traderPrivateGetV2Orders"
ORDER = "traderPrivateGetV2OrdersOrderId"
BY_CLIENT_ID = "traderPrivateGetV2OrdersByClientOrderId"
ACTIVITIES = "traderPrivateGetV2AccountActivitiesActivityType"
POSITIONS = "traderPrivateGetV2Positions"
ACCOUNT = "traderPrivateGetV2Account"
ASSETS = "traderPrivateGetV2Assets"
REST = "rest"

STATES: dict[str, InstrumentState] = {
    "tradable": "trading",
    "not tradable": "halted",
    "inactive": "halted",
}
"""What the venue says of an asset -> state."""

RATES = {REST: (20.0, 6.7)}
"""At most so many at once, and seconds in which so many are given back: below 200 in any minute
(docs.alpaca.markets, "Usage limit", read 2026-11-28).
"""


class AlpacaOrders:
    """One account.

    markets : of the run's instruments, in order.
    """

    def __init__(
        self,
        requests: PrivateRequests,
        markets: Sequence[VenueMarket],
        reports: AlpacaReports,
        traits: VenueTraits,
        now_ms: Callable[[], int],
    ) -> None:
        self._requests, self._markets, self._reports = requests, markets, reports
        self._traits, self._now_ms = traits, now_ms

    # --- what changes something ----------------------------------------------------------------

    async def submit(self, command: SubmitOrder) -> str:
        """Send an order; return the venue's id. Raises Refused, NotSent or NoAnswer."""
        market = self._markets[command.instrument % len(self._markets)]
        rank = NORMAL if command.kind == "entry" else URGENT
        limit_ticks = command.limit_ticks or self._traits.limit_ticks(command.price_ticks)
        return await self._post(order_request(command, market, limit_ticks), rank)

    async def cancel(self, command: CancelOrder) -> None:
        """Cancel an order; its end is reported by the stream."""
        venue_id = self._reports.venue_ids.get(command.client_id)
        if venue_id is None:
            order = await self._find(command.client_id, URGENT)
            if order is None:
                raise Refused(f"order {command.client_id} was not found")
            venue_id = str(order["id"])
        await self._cancel(venue_id)

    async def amend(self, command: AmendOrder) -> None:
        """Refuse: Alpaca replaces an order by another, under ids that its stop would lose."""
        raise Refused(f"alpaca cannot change order {command.client_id} in place")

    async def _post(self, request: Mapping[str, str], rank: int) -> str:
        order = await self._requests.ask(POST, request, rank, REST)
        if order.get("client_order_id") != request["client_order_id"] or not order.get("id"):
            raise NoAnswer(f"the answer names no order: {str(order)[:60]}")
        self._reports.learn(order)
        return str(order["id"])

    async def _cancel(self, venue_id: str) -> None:
        await self._requests.ask(CANCEL, {"order_id": venue_id}, URGENT, REST)

    # --- what only reads -----------------------------------------------------------------------

    async def look_up(self, client_id: str, instrument: int) -> list[Event]:
        """Return the executions of an order and where it stands; or that it was not found.

        Raises Refused or NoAnswer where nothing was learnt.
        """
        order = await self._find(client_id, LOOK_UP)
        if order is None:
            return [await self._absent(client_id, instrument)]
        if is_claim(order, self._markets):
            return [await self._released(client_id, order)]
        events: list[Event] = []
        if decimal_of(order.get("filled_qty") or "0"):
            events += await self._executions(order)
        if order.get("status") not in ENDS:
            events += self._reports.triggered(order)
        return [*events, self._reports.standing(order)]

    async def _find(self, client_id: str, rank: int) -> dict[str, Any] | None:
        """Return the order with this id; None: the venue says that there is none."""
        try:
            order = await self._requests.read(
                BY_CLIENT_ID, {"client_order_id": client_id}, rank, REST
            )
        except Refused as error:
            if is_not_found(str(error)):
                return None
            raise
        if order.get("client_order_id") != client_id:
            raise NoAnswer(f"the answer is of another order: {str(order)[:60]}")
        self._reports.learn(order)
        return order

    async def _executions(self, order: Mapping[str, Any]) -> list[Event]:
        """Return the executions of an order that the venue lists by now."""
        wanted, found = decimal_of(order["filled_qty"]), Decimal(0)
        from_ms = time_ms(order.get("submitted_at")) - EARLIER_MS
        parameters = {
            "activity_type": "FILL",
            "after": utc_iso(max(0, from_ms)),
            "direction": "asc",
            "page_size": str(ACTIVITIES_MAX),
        }
        events: list[Event] = []
        for _ in range(PAGES_MAX):
            rows = rows_of(await self._requests.read(ACTIVITIES, parameters, LOOK_UP, REST))
            for row in rows:
                if row.get("order_id") == order["id"]:
                    events += self._reports.execution(row, order)
                    found += decimal_of(row.get("qty"))
            if found >= wanted or not rows:
                break
            parameters["page_token"] = str(rows[-1].get("id"))
        return events

    # --- whether an order exists ---------------------------------------------------------------

    async def _absent(self, client_id: str, instrument: int) -> Event:
        """Return what is known of an order that was not found.

        It may still be on its way, and the venue knows no deadline. But it takes no id twice: an
        order that cannot be filled is sent under the same id. Where that is accepted, the other has
        not arrived and never will.
        """
        if not self._traits.claims_ids:
            return OrderAbsent(client_id, self._now_ms(), complete=True)
        first = instrument % len(self._markets)
        for market in (*self._markets[first:], *self._markets[:first]):
            try:
                venue_id = await self._post(claim(client_id, market), LOOK_UP)
            except Refused:
                continue  # this pair is not traded now, or there is too little money for it
            except NoAnswer as error:
                if ID_TAKEN not in str(error):
                    raise
                break  # it has arrived meanwhile: the next look-up finds it
            return await self._released(client_id, {"id": venue_id, "status": "new"})
        return OrderAbsent(client_id, self._now_ms(), complete=False)

    async def _released(self, client_id: str, order: Mapping[str, Any]) -> Event:
        """Cancel what holds an id, and return that the order itself is absent once that is done."""
        if order["status"] not in ("canceled", "expired"):
            with suppress(Refused):  # it has ended, or is being cancelled
                await self._cancel(str(order["id"]))
            order = await self._requests.read(ORDER, {"order_id": str(order["id"])}, LOOK_UP, REST)
        filled = decimal_of(order.get("filled_qty") or "0")
        if order.get("status") not in ("canceled", "expired", "rejected") or filled:
            return OrderAbsent(client_id, self._now_ms(), complete=False)
        detail = "another order took its id: it never arrived"
        return OrderEnded(client_id, self._now_ms(), "absent", 0, detail)

    # --- the account ---------------------------------------------------------------------------

    async def account(self) -> AccountSeen:
        """Return balances and open orders. Raises Refused or NoAnswer."""
        as_of_ms = self._now_ms()
        held = positions_of(await self._requests.read(POSITIONS, {}, REPORT, REST))
        found = await self._requests.read(
            ORDERS, {"status": "open", "limit": str(ORDERS_MAX)}, REPORT, REST
        )
        orders = rows_of(found)
        amounts = [held.get(market.base, Decimal(0)) for market in self._markets]
        lots, rests = lots_and_rests(amounts, self._markets)
        for order in orders:
            self._reports.learn(order)
        ids = tuple(str(order.get("client_order_id") or order.get("id")) for order in orders)
        is_whole = len(orders) < ORDERS_MAX
        return AccountSeen(self._now_ms(), as_of_ms, is_whole, lots, ids, rests)

    async def states(self) -> list[str]:
        """Return the venue's word on each instrument, see ``STATES``; empty: it lists it no more.

        Raises Refused or NoAnswer.
        """
        found = await self._requests.read(ASSETS, {"asset_class": "crypto"}, REPORT, REST)
        words = {str(row.get("symbol")): _word(row) for row in rows_of(found)}
        return [words.get(market.venue_id, "") for market in self._markets]

    async def cash(self) -> dict[str, Decimal]:
        """Return what the account holds of every asset."""
        held = positions_of(await self._requests.read(POSITIONS, {}, REPORT, REST))
        account = await self._requests.read(ACCOUNT, {}, REPORT, REST)
        return {**held, CASH: decimal_of(account.get("cash"))}


def _word(asset: Mapping[str, Any]) -> str:
    status = str(asset.get("status"))
    if status == "active":
        return "tradable" if asset.get("tradable") is True else "not tradable"
    return status


def order_request(command: SubmitOrder, market: VenueMarket, limit_ticks: int) -> dict[str, str]:
    """Return the order as Alpaca takes it: an entry is a limit order that is filled at once or
    cancelled, and so is a sale with a lowest price; without one it is a market order. A stop is a
    stop-limit.
    """
    price = text_of(command.price_ticks, market.price_decimals)
    request = {
        "symbol": market.venue_id,
        "side": "buy" if command.lots > 0 else "sell",
        "qty": text_of(abs(command.lots), market.qty_decimals),
        "client_order_id": command.client_id,
        "time_in_force": "gtc",
    }
    if command.kind == "stop":
        limit = text_of(limit_ticks or command.price_ticks, market.price_decimals)
        return {**request, "type": "stop_limit", "stop_price": price, "limit_price": limit}
    if command.price_ticks:
        return {**request, "type": "limit", "limit_price": price, "time_in_force": "ioc"}
    return {**request, "type": "market"}


def lots_and_rests(
    amounts: Sequence[Decimal], markets: Sequence[VenueMarket]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return whole lots of amounts, and what is held beyond them in units of 1e-8."""
    lots = [whole_below(a, m.qty_decimals) for a, m in zip(amounts, markets, strict=True)]
    rests = [
        money_units(amount - Decimal(n).scaleb(-market.qty_decimals))
        for amount, n, market in zip(amounts, lots, markets, strict=True)
    ]
    return tuple(lots), tuple(rests)


def rows_of(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of an answer; raise NoAnswer where it is no list of them."""
    rows = answer.get(ROWS)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise NoAnswer(f"the answer is no list: {str(answer)[:60]}")
    return rows


def positions_of(answer: Mapping[str, Any]) -> dict[str, Decimal]:
    """Return what is held of each coin: BTC for the position BTCUSD. A share is none."""
    rows = rows_of(answer)
    held: dict[str, Decimal] = {}
    for row in rows:
        if row.get("asset_class", "crypto") != "crypto":
            continue
        name = str(row.get("symbol") or "").partition("/")[0].removesuffix(CASH)
        held[name] = held.get(name, Decimal(0)) + decimal_of(row.get("qty"))
    return held
