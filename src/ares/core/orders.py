"""The states of an order, and the transitions between them."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ares.domain.events import (
    CancelOrder,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    SubmitOrder,
)


class OrderStatus(StrEnum):
    """The state of an order."""

    SUBMITTED = "submitted"  # sent, not yet accepted by the venue
    ACCEPTED = "accepted"
    PARTLY_FILLED = "partly_filled"
    CANCELLING = "cancelling"  # the cancel was sent
    FILLED = "filled"
    EXPIRED = "expired"  # ended by the venue before it was filled completely
    CANCELLED = "cancelled"
    REJECTED = "rejected"


FINAL = frozenset(
    {OrderStatus.FILLED, OrderStatus.EXPIRED, OrderStatus.CANCELLED, OrderStatus.REJECTED}
)


class Order(msgspec.Struct):
    """An order in the engine's state; lots are signed."""

    client_id: str
    instrument: int
    kind: str
    lots: int
    price_ticks: int
    status: OrderStatus
    filled_lots: int = 0

    @property
    def remaining_lots(self) -> int:
        """Return the signed lots still to fill."""
        return self.lots - self.filled_lots

    @property
    def open(self) -> bool:
        """Return whether the venue may still fill it."""
        return self.status not in FINAL


class IllegalTransition(RuntimeError):
    """An event that is impossible in the state of its order: a broken invariant."""


def submitted(command: SubmitOrder) -> Order:
    """Return the order of a command that is about to be sent."""
    return Order(
        command.client_id,
        command.instrument,
        command.kind,
        command.lots,
        command.price_ticks,
        OrderStatus.SUBMITTED,
    )


def apply(
    order: Order,
    event: OrderAccepted | OrderFilled | OrderRejected | OrderCancelled | CancelOrder,
) -> None:
    """Apply an event to the order; raise IllegalTransition where it is impossible.

    A fill may come before its acceptance, and after a cancel was sent: both are applied.
    """
    if not order.open:
        if isinstance(event, OrderAccepted):
            return  # the fill came first
        raise IllegalTransition(f"{type(event).__name__} for {order.client_id}: {order.status}")
    match event:
        case OrderAccepted():
            if order.status is OrderStatus.SUBMITTED:
                order.status = OrderStatus.ACCEPTED
        case CancelOrder():
            order.status = OrderStatus.CANCELLING
        case OrderCancelled():
            order.status = OrderStatus.CANCELLED
        case OrderRejected():
            if order.filled_lots != 0:
                raise IllegalTransition(f"{order.client_id} is partly filled, and rejected")
            order.status = OrderStatus.REJECTED
        case OrderFilled(lots=lots, remaining=remaining):
            _fill(order, lots, remaining)


def _fill(order: Order, lots: int, remaining: int) -> None:
    if lots == 0 or (lots > 0) != (order.lots > 0):
        raise IllegalTransition(f"a fill of {lots} lots for {order.client_id} of {order.lots}")
    if abs(order.filled_lots + lots) > abs(order.lots):
        raise IllegalTransition(f"{order.client_id} filled beyond its {order.lots} lots")
    left = order.remaining_lots - lots
    if remaining not in (0, left):
        raise IllegalTransition(
            f"{order.client_id} has {left} lots left, but the venue reports {remaining}"
        )
    order.filled_lots += lots
    if order.filled_lots == order.lots:
        order.status = OrderStatus.FILLED
    elif remaining == 0:
        order.status = OrderStatus.EXPIRED
    elif order.status is not OrderStatus.CANCELLING:
        order.status = OrderStatus.PARTLY_FILLED
