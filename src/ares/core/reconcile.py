"""What the venue reports of orders, and what has become due."""

from __future__ import annotations

from ares.core.base_fees import lots_value, split_strange
from ares.core.execution import UNPROTECTED_MS_MAX, forget, work
from ares.core.halts import (
    ALL,
    BY_UNKNOWN_ORDER,
    differ,
    halt,
)
from ares.core.kill_orders import (
    book_kill_executions,
    lane_of_kill,
    take_kill_execution,
)
from ares.core.ledger import book_closed, book_end, book_execution
from ares.core.look_ups import ask_account, ask_due, end_doubt_halt
from ares.core.market import refuse_execution
from ares.core.orders import (
    ENDED_KEPT_MS,
    Life,
    Order,
    Request,
    accept,
    doubt,
    is_whole,
    resize,
    status,
)
from ares.core.resting import rests_too_long
from ares.core.state import State
from ares.core.stop_limits import has_jumped, note_triggered
from ares.domain.events import Effect, SignalRefused
from ares.domain.order_events import (
    AmendRefused,
    CancelRefused,
    EventRefused,
    OrderAbsent,
    OrderAccepted,
    OrderAmended,
    OrderEnded,
    OrderFilled,
    OrderMoved,
    OrderUnknown,
    StopTriggered,
)

ABSENCES_MIN = 2
"""Complete look-ups that must not find an order, after its deadline, before it never existed."""

Report = (
    OrderAccepted
    | OrderFilled
    | OrderEnded
    | OrderUnknown
    | OrderAbsent
    | CancelRefused
    | OrderAmended
    | AmendRefused
    | StopTriggered
)


def on_report(state: State, event: Report) -> list[Effect]:
    """Take a report on one order; then bring its lane's orders to what is wanted."""
    if isinstance(event, OrderFilled):
        refused = refuse_execution(state, event)
        if refused:
            return refused
    order = state.orders.get(event.client_id)
    if order is None:
        return _on_closed(state, event)
    lane = order.instrument
    doubted, before = order.doubt_ms, status(order)
    effects = _on_open(state, order, event)
    after = status(order)
    if after != before:
        effects.insert(0, OrderMoved(order.client_id, lane, event.ts_ms, after))
    if not order.open:
        effects += forget(state, order)
    if doubted and not order.doubt_ms:
        if state.kill_executions:
            effects += book_kill_executions(state)
        effects += end_doubt_halt(state, lane)
    return effects + work(state, lane)


def _on_open(state: State, order: Order, event: Report) -> list[Effect]:
    match event:
        case OrderFilled():
            seen = len(order.exec_ids)
            effects = book_execution(state, order, event)
            if len(order.exec_ids) > seen:  # what was known already makes no balance out of date
                state.ledger_ms = order.reported_ms = order.filled_ms = state.at_ms
            if order.open and order.remaining_lots == 0:  # is it larger at the venue by now?
                doubt(order, state.at_ms)
                return effects + ask_due(state)
            return effects
        case OrderEnded():
            effects = book_end(state, order, event)
            if event.reason == "would_take":
                head = (order.instrument, event.ts_ms, event.reason)
                signal = (order.p, order.edge_bps, order.barrier_bps)
                effects.append(SignalRefused(*head, *signal))
            if order.open:  # executions are missing
                doubt(order, state.at_ms)
                return effects + ask_due(state)
            return effects
        case OrderAccepted():
            if order.end_reason is None and order.remaining_lots != 0:
                accept(order, event.venue_id, state.at_ms)
            return []
        case OrderUnknown() | CancelRefused():
            if order.doubt_ms:  # a look-up is on its way
                return []
            doubt(order, state.at_ms)
            return ask_due(state)
        case OrderAbsent():
            return _absent(state, order, event)
        case OrderAmended():
            if order.end_reason is None and resize(
                order, event.lots, event.price_ticks, state.at_ms
            ):
                return []
            doubt(order, state.at_ms)  # a report that is out of date, or wrong
            return ask_due(state)
        case AmendRefused():
            order.amend = Request.REFUSED
            return []
        case StopTriggered():
            note_triggered(state, order)
            return []


