"""The one door into the ledger: an execution counts once, and only as far as it can be explained.

The kernel's account and book are the only truth of cash and positions. What an execution does not
explain (lots beyond its order, beyond what is held, of no order of ours) is never booked: it is a
difference, which a person settles.
"""

from __future__ import annotations

from ares.core.base_fees import lots_value, net_lots, split_strange
from ares.core.facts import KINDS, facts_of_records
from ares.core.halts import differ
from ares.core.market import UNITS_MAX
from ares.core.orders import Order, Request, end, execute, is_complete, note_end
from ares.core.slot import lanes_of
from ares.core.state import State, bind_calls
from ares.domain.events import Effect
from ares.domain.order_events import (
    EndReason,
    EventRefused,
    ExecutionBooked,
    GasPaid,
    OrderEnded,
    OrderFilled,
)

ADOPTED = "adopted"
"""In the place of an execution's id: the account held the lots already."""


def book_execution(state: State, order: Order, event: OrderFilled) -> list[Effect]:
    """Count an execution of an order of ours; what was counted before changes nothing."""
    was_open, lane = order.open, order.instrument
    booking = execute(order, event.exec_id, event.lots)
    lots, beyond, problem = booking.lots, booking.beyond, booking.problem
    if lots == 0 and beyond == 0:
        return []
    held = int(state.trade.book[lane]["position_lots"])
    if was_open:  # a late one tells of an old price
        state.lane_orders[lane].seen_ticks = event.price_ticks
    if lots < 0 and -lots > held:
        beyond, lots, problem = beyond + lots + held, -held, problem or "beyond_position"
    booked, fee = _less_base_fee(state, lane, lots, event)
    ended = was_open and is_complete(order)
    if ended:
        end(order, order.end_reason or "filled", state.at_ms)
    effects: list[Effect] = []
    if lots:
        head, dust = (order.client_id, lane, event.ts_ms), _dust(state, lane)
        ticks, exec_id = event.price_ticks, event.exec_id
        effects = [ExecutionBooked(*head, booked, ticks, fee, exec_id, dust)]
    effects += apply_execution(
        state, order, event.ts_ms, booked, event.price_ticks, fee, late=not was_open
    )
    if beyond:
        effects += _beyond(state, order, event, beyond, problem)
    return effects


def _less_base_fee(state: State, lane: int, lots: int, event: OrderFilled) -> tuple[int, int]:
    """Return the lots by which the position changes, and the whole fee of what is booked."""
    fee = event.fee_units * abs(lots) // abs(event.lots)
    base_fee = event.base_fee_units * abs(lots) // abs(event.lots)
    if not base_fee:
        return lots, fee
    net = net_lots(state, lane, lots, base_fee)
    return net, fee + lots_value(state, lane, event.price_ticks, lots, net)


def _dust(state: State, lane: int) -> int:
    return state.dust_units[lane % state.setup.n_instruments]


def _beyond(
    state: State, order: Order, event: OrderFilled, lots: int, problem: str
) -> list[Effect]:
    """Note the lots of an execution that its order or the position does not explain."""
    lane, booked = order.instrument, abs(event.lots - lots)
    fee = event.fee_units - event.fee_units * booked // abs(event.lots)
    base_fee = event.base_fee_units - event.base_fee_units * booked // abs(event.lots)
    net, rest = split_strange(state, lane, lots, base_fee)
    state.outside_rest_units[lane % state.setup.n_instruments] += rest
    fee += lots_value(state, lane, event.price_ticks, lots, net)
    return [
        *differ(
            state, lane, problem, f"execution {event.exec_id}", order.client_id, net,
            event.price_ticks, fee,
        )
    ]  # fmt: skip


def book_end(state: State, order: Order, event: OrderEnded) -> list[Effect]:
    """Take the venue's word that an open order has ended.

    Where it does not say how much was filled, or more than is known, the order stays open until it
    has been looked up and its executions have come: what is sold next depends on them.
    """
    note_end(order, event.reason, event.cum_lots)
    effects: list[Effect] = []
    if event.cum_lots is not None and abs(event.cum_lots) < abs(order.seen_lots):
        detail = f"the venue says {event.cum_lots} of {order.seen_lots} lots were executed"
        effects += differ(state, order.instrument, "beyond_order", detail, order.client_id)
    if not is_complete(order):
        return effects
    return book_closed(state, order, event.reason, event.ts_ms, event.price_ticks) + effects


def book_closed(
    state: State, order: Order, reason: EndReason, ts_ms: int, price_ticks: int = 0
) -> list[Effect]:
    """End an open order, and give back what it had reserved."""
    end(order, reason, state.at_ms)
    return apply_execution(state, order, ts_ms, 0, price_ticks, 0, late=False)


