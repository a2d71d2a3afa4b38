"""What the venue reports, and what is looked up when it is silent: orders, sessions, clocks."""

from __future__ import annotations

from ares.core.adoption import take_holdings
from ares.core.balances import compare, take_balances
from ares.core.base_fees import lots_value, split_strange
from ares.core.execution import UNPROTECTED_MS_MAX, forget, work
from ares.core.halts import (
    ALL,
    BY_CLOCK,
    BY_DOUBT,
    BY_START,
    BY_UNKNOWN_ORDER,
    BY_VENUE,
    differ,
    halt,
    lift,
)
from ares.core.kill_orders import (
    book_kill_executions,
    lane_of_kill,
    take_kill_execution,
    unknown_own_orders,
)
from ares.core.ledger import book_closed, book_end, book_execution
from ares.core.market import refuse_execution
from ares.core.orders import (
    DOUBT_MS_MAX,
    ENDED_KEPT_MS,
    Life,
    Order,
    Request,
    accept,
    doubt,
    due_ms,
    is_whole,
    resize,
    status,
)
from ares.core.resting import rests_too_long
from ares.core.slot import lanes_of
from ares.core.state import State
from ares.core.stop_limits import has_jumped, note_triggered
from ares.domain.events import Effect, SignalRefused
from ares.domain.order_events import (
    AccountSeen,
    AmendRefused,
    AskAccount,
    CancelRefused,
    ClockSkewMeasured,
    EventRefused,
    OrderAbsent,
    OrderAccepted,
    OrderAmended,
    OrderEnded,
    OrderFilled,
    OrderMoved,
    OrderUnknown,
    QueryOrder,
    StopTriggered,
)

ABSENCES_MIN = 2
"""Complete look-ups that must not find an order, after its deadline, before it never existed."""

ASK_MS = 1_000
ASK_MS_MAX = 30_000
SKEW_MS_MAX = 1_000
"""Clocks further apart halt entries."""

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


def ask_due(state: State) -> list[Effect]:
    """Look up every order whose time for it has come; the wait doubles each time."""
    commands: list[Effect] = []
    for order in state.orders.values():
        if not 0 < due_ms(order, state.setup.traits) <= state.at_ms:
            continue
        if not order.doubt_ms:
            order.doubt_ms = state.at_ms
            head = (order.client_id, order.instrument, state.at_ms)
            commands.append(OrderMoved(*head, "unknown"))
        wait_ms = min(ASK_MS_MAX, ASK_MS * 2 ** min(order.lookups, 16))
        order.ask_ms, order.lookups = state.at_ms + state.wall(wait_ms), order.lookups + 1
        commands.append(QueryOrder(order.client_id, order.instrument))
        if state.at_ms - order.doubt_ms >= state.wall(DOUBT_MS_MAX):
            i = order.instrument % state.setup.n_instruments
            needs_person = not state.setup.traits.proves_absence
            commands += halt(state, i, BY_DOUBT, needs_person=needs_person)
    return commands


def end_doubt_halt(state: State, lane: int) -> list[Effect]:
    """Lift the halt for an unknown outcome once no order of the instrument has one; that of the
    start once no order at all has.
    """
    i = lane % state.setup.n_instruments
    lanes = lanes_of(state.setup, i)
    if any(order.doubt_ms and order.instrument in lanes for order in state.orders.values()):
        return []
    return [*lift(state, i, BY_DOUBT), *_started(state)]


def forget_old(state: State) -> None:
    """Forget orders that ended so long ago that no execution of theirs can still be reported."""
    until_ms = state.at_ms - ENDED_KEPT_MS
    for client_id in [k for k, order in state.ended.items() if order.ended_ms < until_ms]:
        del state.ended[client_id]
    for key in [k for k, seen_ms in state.strange_execs.items() if seen_ms < until_ms]:
        del state.strange_execs[key]


# --- sessions and balances ---------------------------------------------------------------------


def on_venue_down(state: State) -> list[Effect]:
    """Send nothing more until a session stands again."""
    state.venue_up = False
    return [*halt(state, ALL, BY_VENUE)]