def _absent(state: State, order: Order, event: OrderAbsent) -> list[Effect]:
    """Count a look-up that did not find an order; enough of them prove that it never arrived."""
    traits = state.setup.traits
    late_ms = order.send_by_ms + state.wall(traits.absence_margin_ms)
    if not event.complete or not order.doubt_ms or event.venue_ms <= late_ms:
        return []
    if order.counted == order.lookups:  # the same answer again
        return []
    order.counted = order.lookups
    order.absences += 1
    if order.absences < ABSENCES_MIN:
        return []
    if order.life is not Life.INTENDED or order.filled_lots:
        if order.absences > ABSENCES_MIN:
            return []
        detail = "it was accepted, and complete look-ups no longer find it"
        return [*differ(state, order.instrument, "vanished_order", detail, order.client_id)]
    if not traits.proves_absence or not order.send_by_ms:
        return []
    return book_closed(state, order, "absent", event.ts_ms)


def _on_closed(state: State, event: Report) -> list[Effect]:
    """Take a report on an order that is not open: late executions count, the rest is no news."""
    order = state.ended.get(event.client_id)
    if order is None and isinstance(event, OrderEnded):
        return _try_again(state)
    if not isinstance(event, OrderFilled):
        if order is not None and is_whole(order, event):
            order.reported_ms = state.at_ms
        return []
    lane = lane_of_kill(state, event)
    if lane >= 0:
        return take_kill_execution(state, event) + work(state, lane)
    if order is None:
        return _of_nobody(state, event)
    seen = len(order.exec_ids)
    effects = book_execution(state, order, event)
    if len(order.exec_ids) > seen:
        state.ledger_ms = state.at_ms
    return effects + work(state, order.instrument)


def _try_again(state: State) -> list[Effect]:
    """Try at once what the venue refused: an order of somebody else has ended, and what it had
    locked is free.
    """
    effects: list[Effect] = []
    for lane, placed in enumerate(state.lane_orders):
        if placed.failures:
            placed.retry_now()
            effects += work(state, lane)
    return effects


def _of_nobody(state: State, event: OrderFilled) -> list[Effect]:
    """Take an execution of an order that is not in the journal: a person's, another bot's, ours
    from a journal that was lost.
    """
    if not 0 <= event.instrument < state.setup.n_instruments:
        return [EventRefused(-1, state.at_ms, f"execution {event.exec_id} of no instrument here")]
    key = f"{event.client_id}/{event.exec_id}"
    if key in state.strange_execs:
        return []
    state.strange_execs[key] = state.ledger_ms = state.at_ms
    i = event.instrument
    lots, rest = split_strange(state, i, event.lots, event.base_fee_units)
    state.outside_rest_units[i] += rest
    fee = event.fee_units + lots_value(state, i, event.price_ticks, event.lots, lots)
    effects: list[Effect] = [
        *differ(
            state, i, "unknown_order", f"execution {event.exec_id}", event.client_id, lots,
            event.price_ticks, fee,
        )
    ]  # fmt: skip
    if state.setup.owner and event.client_id.startswith(state.setup.owner):
        effects += halt(state, ALL, BY_UNKNOWN_ORDER, needs_person=True)
    return effects


# --- time --------------------------------------------------------------------------------------


def on_time(state: State) -> list[Effect]:
    """Do what has become due: look orders up, place stops again, compare balances."""
    if not state.venue_up:
        return []
    effects = ask_due(state)
    for lane, placed in enumerate(state.lane_orders):
        unprotected = placed.unprotected_ms
        is_due = unprotected and state.at_ms - unprotected >= state.wall(UNPROTECTED_MS_MAX)
        if (
            is_due
            or 0 < placed.retry_ms <= state.at_ms
            or has_jumped(state, lane)
            or (rests_too_long(state, lane))
        ):
            effects += work(state, lane)
    if 0 < state.account_due_ms <= state.at_ms:
        effects += ask_account(state)
    return effects


def forget_old(state: State) -> None:
    """Forget orders that ended so long ago that no execution of theirs can still be reported."""
    until_ms = state.at_ms - ENDED_KEPT_MS
    for client_id in [k for k, order in state.ended.items() if order.ended_ms < until_ms]:
        del state.ended[client_id]
    for key in [k for k, seen_ms in state.strange_execs.items() if seen_ms < until_ms]:
        del state.strange_execs[key]