def _pay_fee(state: State, lane: int, fee: int) -> None:
    """Take a fee that left no lot out of the account: the kernel knows no such fill."""
    account, book = state.trade.account[0], state.trade.book[lane]
    account["cash"] -= fee
    account["equity"] -= fee
    account["fees"] += fee
    if int(book["position_lots"]):
        book["position_fees"] += fee


def book_adopted(
    state: State, lane: int, lots: int, price_ticks: int, stop_bps: float, fee: int
) -> list[Effect]:
    """Book lots that the account holds already as bought; their trade says nothing of a model.

    stop_bps : distance of the stop, where the lane held nothing.
    """
    book = state.trade.book[lane]
    if int(book["position_lots"]) == 0:
        book["entry_p"] = book["entry_edge_bps"] = 0.0
        book["entry_barrier_bps"] = stop_bps
    book["inherited"] = 1
    return book_settled(state, lane, lots, price_ticks, fee, ADOPTED)


def book_settled(
    state: State, lane: int, lots: int, price_ticks: int, fee: int, exec_id: str = "settled"
) -> list[Effect]:
    """Book lots by a person's word, at most what is held: taken out of a position where they are
    negative, added to it where they are positive.
    """
    row, book = state.scratch.records.fills[0], state.trade.book[lane]
    row["ts_ms"], row["instrument"], row["kind"] = state.at_ms, lane, KINDS["exit"]
    row["price_ticks"], row["lots"], row["fee_units"] = price_ticks, lots, fee
    row["remaining_lots"] = row["rejected"] = row["withdrawn"] = 0
    row["late"] = 1
    calls = state.scratch.calls or bind_calls(state)
    expected = int(book["expected_ticks"])
    book["expected_ticks"] = 0  # nothing was sent, so there is no slippage
    calls.apply_now(lane, state.trade, state.params, state.scratch.records)
    book["expected_ticks"] = expected
    dust = _dust(state, lane)
    booked = ExecutionBooked("", lane, state.at_ms, lots, price_ticks, fee, exec_id, dust)
    return [booked, *facts_of_records(state)]


def pay_gas(state: State, event: GasPaid) -> list[Effect]:
    """Take gas out of the account; it is part of what the open trade of the instrument costs."""
    if not (0 <= event.instrument < state.setup.n_instruments and 0 < event.units <= UNITS_MAX):
        reason = f"gas of {event.units} units for instrument {event.instrument}"
        return [EventRefused(-1, state.at_ms, reason)]
    account = state.trade.account[0]
    for name in ("cash", "equity"):
        account[name] -= event.units
    for name in ("fees", "gas", "gas_recent"):
        account[name] += event.units
    for lane in lanes_of(state.setup, event.instrument):
        book = state.trade.book[lane]
        if int(book["position_lots"]):
            book["position_fees"] += event.units
            break
    return []


def apply_execution(
    state: State, order: Order, ts_ms: int, lots: int, price_ticks: int, fee: int, *, late: bool
) -> list[Effect]:
    """Hand one execution (lots 0: the end of an order, or a fee took all) to the kernel; return
    what followed.
    """
    lane = order.instrument
    if lots == 0 and fee:
        _pay_fee(state, lane, fee)
    row, book = state.scratch.records.fills[0], state.trade.book[lane]
    if lots > 0 and int(book["position_lots"]) == 0:  # its stop is that of this order's signal
        book["entry_p"], book["entry_edge_bps"] = order.p, order.edge_bps
        book["entry_barrier_bps"] = order.barrier_bps
    if lots and order.kind != "stop":
        book["expected_ticks"] = order.expected_ticks
    row["ts_ms"] = ts_ms
    row["instrument"] = lane
    row["kind"] = KINDS[order.kind]
    row["price_ticks"] = price_ticks
    row["lots"] = lots
    row["fee_units"] = fee
    row["remaining_lots"] = order.remaining_lots if order.open else 0
    is_unfilled = not order.open and order.filled_lots == 0
    is_withdrawn = order.end_reason == "cancelled" and order.cancel is not Request.NONE
    is_withdrawn = is_withdrawn or order.end_reason == "would_take"  # no failure of anything
    row["rejected"] = is_unfilled and not is_withdrawn
    row["withdrawn"] = is_unfilled and is_withdrawn
    row["late"] = late
    if lots or row["rejected"]:
        state.last_fill_ms[lane] = ts_ms
    calls = state.scratch.calls or bind_calls(state)
    calls.apply_now(lane, state.trade, state.params, state.scratch.records)
    return facts_of_records(state)
