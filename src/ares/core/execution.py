"""Brings the orders of a lane to what the kernel wants: an entry, a stop for all held, or an exit.

The kernel says what it wants (``BOOK.stop_lots`` at ``stop_ticks``, ``exit_reason``); only this
module sends orders. A lane has at most one open order of each kind, and never an exit beside a
stop: an exit cancels the stop, waits until it has ended, and sells what is still held.
"""

from __future__ import annotations

from ares.core.facts import KIND_NAMES
from ares.core.halts import is_disputed
from ares.core.orders import Life, Order, Request, client_id, due_ms, sent
from ares.core.state import State
from ares.domain.events import Effect
from ares.domain.order_events import AmendOrder, CancelOrder, StopMissing, SubmitOrder
from ares.kernel.trade.arrays import Signal
from ares.kernel.trade.layout import ENTRY, EXIT, REASON_NAMES, REASON_STOP, STOP

UNPROTECTED_MS_MAX = 1_000
"""After so long without a stop a position is sold: half of what is promised, so that the sale has
arrived in time."""

RETRY_MS = 100
RETRY_MS_NAKED = 1_000
RETRY_MS_MAX = 30_000
FAILURES_NAKED = 10
"""So many times a stop, an exit or a cancel is tried again within a second, later more rarely."""

STOP_CHANGE_MS = 500
"""While an entry is being filled its stop is changed no more often than this."""


def submit(
    state: State,
    lane: int,
    kind: int,
    lots: int,
    price_ticks: int,
    reason: int,
    signal: Signal,
) -> SubmitOrder:
    """Return the command of a new order, and keep the order."""
    setup, name = state.setup, KIND_NAMES[kind]
    deadline_ms = setup.traits.deadline_ms
    state.orders_sent += 1
    command = SubmitOrder(
        client_id(setup.owner, state.nonce, state.seq, state.orders_sent),
        lane,
        name,
        lots,
        price_ticks,
        REASON_NAMES[reason],
        signal.p,
        signal.edge_bps,
        signal.barrier_bps,
        price_ticks if kind == STOP else int(state.trade.book[lane]["expected_ticks"]),
        state.at_ms + state.venue_ahead_ms + deadline_ms if deadline_ms else 0,
    )
    if kind == ENTRY:
        state.trades_begun[lane] = state.seq
    order = sent(command, state.seq, state.trades_begun[lane], state.at_ms)
    state.orders[command.client_id] = order
    setattr(state.lane_orders[lane], name, command.client_id)
    return command


def work(state: State, lane: int) -> list[Effect]:
    """Return the commands that bring a lane's orders nearer to what is wanted, if any."""
    if not state.venue_up or is_disputed(state, lane):
        return []
    placed, book = state.lane_orders[lane], state.trade.book[lane]
    if placed.retry_ms <= state.at_ms:
        placed.retry_ms = 0
    held = int(book["position_lots"])
    entry, exiting, stop = (
        state.orders.get(id_) for id_ in (placed.entry, placed.exit, placed.stop)
    )
    if held == 0:
        placed.unprotected_ms = placed.failures = placed.retry_ms = 0
        rest_of_entry = entry if entry is not None and entry.filled_lots != 0 else None
        return _cancel(state, stop, exiting, rest_of_entry)
    if int(book["exit_reason"]) != 0:
        return _exit(state, lane, held, entry, exiting, stop)
    if exiting is not None:  # of a position that was closed before this one was opened
        return _cancel(state, exiting)
    return _protect(state, lane, held, entry, stop)


def _exit(
    state: State, lane: int, held: int, entry: Order | None, exiting: Order | None,
    stop: Order | None,
) -> list[Effect]:  # fmt: skip
    """Sell what is held, once neither a stop nor another exit may sell it too."""
    placed = state.lane_orders[lane]
    commands = _cancel(state, entry, stop)
    if exiting is not None and -exiting.remaining_lots < _largest(state, lane, held):
        commands += _cancel(state, exiting)  # more was bought since: it must not wait its turn
    if stop is not None or exiting is not None:
        placed.unprotected_ms = 0
        return commands
    placed.unprotected_ms = placed.unprotected_ms or state.at_ms
    if state.at_ms < placed.retry_ms:
        return commands
    book = state.trade.book[lane]
    lots, reason = -_largest(state, lane, held), int(book["exit_reason"])
    return [*commands, submit(state, lane, EXIT, lots, 0, reason, _signal(state, lane))]


