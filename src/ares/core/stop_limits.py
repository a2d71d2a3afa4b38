"""Stops that are stop-limits: the market can jump over one, and then it is no stop.

Once triggered it rests as a limit order. Where the market trades below that limit, or the venue
says that it was triggered and it is not filled soon after, the engine cancels it, waits for its end
and sells what is left at the market.
"""

from __future__ import annotations

from ares.core.halts import is_disputed, takes_sales
from ares.core.orders import Order
from ares.core.state import State

TRIGGERED_MS = 500
"""So long after the venue has triggered it, a stop-limit may still be filled."""


def limit_of(state: State, order: Order) -> int:
    """Return the limit of an open stop in ticks; 0: it has none."""
    return state.setup.traits.limit_ticks(order.price_ticks) if order.kind == "stop" else 0


def note_triggered(state: State, stop: Order) -> None:
    """Take the venue's word that a stop was triggered: it is given a moment to fill."""
    if limit_of(state, stop) and not stop.jumped_ms:
        stop.jumped_ms = state.at_ms + state.wall(TRIGGERED_MS)


def note_price(state: State, stop: Order, ticks: int) -> bool:
    """Take a price at which the market trades; return whether it has jumped over a stop's limit."""
    if ticks >= limit_of(state, stop) or is_jumped(state, stop):
        return False
    stop.jumped_ms = state.at_ms
    return True


def is_jumped(state: State, stop: Order) -> bool:
    """Return whether a stop counts as none, because the market has jumped over its limit."""
    return 0 < stop.jumped_ms <= state.at_ms


def has_jumped(state: State, lane: int) -> bool:
    """Return whether a lane's position counts on a stop that was jumped."""
    if int(state.trade.book[lane]["exit_reason"]):
        return False
    orders = state.orders.values()
    return any(o.instrument == lane and is_jumped(state, o) for o in orders)


def jump_due_ms(state: State) -> list[int]:
    """Return when each stop that was triggered has had its moment."""
    return [
        order.jumped_ms
        for order in state.orders.values()
        if order.jumped_ms and _may_sell(state, order.instrument)
    ]


def _may_sell(state: State, lane: int) -> bool:
    """Return whether a lane holds something that is not being sold, and may be."""
    book = state.trade.book[lane]
    is_held = int(book["position_lots"]) and not int(book["exit_reason"])
    can_send = takes_sales(state, lane) and not is_disputed(state, lane)
    return bool(is_held and not state.lane_orders[lane].exit and can_send)
