"""The account of a venue server as a world sees it: the truth, which no fault changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.sim.world_setup import N

from ares.domain.order_events import EndReason, OrderFilled, SubmitOrder
from ares.sim.held_order import HeldOrder
from ares.sim.minimums import Minimums
from ares.sim.serve.account import rounded
from ares.sim.serve.market import SymbolMarket
from ares.sim.serve.matching import Event, Exchange
from ares.sim.serve.orders import SimOrder

ENDS: dict[str, EndReason] = {
    "closed": "filled", "canceled": "cancelled", "expired": "expired",
}  # fmt: skip


class ServedStates:
    """States of the instruments at the server; the adapter reports them."""

    def __init__(self, exchange: Exchange, symbols: Sequence[SymbolMarket]) -> None:
        self._exchange, self._symbols = exchange, symbols

    def sells(self, i: int) -> bool:
        """Return whether the venue takes stops and exits of an instrument."""
        return self._exchange.state_of(self._symbols[i]) == "online"

    def report(self) -> None:
        """Nothing: a session begins with the states."""


class ServedAccount:
    """Orders, executions and balances; fields as of ``AttackingVenue``.

    symbols : the instruments, in order.
    """

    def __init__(self, exchange: Exchange, symbols: Sequence[SymbolMarket]) -> None:
        self.exchange = exchange
        self._symbols = symbols
        self.states = ServedStates(exchange, symbols)
        self.minimums = Minimums()  # the server's own are in ``ProtocolPromises``
        self.n_instruments = N
        self.order_lots_max = [0] * N
        self.orders: dict[str, HeldOrder] = {}
        self.orders_of_others: dict[str, HeldOrder] = {}
        self.received: Counter[str] = Counter()
        self.cash_of: dict[str, int] = {}
        self.executions = self.too_large = 0
        self._sent: dict[str, SubmitOrder] = {}
        self._open: dict[str, HeldOrder] = {}
        exchange.listeners.append(self._happened)

    @property
    def lots(self) -> list[int]:
        """Return what the account holds of each instrument."""
        return [self.exchange.account.balance(symbol.base) for symbol in self._symbols]

    def note(self, command: SubmitOrder) -> None:
        """Remember what an order is for: the venue does not know it."""
        self._sent[command.client_id] = command

    def open_orders(self) -> list[HeldOrder]:
        """Return the orders that have not ended, oldest first."""
        return list(self._open.values())

    def is_jumped(self, order: HeldOrder) -> bool:
        """Return whether an order is a stop-limit that the market has jumped over."""
        if not (order.triggered and order.limit_ticks):
            return False
        symbol = self._symbols[order.instrument % N]
        return self.exchange.quotes.last_ticks(symbol) < order.limit_ticks

    def _happened(self, event: Event) -> None:
        order, client_id = event.order, _client_id(event.order)
        if event.kind == "pending":
            self._accept(order, client_id)
            return
        held = self.orders[client_id]
        sign = 1 if order.is_buy else -1
        held.triggered = order.is_triggered
        held.lots, held.price_ticks = sign * order.lots, order.stop_ticks or order.limit_ticks
        if event.execution is not None:
            done = event.execution
            self.executions += 1
            cost = rounded(done.ticks * done.lots, 10**order.symbol.price_decimals)
            cash = -sign * cost - (done.fee if done.fee_asset == order.symbol.quote else 0)
            self.cash_of[f"{client_id}/{done.exec_id}"] = cash
            held.filled_lots = sign * order.filled_lots
            held.executions.append(
                OrderFilled(
                    client_id, done.ts_ms, sign * done.lots, done.ticks, done.fee, done.exec_id,
                    order.symbol.index, done.ts_ms,
                )
            )  # fmt: skip
        if not order.is_open:
            held.ended = ENDS[order.status]
            self._open.pop(order.order_id, None)

    def _accept(self, order: SimOrder, client_id: str) -> None:
        sent = self._sent.get(client_id)
        lots = order.lots if order.is_buy else -order.lots
        lane = order.symbol.index if sent is None else sent.instrument
        kind = ("entry" if order.is_buy else "exit") if sent is None else sent.kind
        held = HeldOrder(client_id, lane, kind, lots, order.stop_ticks or order.limit_ticks)
        held.limit_ticks = order.limit_ticks if order.awaits_trigger else 0
        self.orders[client_id] = self._open[order.order_id] = held
        if sent is None:
            self.orders_of_others[client_id] = held
        else:
            self.received[client_id] += 1


def _client_id(order: SimOrder) -> str:
    return order.requested.client_id or order.order_id
