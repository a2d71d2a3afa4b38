"""An order as the attacking venue holds it."""

from __future__ import annotations

from ares.domain.order_events import OrderFilled
from ares.sim.held_order import HeldOrder


def test_what_is_left_is_signed_and_each_order_has_executions_of_its_own() -> None:
    first, second = HeldOrder("a", 0, "stop", -10, 9_900), HeldOrder("b", 0, "entry", 10, 0)
    first.filled_lots = -4
    first.executions.append(OrderFilled("a", 1, -4, 9_900, 0, "x1"))
    assert (first.remaining_lots, second.remaining_lots) == (-6, 10)
    assert second.executions == []
