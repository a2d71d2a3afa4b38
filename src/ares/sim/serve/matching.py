"""One account's orders against the served market: what is accepted, held, filled and ended.

A taker takes the book as it stands; a resting order is filled by the market's trades at or through
its price, in order of price and time, at most with their quantity; a stop is triggered by a trade.
The account's own orders are not in the book, and move no price.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from ares.domain.errors import UserError
from ares.sim.serve.account import Account
from ares.sim.serve.book import Book
from ares.sim.serve.faults import ActiveFaults
from ares.sim.serve.funds import Funds, VenueRules
from ares.sim.serve.market import SymbolMarket, Trade
from ares.sim.serve.orders import (
    STOPS,
    Close,
    Execution,
    Ids,
    NewOrder,
    OrderRefusal,
    OrderRefused,
    SimOrder,
    cost_of,
)
from ares.sim.serve.quotes import Quotes
from ares.sim.serve.slices import Slices

STATES = ("limit_only", "reduce_only", "post_only", "cancel_only", "maintenance")
"""Faults that are states of a market: `only=BTC/USDT` of one, else of all."""


class Event(NamedTuple):
    """What happened to an order.

    kind : pending, new, triggered, trade, filled, canceled, expired or amended.
    """

    kind: str
    order: SimOrder
    ts_ms: int
    execution: Execution | None = None


class Transfer(NamedTuple):
    """A deposit, or a withdrawal where ``units`` are negative."""

    asset: str
    units: int
    ts_ms: int
    transfer_id: str


class Exchange:
    """The orders of one account.

    now_ms : the market's time.
    ids    : of orders and executions; others for each run.
    """

    def __init__(
        self,
        now_ms: Callable[[], int],
        balances: Mapping[str, int],
        rules: VenueRules,
        faults: ActiveFaults,
        ids: Ids,
    ) -> None:
        self.account = Account(balances)
        self.rules = rules
        self.orders: dict[str, SimOrder] = {}
        self.closed: list[SimOrder] = []
        self.executions: list[tuple[SimOrder, Execution]] = []
        self.listeners: list[Callable[[Event], None]] = []
        self.transfer_listeners: list[Callable[[Transfer], None]] = []
        self.cancel_all_s = 0.0
        self.ids = ids
        self._open: dict[str, SimOrder] = {}
        self._now_ms = now_ms
        self._faults = faults
        self._slices = Slices(faults)
        self.quotes = Quotes(now_ms)
        self._funds = Funds(self.account, rules, self._slices, self.quotes)

    def open_orders(self) -> list[SimOrder]:
        """Return the open orders, oldest first."""
        return list(self._open.values())

    def find(self, order_id: str = "", client_id: str = "") -> SimOrder:
        """Return an open order by the venue's id or the client's; raise OrderRefused."""
        if order_id in self._open:
            return self._open[order_id]
        for order in self._open.values():
            if client_id and order.requested.client_id == client_id:
                return order
        raise OrderRefused(OrderRefusal.UNKNOWN_ORDER)

    def state_of(self, symbol: SymbolMarket) -> str:
        """Return the state of a market: online, or one of ``STATES``."""
        for state in reversed(STATES):
            if self._faults.lasts(state, symbol.symbol):
                return state
        return "online"

    def check(self, requested: NewOrder) -> None:
        """Raise OrderRefused where an order would not be accepted."""
        symbol = requested.symbol
        state = self.state_of(symbol)
        if state == "maintenance":
            raise OrderRefused(OrderRefusal.MAINTENANCE)
        if state == "cancel_only":
            raise OrderRefused(OrderRefusal.CANCEL_ONLY)
        if state == "post_only" and not requested.post_only:
            raise OrderRefused(OrderRefusal.POST_ONLY)
        if state == "limit_only" and not requested.limit_ticks:
            raise OrderRefused(OrderRefusal.LIMIT_ONLY)
        if state == "reduce_only" and requested.is_buy:
            raise OrderRefused(OrderRefusal.REDUCE_ONLY)
        if requested.lots < self.rules.min_lots(symbol):
            raise OrderRefused(OrderRefusal.BELOW_MIN_QTY)
        ticks = requested.limit_ticks or requested.stop_ticks or self.quotes.last_ticks(symbol)
        if cost_of(symbol, ticks, requested.lots) < self.rules.min_cost:
            raise OrderRefused(OrderRefusal.BELOW_MIN_COST)
        if requested.client_id and self._is_taken(requested.client_id):
            raise OrderRefused(OrderRefusal.DUPLICATE_CLIENT_ID)
        limit_ticks = requested.limit_ticks
        if requested.post_only and self._would_take(requested.is_buy, symbol, limit_ticks):
            raise OrderRefused(OrderRefusal.WOULD_TAKE)
        asset, units = self._funds.needed(self._made(requested, "", 0))
        if units > self.account.free(asset):
            raise OrderRefused(OrderRefusal.NO_FUNDS)

    def _is_taken(self, client_id: str) -> bool:
        """Return whether an order with this client id is open, or where ids are used once, was."""
        orders = self.orders if self.rules.ids_once else self._open
        return any(order.requested.client_id == client_id for order in orders.values())

    def submit(self, requested: NewOrder) -> SimOrder:
        """Accept an order and fill what can be filled at once; raise OrderRefused."""
        self.check(requested)
        now_ms = self._now_ms()
        order = self._made(requested, self.ids.next("O"), now_ms)
        self.orders[order.order_id] = self._open[order.order_id] = order
        self._tell("pending", order)
        order.status = "open"
        self._funds.hold(order)
        self._tell("new", order)
        last = self.quotes.last_ticks(order.symbol)
        if not order.awaits_trigger or self._triggers(order, last):
            self._go(order, self.quotes.book(order.symbol), triggered=order.awaits_trigger)
        return order

    def cancel(self, order: SimOrder, reason: str, status: str = "canceled") -> None:
        """End an open order; raise OrderRefused where it was filled meanwhile."""
        if self._faults.struck("fill_during_cancel", "rest", order.symbol.symbol):
            self._fill_whole(order)
        if not order.is_open:
            raise OrderRefused(OrderRefusal.UNKNOWN_ORDER)
        self._end(order, status, reason)

    def cancel_all(self, reason: str) -> int:
        """End every open order; return how many."""
        orders = self.open_orders()
        for order in orders:
            self._end(order, "canceled", reason)
        return len(orders)

    def amend(
        self,
        order: SimOrder,
        *,
        lots: int | None = None,
        limit_ticks: int | None = None,
        stop_ticks: int | None = None,
        post_only: bool = False,
    ) -> None:
        """Change an open order in place; raise OrderRefused and change nothing."""
        if self.state_of(order.symbol) == "maintenance":
            raise OrderRefused(OrderRefusal.MAINTENANCE)
        new_lots = order.lots if lots is None else lots
        new_limit = order.limit_ticks if limit_ticks is None else limit_ticks
        new_stop = order.stop_ticks if stop_ticks is None else stop_ticks
        if (limit_ticks is not None and order.is_market) or (
            stop_ticks is not None and not order.awaits_trigger
        ):
            raise OrderRefused(OrderRefusal.NOT_AMENDABLE)
        if lots is not None and lots > order.filled_lots < self.rules.min_lots(order.symbol) > lots:
            raise OrderRefused(OrderRefusal.BELOW_MIN_QTY)
        if post_only and self._would_take(order.is_buy, order.symbol, new_limit):
            raise OrderRefused(OrderRefusal.WOULD_TAKE)
        before = (order.lots, order.limit_ticks, order.stop_ticks)
        order.lots, order.limit_ticks, order.stop_ticks = new_lots, new_limit, new_stop
        asset, units = self._funds.needed(order)
        held = order.held[1] if order.held[0] == asset else 0
        if units > self.account.free(asset) + held:
            order.lots, order.limit_ticks, order.stop_ticks = before
            raise OrderRefused(OrderRefusal.NO_FUNDS)
        order.amends += 1
        order.changed_ms = self._now_ms()
        if order.left_lots <= 0:
            order.lots = order.filled_lots
            self._end(order, "canceled", "User requested")
            return
        self._funds.hold(order)
        self._tell("amended", order)
        if not order.awaits_trigger:
            self._go(order, self.quotes.book(order.symbol))
        elif self._triggers(order, self.quotes.last_ticks(order.symbol)):
            self._go(order, self.quotes.book(order.symbol), triggered=True)

    def trade(self, trade: Trade) -> None:
        """Trigger and fill the open orders that a trade of the market concerns."""
        concerned = [
            order
            for order in self._open.values()
            if order.symbol.index == trade.symbol
            and order.opened_ms <= trade.ts_ms
            and self._concerns(order, trade.ticks)
        ]
        left = trade.lots
        for order in sorted(concerned, key=_priority):
            lots = min(left, self._unpromised(order))
            if order.awaits_trigger:
                book = order.symbol.book_after(trade.ticks, trade.trade_id)
                self._go(order, book, triggered=True)
            elif order.is_open and lots > 0:
                left -= lots
                self._fill(order, order.limit_ticks, lots, is_maker=True)

    def _concerns(self, order: SimOrder, ticks: int) -> bool:
        """Return whether a price triggers an order, or fills it where it rests."""
        if order.awaits_trigger:
            return self._triggers(order, ticks)
        return order.limit_ticks >= ticks if order.is_buy else order.limit_ticks <= ticks

    def transfer(self, asset: str, units: int) -> None:
        """Add to a balance from outside, or take away; raise UserError where that is too much."""
        if self.account.free(asset) + units < 0:
            raise UserError(f"{asset}: less than that is free in the account")
        self.account.add(asset, units)
        transfer = Transfer(asset, units, self._now_ms(), self.ids.next("L"))
        for listener in list(self.transfer_listeners):
            listener(transfer)

    def tick(self) -> None:
        """Do what is due: expiries, the dead man's switch, what faults do to orders."""
        now_ms = self._now_ms()
        for order in self.open_orders():
            if order.requested.tif == "GTD" and order.requested.expire_ms <= now_ms:
                self._end(order, "expired", "Order expired")
            elif self._loses_stop(order):
                self._end(order, "canceled", "Cancelled by the venue")
        if self.cancel_all_s and self._faults.now_s() >= self.cancel_all_s:
            self.cancel_all_s = 0.0
            self.cancel_all("Cancelled by cancel-all-orders-after")
        for order, ticks, lots, is_maker in self._slices.due():
            if order.is_open:
                self._book(order, ticks, min(lots, order.left_lots), is_maker=is_maker)
                if order.is_open and not self._slices.promised(order) and _takes_only(order):
                    self._end(order, "canceled", "Immediate or cancel")

    def _loses_stop(self, order: SimOrder) -> bool:
        """Return whether a fault cancels a stop that rests."""
        rests = order.awaits_trigger and order.requested.order_type in STOPS
        return rests and bool(self._faults.struck("stop_cancelled", "rest", order.symbol.symbol))

    def _made(self, requested: NewOrder, order_id: str, now_ms: int) -> SimOrder:
        return SimOrder(
            order_id,
            requested,
            now_ms,
            *(requested.lots, requested.limit_ticks, requested.stop_ticks),
            post_only=requested.post_only,
            changed_ms=now_ms,
        )

    def _go(self, order: SimOrder, book: Book, *, triggered: bool = False) -> None:
        """Take what the book has within the limit; the rest rests, or ends."""
        if triggered:
            order.is_triggered, order.triggered_ms = True, self._now_ms()
            self._tell("triggered", order)
        levels = list(self._within(order, book))
        if order.requested.tif == "FOK" and sum(lots for _, lots in levels) < order.left_lots:
            self._end(order, "canceled", "Fill or kill")
            return
        for ticks, offered in levels:
            lots = min(offered, self._unpromised(order), self._funds.affordable(order, ticks))
            if not order.is_open or lots <= 0:
                break
            self._fill(order, ticks, lots, is_maker=False)
        if order.is_open and _takes_only(order) and not self._slices.promised(order):
            self._end(order, "canceled", "Immediate or cancel")

    def _within(self, order: SimOrder, book: Book) -> Iterable[tuple[int, int]]:
        for ticks, lots in book.asks if order.is_buy else book.bids:
            if not order.is_market and (
                ticks > order.limit_ticks if order.is_buy else ticks < order.limit_ticks
            ):
                return
            yield ticks, lots

    def _would_take(self, is_buy: bool, symbol: SymbolMarket, limit_ticks: int) -> bool:
        book = self.quotes.book(symbol)
        if is_buy:
            return limit_ticks >= book.asks[0][0]
        return bool(book.bids) and limit_ticks <= book.bids[0][0]

    def _triggers(self, order: SimOrder, ticks: int) -> bool:
        """Return whether a price triggers a stop (against the position) or a take-profit."""
        falls = order.is_buy != (order.requested.order_type in STOPS)
        return ticks <= order.stop_ticks if falls else ticks >= order.stop_ticks

    def _fill(self, order: SimOrder, ticks: int, lots: int, *, is_maker: bool) -> None:
        if not self._slices.takes(order, ticks, lots, is_maker):
            self._book(order, ticks, lots, is_maker=is_maker)

    def _fill_whole(self, order: SimOrder) -> None:
        """Fill an order at its own price, whatever the market is (a fault)."""
        last = self.quotes.last_ticks(order.symbol)
        self._slices.forget(order)
        self._book(order, order.limit_ticks or last, order.left_lots, is_maker=True)

    def _book(self, order: SimOrder, ticks: int, lots: int, *, is_maker: bool) -> None:
        """Book one execution: balances, the order's sums, what follows."""
        symbol, account, now_ms = order.symbol, self.account, self._now_ms()
        cost = cost_of(symbol, ticks, lots)
        sign = 1 if order.is_buy else -1
        account.add(symbol.base, sign * lots)
        account.add(symbol.quote, -sign * cost)
        fee, fee_asset = self._funds.fee(order, lots, cost, is_maker)
        account.add(fee_asset, -fee)
        order.filled_lots += lots
        order.cost += cost
        order.fees[fee_asset] = order.fees.get(fee_asset, 0) + fee
        number = len(self.executions) + 1
        execution = Execution(
            *(self.ids.next("T"), number, now_ms, ticks, lots, cost, fee, fee_asset, is_maker)
        )
        order.executions.append(execution)
        self.executions.append((order, execution))
        if order.left_lots <= 0:
            order.status, order.closed_ms = "closed", now_ms
            self._leave(order)
        self._funds.hold(order)
        self._tell("trade", order, execution)
        if not order.is_open:
            self._tell("filled", order)
        if order.requested.close is not None:
            self._close(order, order.requested.close, lots)

    def _close(self, order: SimOrder, close: Close, lots: int) -> None:
        """Place the order that follows a fill; one that the venue would refuse is left out."""
        follows = NewOrder(
            order.symbol,
            not order.is_buy,
            close.order_type,
            lots,
            *(close.limit_ticks, close.stop_ticks),
            userref=order.requested.userref,
            parent=order.order_id,
        )
        try:
            self.submit(follows)
        except OrderRefused:
            return

    def _unpromised(self, order: SimOrder) -> int:
        return order.left_lots - self._slices.promised(order)

    def _end(self, order: SimOrder, status: str, reason: str) -> None:
        order.status, order.reason, order.closed_ms = status, reason, self._now_ms()
        self._leave(order)
        self._slices.forget(order)
        self._funds.hold(order)
        self._tell(status, order)

    def _leave(self, order: SimOrder) -> None:
        self._open.pop(order.order_id, None)
        self.closed.append(order)

    def _tell(self, kind: str, order: SimOrder, execution: Execution | None = None) -> None:
        event = Event(kind, order, self._now_ms(), execution)
        for listener in list(self.listeners):
            listener(event)


def _priority(order: SimOrder) -> tuple[int, int, str]:
    """Return the order of execution: the best price first, then the oldest."""
    price = -order.limit_ticks if order.is_buy else order.limit_ticks
    return price, order.opened_ms, order.order_id


def _takes_only(order: SimOrder) -> bool:
    """Return whether an order never rests."""
    return order.is_market or order.requested.tif in ("IOC", "FOK")