def _protect(
    state: State, lane: int, held: int, entry: Order | None, stop: Order | None
) -> list[Effect]:
    """Bring the resting stop to the wanted one; sell where none can be placed in time."""
    placed, book = state.lane_orders[lane], state.trade.book[lane]
    ticks, wanted = int(book["stop_ticks"]), _largest(state, lane, held)
    if ticks <= 0:  # this position has no barrier
        return _cancel(state, stop)
    if stop is None:
        placed.unprotected_ms = placed.unprotected_ms or state.at_ms
        if state.at_ms - placed.unprotected_ms >= UNPROTECTED_MS_MAX:
            book["exit_reason"], book["stop_lots"] = REASON_STOP, 0
            placed.retry_ms = 0
            return _exit(state, lane, held, entry, None, None)
        if state.at_ms < placed.retry_ms:
            return []
        placed.changed_ms = state.at_ms
        return [submit(state, lane, STOP, -wanted, ticks, REASON_STOP, _signal(state, lane))]
    if stop.life is Life.WORKING:
        placed.unprotected_ms = 0
    fits = stop.remaining_lots == -wanted and (stop.price_ticks == ticks or stop.filled_lots != 0)
    if fits or stop.life is not Life.WORKING or stop.doubt_ms:
        return []
    if entry is not None and state.at_ms - placed.changed_ms < STOP_CHANGE_MS:
        placed.retry_ms = placed.changed_ms + STOP_CHANGE_MS
        return []
    if not state.setup.traits.amends_stops or stop.amend is Request.REFUSED:
        return _cancel(state, stop)
    if stop.amend is Request.SENT:
        return []
    lots = stop.filled_lots - wanted
    stop.amend, stop.amend_ms = Request.SENT, state.at_ms
    stop.amended_lots = max(stop.amended_lots, abs(stop.lots), -lots)
    placed.changed_ms = state.at_ms
    return [AmendOrder(stop.client_id, lane, lots, ticks)]


def _cancel(state: State, *orders: Order | None) -> list[Effect]:
    """Cancel those open orders for which no cancel is on its way; one that was refused later."""
    commands: list[Effect] = []
    for order in orders:
        if order is None or order.cancel is not Request.NONE:
            continue
        if order.cancels:
            placed = state.lane_orders[order.instrument]
            again_ms = order.cancel_ms + _backoff_ms(order.cancels)
            if state.at_ms < again_ms:
                placed.retry_ms = min(placed.retry_ms or again_ms, again_ms)
                continue
        order.cancel, order.cancel_ms = Request.SENT, state.at_ms
        order.cancels += 1
        commands.append(CancelOrder(order.client_id, order.instrument))
    return commands


def forget(state: State, order: Order) -> list[Effect]:
    """Move an order that has ended to the ended ones; count a stop or exit that was not taken."""
    placed = state.lane_orders[order.instrument]
    del state.orders[order.client_id]
    state.ended[order.client_id] = order
    if getattr(placed, order.kind) == order.client_id:
        setattr(placed, order.kind, "")
    if order.kind == "entry":
        return []
    if order.filled_lots != 0:
        placed.failures = placed.retry_ms = 0
        return []
    if order.end_reason == "cancelled" and order.cancels:
        placed.retry_ms = 0
        return []
    placed.failures += 1
    placed.retry_ms = state.at_ms + _backoff_ms(placed.failures)
    if placed.failures > 1 and order.end_reason == "rejected":  # is what it sells still there?
        state.account_due_ms = state.at_ms + RETRY_MS
    held = int(state.trade.book[order.instrument]["position_lots"])
    if held == 0:
        return []
    detail = f"the venue {order.end_reason} the {order.kind}"
    return [StopMissing(order.instrument, state.at_ms, held, detail)]


def _largest(state: State, lane: int, lots: int) -> int:
    """Return as many of ``lots`` as one order may have; the rest is sold when it has ended."""
    most = int(state.params.specs[lane]["order_lots_max"])
    return min(lots, most) if most else lots


def _signal(state: State, lane: int) -> Signal:
    book = state.trade.book[lane]
    return Signal(
        float(book["entry_p"]), float(book["entry_edge_bps"]), float(book["entry_barrier_bps"])
    )


def _backoff_ms(failures: int) -> int:
    """Return how long to wait after so many failures in a row."""
    most_ms = RETRY_MS_NAKED if failures <= FAILURES_NAKED else RETRY_MS_MAX
    return min(most_ms, RETRY_MS << min(failures - 1, 16))


def wake_ms(state: State) -> int:
    """Return when the engine must be woken at the latest; 0: nothing is due."""
    if not state.venue_up:
        return 0
    traits = state.setup.traits
    due = [ms for order in state.orders.values() if (ms := due_ms(order, traits))]
    for lane, placed in enumerate(state.lane_orders):
        if is_disputed(state, lane):
            continue
        if (
            placed.unprotected_ms
            and not placed.stop
            and int(state.trade.book[lane]["exit_reason"]) == 0
        ):
            due.append(placed.unprotected_ms + UNPROTECTED_MS_MAX)
        if placed.retry_ms:  # passed, too: whatever came at that moment was for another lane
            due.append(placed.retry_ms)
    if state.account_due_ms:
        due.append(state.account_due_ms)
    return min(due, default=0)