def on_venue_up(state: State) -> list[Effect]:
    """Look everything up that may have changed meanwhile; then go on."""
    state.venue_up = True
    _begin_protection(state)
    effects: list[Effect] = [*lift(state, ALL, BY_VENUE), *_look_up_all(state)]
    for lane in range(len(state.lane_orders)):
        effects += work(state, lane)
    return effects


def on_clock(state: State, event: ClockSkewMeasured) -> list[Effect]:
    """Give deadlines by the venue's clock; open nothing while the clocks are far apart."""
    state.venue_ahead_ms = event.venue_ahead_ms
    if abs(event.venue_ahead_ms) > SKEW_MS_MAX:
        return [*halt(state, ALL, BY_CLOCK)]
    return [*lift(state, ALL, BY_CLOCK)]


def on_start(state: State, clock_ms: int = 0) -> list[Effect]:
    """Reconcile with the venue before anything is sent: orders, then balances.

    clock_ms : what a clock said that is not believed; 0: it is. Then nothing is opened until the
               venue's clock is known.

    Another engine may have been started with the same keys, or a journal been lost: the open orders
    show it, see ``is_disputed``.
    """
    state.reconciling, state.venue_up = True, True
    _begin_protection(state)
    effects: list[Effect] = [*lift(state, ALL, BY_VENUE), *halt(state, ALL, BY_START)]
    if clock_ms:
        reason = (
            f"the machine's clock says {clock_ms}, the journal ends at {state.at_ms}: time goes on"
            " from the journal, set the clock"
        )
        effects += [EventRefused(-1, state.at_ms, reason), *halt(state, ALL, BY_CLOCK)]
    return [*effects, *_look_up_all(state)]


def _begin_protection(state: State) -> None:
    """Count the time without a stop and the failures anew: until now none could be placed."""
    for placed in state.lane_orders:
        placed.retry_now()
        if placed.unprotected_ms:
            placed.unprotected_ms = state.at_ms


def _look_up_all(state: State) -> list[Effect]:
    state.mismatch_ms = [0] * len(state.mismatch_ms)  # nothing could be looked up meanwhile
    for order in state.orders.values():
        doubt(order, state.at_ms)
        order.lookups = 0
    return [*ask_due(state), *ask_account(state)]


def ask_account(state: State) -> list[Effect]:
    """Ask for balances and open orders, and note when to ask again."""
    traits = state.setup.traits
    is_urgent = state.reconciling or any(state.mismatch_ms)
    wait_ms = traits.answer_ms if is_urgent else traits.account_ms
    state.account_due_ms = state.at_ms + state.wall(wait_ms) if wait_ms else 0
    return [AskAccount(state.at_ms)]


def on_account(state: State, event: AccountSeen) -> list[Effect]:
    """Compare the venue's balances and open orders with the ledger; nothing is set from them."""
    n = state.setup.n_instruments
    if len(event.lots) != n or len(event.rest_units) not in (0, n):
        reason = f"balances of {len(event.lots)} instruments, this run has {n}"
        return [EventRefused(-1, event.ts_ms, reason)]
    if not event.complete or event.as_of_ms < state.ledger_ms:
        return []
    effects = unknown_own_orders(state, event)
    for order in state.orders.values():
        is_listed = order.client_id in event.open_ids
        if order.life is Life.WORKING and not order.doubt_ms and not is_listed:
            doubt(order, state.at_ms)
    effects += ask_due(state)
    if not take_balances(state, event) and state.account_known:
        rests = event.rest_units or (0,) * n
        for i, lots in enumerate(event.lots):
            effects += compare(state, i, lots, rests[i])
    effects += take_holdings(state)
    began, state.reconciling = state.reconciling, False
    effects += _started(state)
    if began:
        account_ms = state.wall(state.setup.traits.account_ms)
        if not any(state.mismatch_ms):
            state.account_due_ms = state.at_ms + account_ms if account_ms else 0
        _begin_protection(state)
        for lane in range(len(state.lane_orders)):
            effects += work(state, lane)
    return effects


def _started(state: State) -> list[Effect]:
    """Lift the halt of the start once balances are known and no order is in doubt."""
    if state.reconciling or any(order.doubt_ms for order in state.orders.values()):
        return []
    return [*lift(state, ALL, BY_START)]
