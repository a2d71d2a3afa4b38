"""Orders, look-ups and balances of a Binance account, over ccxt's private requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ares.domain.events import Event
from ares.domain.instrument import MONEY_DECIMALS
from ares.domain.order_events import (
    AccountSeen,
    AmendOrder,
    CancelOrder,
    OrderAbsent,
    SubmitOrder,
)
from ares.venues.amounts import decimal_of, text_of, whole_below
from ares.venues.answers import NoAnswer, Refused
from ares.venues.binance_pages import PAGE, FeePrices, SignedReads
from ares.venues.binance_reports import BinanceReports, ReportedTrade, exec_id
from ares.venues.binance_words import is_unknown_order
from ares.venues.deadline import left_ms
from ares.venues.known_orders import KnownOrder, KnownOrders
from ares.venues.markets import VenueMarket
from ares.venues.requests import NORMAL, REPORT, URGENT, PrivateRequests

WINDOW_MS_MIN, WINDOW_MS_MAX, WINDOW_MS = 250, 60_000, 5_000
"""``recvWindow``: an order's is what is left to its deadline; of other requests the last."""

BACK_MS, LATE_MS = 900_000, 20_000
SPEED_MAX = 90

RATES = {"weight": (3_000.0, 60.0), "orders": (50.0, 10.0)}
"""Half of what the venue allows in a minute and in 10 s: it counts from full minutes on, and what
was saved up may come on top (developers.binance.com, "Limits", read 2026-11-28).
"""


