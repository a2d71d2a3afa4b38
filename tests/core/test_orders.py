"""The life of an order: every way that can be walked ends rightly, every other way raises."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ares.core.orders import FINAL, IllegalTransition, Order, OrderStatus, apply, submitted
from ares.domain.events import (
    CancelOrder,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    SubmitOrder,
)


def order(lots: int = 10, kind: str = "entry") -> Order:
    return submitted(SubmitOrder("a", 0, kind, lots, 100, "signal", 0.5, 1.0, 1.0))


def filled(lots: int, remaining: int) -> OrderFilled:
    return OrderFilled("a", 1, lots, 100, 0, remaining)


ACCEPTED, CANCEL, CANCELLED = OrderAccepted("a", 1), CancelOrder("a", 0), OrderCancelled("a", 1)
REJECTED = OrderRejected("a", 1, 100, "no")
EVERY = (ACCEPTED, CANCEL, CANCELLED, REJECTED, filled(1, 0))


class Life(RuleBasedStateMachine):
    """A venue that does anything it may, and an engine that follows."""

    @initialize(lots=st.integers(1, 10**12), side=st.sampled_from([1, -1]))
    def begin(self, lots: int, side: int) -> None:
        self.order = order(lots * side)
        self.side, self.left = side, lots
        self.accepted = self.cancelling = False
        self.ended: OrderStatus | None = None

    @rule()
    def accept(self) -> None:
        apply(self.order, ACCEPTED)  # late or twice: nothing changes
        self.accepted = True

    @precondition(lambda self: self.ended is None)
    @rule()
    def cancel(self) -> None:
        apply(self.order, CANCEL)
        self.cancelling = True

    @precondition(lambda self: self.ended is None)
    @rule(share=st.floats(0.0, 1.0), ends=st.booleans())
    def fill(self, share: float, ends: bool) -> None:
        lots = max(1, min(self.left, round(share * self.left)))
        self.left -= lots
        rest = 0 if ends else self.left
        apply(self.order, filled(self.side * lots, self.side * rest))
        if self.left == 0:
            self.ended = OrderStatus.FILLED
        elif ends:
            self.ended = OrderStatus.EXPIRED

    @precondition(lambda self: self.ended is None and self.order.filled_lots == 0)
    @rule()
    def reject(self) -> None:
        apply(self.order, REJECTED)
        self.ended = OrderStatus.REJECTED

    @precondition(lambda self: self.ended is None)
    @rule()
    def cancelled(self) -> None:
        apply(self.order, CANCELLED)
        self.ended = OrderStatus.CANCELLED

    @precondition(lambda self: self.ended is not None)
    @rule(event=st.sampled_from(EVERY[1:]))
    def nothing_follows_an_end(self, event: OrderFilled) -> None:
        self.impossible(event)

    @precondition(lambda self: self.ended is None)
    @rule(beyond=st.integers(1, 5))
    def beyond_its_lots(self, beyond: int) -> None:
        self.impossible(filled(self.side * (self.left + beyond), 0))
        self.impossible(filled(-self.side, 0))
        self.impossible(filled(0, self.side * self.left))
        self.impossible(filled(self.side * self.left, self.side * beyond))

    def impossible(self, event: OrderFilled) -> None:
        before = msgspec.structs.astuple(self.order)
        with pytest.raises(IllegalTransition):
            apply(self.order, event)
        assert msgspec.structs.astuple(self.order) == before  # a refused move leaves no trace

    @invariant()
    def agrees(self) -> None:
        one = self.order
        assert one.remaining_lots == self.side * self.left
        assert one.open == (self.ended is None) == (one.status not in FINAL)
        if self.ended is not None:
            assert one.status is self.ended
        elif self.cancelling:
            assert one.status is OrderStatus.CANCELLING
        elif one.filled_lots:
            assert one.status is OrderStatus.PARTLY_FILLED
        else:
            expected = OrderStatus.ACCEPTED if self.accepted else OrderStatus.SUBMITTED
            assert one.status is expected


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=15, deadline=None)
TestLife = Life.TestCase


def test_a_fill_may_outrun_its_acceptance() -> None:
    one = order()
    apply(one, filled(4, 6))
    apply(one, ACCEPTED)
    assert one.status is OrderStatus.PARTLY_FILLED
    apply(one, filled(6, 0))
    apply(one, ACCEPTED)
    assert not one.open


def test_a_fill_may_arrive_after_a_cancel_was_sent() -> None:
    one = order(-10, "stop")
    apply(one, CANCEL)
    apply(one, filled(-4, -6))
    assert one.status is OrderStatus.CANCELLING  # the cancel is still on its way
    apply(one, CANCELLED)
    assert (one.status, one.filled_lots) == (OrderStatus.CANCELLED, -4)


def test_a_partly_filled_order_is_not_rejected() -> None:
    one = order()
    apply(one, filled(4, 6))
    with pytest.raises(IllegalTransition, match="partly filled"):
        apply(one, REJECTED)
