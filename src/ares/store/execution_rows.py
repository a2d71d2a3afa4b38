"""Rows of ``execution_logs``: one for each order that ended, with what it earned."""

from __future__ import annotations

import msgspec

from ares.domain.events import TradeClosed
from ares.domain.instrument import MONEY_DECIMALS, InstrumentSpec
from ares.domain.order_events import ExecutionBooked, OrderMoved, SubmitOrder
from ares.domain.utc import utc_sql
from ares.store import projection_sql as sql
from ares.store.confidence_rows import Row

DOLLARS = frozenset({"USD", "USDT", "USDC", "FDUSD", "PYUSD", "DAI"})
"""Quote currencies in which a profit is one in dollars."""

UNITS = 10.0**MONEY_DECIMALS


class FollowedOrder(msgspec.Struct):
    """An order that has not ended: whether it executed, and the profit of the trade it closed."""

    kind: str
    executed: bool = False
    profit_units: int | None = None


class ExecutionState(msgspec.Struct):
    """What rows of later entries refer to.

    orders : by client id. executed: client id of the newest execution, by lane.
    """

    orders: dict[str, FollowedOrder] = msgspec.field(default_factory=dict)
    executed: dict[int, str] = msgspec.field(default_factory=dict)


class ExecutionRows:
    """Follows orders to their end.

    An order is successful if it executed at all. A stop that was withdrawn has no row.
    """

    def __init__(self, environment: str, specs: list[InstrumentSpec]) -> None:
        self._environment, self._specs = environment, specs
        self.state = ExecutionState()

    def on_submit(self, command: SubmitOrder) -> None:
        """Take an order that is sent."""
        self.state.orders[command.client_id] = FollowedOrder(command.kind)

    def on_fill(self, fill: ExecutionBooked) -> list[tuple[str, Row]]:
        """Take an execution; return the change of its order's row, if that has ended already."""
        self.state.executed[fill.instrument] = fill.client_id
        order = self.state.orders.get(fill.client_id)
        if order is None:
            return [self._late(fill.client_id, fill.instrument, None)]
        order.executed = True
        return []

    def on_trade(self, trade: TradeClosed) -> list[tuple[str, Row]]:
        """Take a trade of money that closed: the newest execution of its lane closed it."""
        client_id = self.state.executed.get(trade.instrument, "")
        order = self.state.orders.get(client_id)
        if order is None:
            return [self._late(client_id, trade.instrument, trade.pnl_units)]
        order.profit_units = trade.pnl_units
        return []

    def on_end(self, seq: int, end: OrderMoved) -> list[tuple[str, Row]]:
        """Take the end of an order; return its row."""
        order = self.state.orders.pop(end.client_id, None)
        if order is None or (order.kind == "stop" and not order.executed):
            return []
        symbol = self._specs[end.instrument].instrument.symbol
        in_usd, in_quote = self._profit(end.instrument, order.profit_units)
        row = (
            self._environment, seq, symbol, utc_sql(end.ts_ms), order.executed, in_usd,
            end.client_id, order.kind, end.status, in_quote,
        )  # fmt: skip
        return [(sql.EXECUTION, row)]

    def _late(self, client_id: str, lane: int, profit_units: int | None) -> tuple[str, Row]:
        in_usd, in_quote = self._profit(lane, profit_units)
        return sql.EXECUTED_LATE, (True, in_usd, in_quote, self._environment, client_id)

    def _profit(self, lane: int, units: int | None) -> tuple[float | None, float | None]:
        """Return a profit in dollars, where it is in such a currency, and in quote currency."""
        if units is None:
            return None, None
        quote = self._specs[lane].instrument.quote
        return (units / UNITS if quote in DOLLARS else None), units / UNITS