class BinanceOrders:
    """One account.

    markets  : of the run's instruments, in order.
    venue_ms : the venue's clock, as far as it is known here.
    wall_ms  : the wall clock, by which the deadlines of a rehearsal run; speed: of a rehearsal.
    """

    def __init__(
        self,
        requests: PrivateRequests,
        markets: Sequence[VenueMarket],
        known: KnownOrders,
        reports: BinanceReports,
        now_ms: Callable[[], int],
        venue_ms: Callable[[], int],
        speed: int = 1,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._requests, self._markets, self._known = requests, markets, known
        self._reports, self._now_ms, self._venue_now_ms = reports, now_ms, venue_ms
        self._speed, self._wall_ms = speed, wall_ms
        self.reads = SignedReads(requests, self.signed)
        self._prices = FeePrices(requests)

    def signed(self, parameters: Mapping[str, str], window_ms: int = WINDOW_MS) -> dict[str, str]:
        """Return parameters with the time at which they leave, and until when they count.

        A rehearsal that is faster than the wall clock has its deadlines by that.
        """
        made_ms = self._wall_ms() if self._speed > 1 else self._venue_now_ms()
        return {**parameters, "timestamp": str(made_ms), "recvWindow": str(window_ms)}

    # --- what changes something ----------------------------------------------------------------

    async def submit(self, command: SubmitOrder) -> str:
        """Send an order; return the venue's id. Raises Refused, NotSent or NoAnswer."""
        market = self._market(command.instrument)
        rank = NORMAL if command.kind == "entry" else URGENT
        result = await self._requests.ask(
            "privatePostOrder", lambda: self._request(command, market), rank, "orders"
        )
        venue_id = result.get("orderId")
        if not isinstance(venue_id, int):
            raise NoAnswer(f"the answer names no order: {str(result)[:60]}")
        i, sign = command.instrument % len(self._markets), 1 if command.lots > 0 else -1
        self._known.add(str(venue_id), KnownOrder(command.client_id, i, sign))
        return str(venue_id)

    async def cancel(self, command: CancelOrder) -> None:
        """Cancel an order; its end is reported by the stream."""
        market = self._market(command.instrument)
        named = {"symbol": market.venue_id, "origClientOrderId": command.client_id}
        await self._requests.ask("privateDeleteOrder", lambda: self.signed(named), URGENT, "weight")

    async def amend(self, command: AmendOrder) -> None:
        """Refuse: Binance only reduces quantities, so a stop is replaced by another."""
        raise Refused(f"order {command.client_id}: a resting order is not changed at binance")

    async def try_late(self, command: SubmitOrder) -> None:
        """Have an order checked that comes after its deadline; it is never placed."""
        request = order_request(command, self._market(command.instrument))

        def late() -> dict[str, str]:
            signed = self.signed(request, LATE_MS // 2)
            return {**signed, "timestamp": str(int(signed["timestamp"]) - LATE_MS)}

        await self._requests.ask("privatePostOrderTest", late, NORMAL, "weight")

    def _request(self, command: SubmitOrder, market: VenueMarket) -> dict[str, str]:
        """Return the order as it leaves now; raise NotSent where its deadline is too near."""
        window_ms = WINDOW_MS
        if command.send_by_ms:
            venue_ms = self._venue_now_ms()
            left = left_ms(command.send_by_ms, venue_ms, self._speed, WINDOW_MS_MIN)
            window_ms = min(left, WINDOW_MS_MAX)
        return self.signed(order_request(command, market), window_ms)

    # --- what only reads -----------------------------------------------------------------------

    async def look_up(self, client_id: str, instrument: int) -> list[Event]:
        """Return the executions of an order and where it stands; or that it was not found.

        Raises Refused or NoAnswer where nothing was learnt.
        """
        venue_ms = await self._venue_ms()
        market = self._market(instrument)
        order = await self._find(market, {"origClientOrderId": client_id})
        if order is not None:
            return await self._described(order)
        from_ms = venue_ms - BACK_MS * min(self._speed, SPEED_MAX)
        listed = await self.reads.rows("privateGetOpenOrders", {"symbol": market.venue_id}, 6.0)
        since = (market.venue_id, from_ms, venue_ms)
        orders, orders_whole = await self.reads.since("privateGetAllOrders", *since)
        trades, trades_whole = await self.reads.since("privateGetMyTrades", *since)
        orders |= {str(order.get("orderId")): order for order in listed}
        for venue_id in {str(t.get("orderId")) for t in trades.values()} - orders.keys():
            if self._known.get(venue_id) is None:
                strange = await self._find(market, {"orderId": venue_id})
                if strange is not None:
                    orders[venue_id] = strange
        for order in orders.values():
            if order.get("clientOrderId") == client_id:
                return await self._described(order)
        is_whole = orders_whole and trades_whole and self._agree(market, orders, trades, from_ms)
        return [OrderAbsent(client_id, self._now_ms(), is_whole, venue_ms if is_whole else 0)]

    def _agree(
        self,
        market: VenueMarket,
        orders: Mapping[str, Mapping[str, Any]],
        trades: Mapping[str, Mapping[str, Any]],
        from_ms: int,
    ) -> bool:
        """Return whether lists can be whole and up to date: what orders have executed is in the
        trades, and so is what the stream has reported.
        """
        executed: dict[str, Decimal] = {}
        for row in trades.values():
            venue_id = str(row.get("orderId"))
            executed[venue_id] = executed.get(venue_id, Decimal(0)) + decimal_of(row.get("qty"))
        for venue_id, order in orders.items():
            is_new = int(order.get("time") or 0) >= from_ms
            if is_new and decimal_of(order.get("executedQty")) != executed.get(venue_id, 0):
                return False
        if any(id_ not in orders and self._known.get(id_) is None for id_ in executed):
            return False
        prefix = exec_id(market, "")
        reported = {id_ for id_, at_ms in self._reports.recent if at_ms >= from_ms}
        listed = {exec_id(market, number) for number in trades}
        return not {id_ for id_ in reported if id_.startswith(prefix)} - listed

    async def _find(self, market: VenueMarket, named: Mapping[str, str]) -> dict[str, Any] | None:
        """Return an order by one of its ids; None: the venue says that there is none."""
        try:
            return await self.reads.answer(
                "privateGetOrder", {"symbol": market.venue_id, **named}, 4.0
            )
        except Refused as error:
            if is_unknown_order(str(error)):
                return None
            raise

    async def _described(self, order: Mapping[str, Any]) -> list[Event]:
        """Return the executions of an order, then where it stands."""
        symbol, client_id = str(order.get("symbol")), str(order.get("clientOrderId"))
        events: list[Event] = []
        if decimal_of(order.get("executedQty")):
            named = {"symbol": symbol, "orderId": str(order.get("orderId"))}
            rows = await self.reads.rows("privateGetMyTrades", {**named, "limit": str(PAGE)}, 5.0)
            events += [await self.booked(self._reports.trade(row, client_id)) for row in rows]
        return events + self._reports.standing(order)

    async def booked(self, trade: ReportedTrade) -> Event:
        """Return the event of an execution, its fee translated; raises NoAnswer."""
        price = None
        if self._reports.fee_needs_price(trade):
            quote = self._markets[trade.i].quote
            price = await self._prices.at(trade.fee_asset, quote, trade.at_ms)
        return self._reports.filled(trade, price)

    async def account(self) -> AccountSeen:
        """Return balances and open orders. Raises Refused or NoAnswer."""
        as_of_ms = self._now_ms()
        lots, rests = await self.balances()
        orders = await self.reads.rows("privateGetOpenOrders", {}, 80.0, REPORT)
        ids = tuple(str(order.get("clientOrderId") or order.get("orderId")) for order in orders)
        return AccountSeen(self._now_ms(), as_of_ms, True, lots, ids, rests)

    async def balances(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return what is held of each base currency, in lots, and beyond them in units of 1e-8."""
        answer = await self.reads.answer("privateGetAccount", {}, 20.0, REPORT)
        rows = answer.get("balances")
        if not isinstance(rows, list):
            raise NoAnswer(f"the answer has no balances: {str(answer)[:60]}")
        held = {
            str(row.get("asset")): decimal_of(row.get("free")) + decimal_of(row.get("locked"))
            for row in rows
        }
        lots, rests = [], []
        for market in self._markets:
            amount = held.get(market.base, Decimal(0))
            whole = whole_below(amount, market.qty_decimals)
            rest = amount - Decimal(whole).scaleb(-market.qty_decimals)
            lots.append(whole)
            rests.append(whole_below(rest, MONEY_DECIMALS))
        return tuple(lots), tuple(rests)

    async def _venue_ms(self) -> int:
        answer = await self._requests.read("publicGetTime", {}, limit="weight")
        venue_ms = answer.get("serverTime")
        if not isinstance(venue_ms, int):
            raise NoAnswer(f"the answer has no time: {str(answer)[:60]}")
        return venue_ms

    def _market(self, lane: int) -> VenueMarket:
        return self._markets[lane % len(self._markets)]


def order_request(command: SubmitOrder, market: VenueMarket) -> dict[str, str]:
    """Return the order as Binance takes it: an entry is a limit order that is filled at once or
    ended, and so is a sale with a lowest price; without one it is a market order. A stop rests and
    sells at the market.
    """
    request = {
        "symbol": market.venue_id,
        "side": "BUY" if command.lots > 0 else "SELL",
        "quantity": text_of(abs(command.lots), market.qty_decimals),
        "newClientOrderId": command.client_id,
        "newOrderRespType": "ACK",
    }
    price = text_of(command.price_ticks, market.price_decimals)
    if command.kind == "stop":
        return {**request, "type": "STOP_LOSS", "stopPrice": price}
    if command.price_ticks:
        return {**request, "type": "LIMIT", "timeInForce": "IOC", "price": price}
    return {**request, "type": "MARKET"}
