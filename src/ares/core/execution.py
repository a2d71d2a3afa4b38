"""Brings the orders of a lane to what the kernel wants: an entry, a stop for all held, or an exit.

The kernel says what it wants (``BOOK.stop_lots`` at ``stop_ticks``, ``exit_reason``); only this
module sends orders. A lane has at most one open entry, and never an exit beside a stop: an exit
cancels the stops, waits until they have ended, and sells what is still held. A stop or an exit that
is larger than the venue takes is split into several orders, see ``core.pieces``.
"""

from __future__ import annotations

from collections.abc import Sequence

from ares.core.facts import KIND_NAMES
from ares.core.halts import (
    BY_FLATTEN,
    BY_OPERATOR,
    BY_REMOVAL,
    BY_STATE,
    instrument_state,
    is_disputed,
    is_halted_by,
    sells_everything,
    takes_sales,
)
from ares.core.orders import (
    Life,
    Order,
    Request,
    ask_size,
    client_id,
    due_ms,
    placed_orders,
    sent,
)
from ares.core.pieces import beyond, for_sale, pieces_of, remaining_wanted
from ares.core.resting import entry_limit, rest_due_ms, rests_too_long
from ares.core.small_positions import (
    fits,
    held_trigger,
    leave_residue,
    newest_price,
    residue_price,
    smallest_lots,
)
from ares.core.state import State
from ares.core.stop_limits import is_jumped, jump_due_ms
from ares.domain.events import Effect
from ares.domain.order_events import AmendOrder, CancelOrder, StopMissing, SubmitOrder
from ares.kernel.trade.arrays import Signal
from ares.kernel.trade.layout import (
    ENTRY,
    EXIT,
    REASON_NAMES,
    REASON_OPERATOR,
    REASON_STOP,
    STOP,
)

UNPROTECTED_MS_MAX = 1_000
"""After so long without a stop a position is sold: half of what is promised, so that the sale has
arrived in time."""

RETRY_MS = 100
RETRY_MS_NAKED = 1_000
RETRY_MS_MAX = 30_000
FAILURES_NAKED = 10
"""So many times a stop, an exit or a cancel is tried again within a second, later more rarely."""

WITHDRAWING = (BY_OPERATOR, BY_FLATTEN, BY_REMOVAL, BY_STATE)
"""Halts by a person, or by the state of the instrument: what is still to be filled of an entry is
cancelled."""

EXIT_COLLAR_BPS = 500.0
"""How far below the newest close an exit sells where the venue takes limit orders only, and the
run has no collar."""

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
    limit = entry_limit(state, lane) if kind == ENTRY else 0
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
        state.at_ms + state.wall(state.venue_ahead_ms + deadline_ms) if deadline_ms else 0,
        setup.traits.limit_ticks(price_ticks) if kind == STOP else limit,
    )
    if kind == ENTRY:
        state.trades_begun[lane] = state.seq
    order = sent(command, state.seq, state.trades_begun[lane], state.at_ms)
    state.orders[command.client_id] = order
    state.lane_orders[lane].add(name, command.client_id)
    return command


def work(state: State, lane: int) -> list[Effect]:
    """Return the commands that bring a lane's orders nearer to what is wanted, if any."""
    if not state.venue_up:
        return []
    placed, book = state.lane_orders[lane], state.trade.book[lane]
    entry = state.orders.get(placed.entry)
    is_withdrawn = is_halted_by(state, lane, *WITHDRAWING) or sells_everything(state)
    is_withdrawn = is_withdrawn or rests_too_long(state, lane)
    is_held_back = is_disputed(state, lane)  # only the cancel of an entry is safe then
    if placed.retry_ms <= state.at_ms and not (is_held_back and entry is None):
        placed.retry_ms = 0
    if is_held_back:
        return _cancel(state, entry) if is_withdrawn else []
    placed.held_ticks, held = 0, int(book["position_lots"])
    exits = placed_orders(placed, "exit", state.orders)
    stops = placed_orders(placed, "stop", state.orders)
    if held == 0:
        placed.unprotected_ms = 0
        placed.retry_now()
        is_unwanted = entry is not None and (entry.filled_lots != 0 or is_withdrawn)
        return _cancel(state, *stops, *exits, entry if is_unwanted else None)
    if is_halted_by(state, lane, BY_FLATTEN):  # what a late execution bought is sold too
        want_sold(state, lane, REASON_OPERATOR)
    withdrawn = _cancel(state, entry) if is_withdrawn else []
    if not takes_sales(state, lane):  # what rests at the venue stays, the rest waits
        placed.unprotected_ms = 0
        return withdrawn
    return withdrawn + _work_on_position(state, lane, held, entry, exits, stops)


def want_sold(state: State, lane: int, reason: int) -> bool:
    """Want all that a lane holds sold; return False where it holds nothing, or is being sold."""
    book = state.trade.book[lane]
    if int(book["position_lots"]) == 0 or int(book["exit_reason"]) != 0:
        return False
    book["exit_reason"], book["stop_lots"] = reason, 0
    book["expected_ticks"] = book["last_close"]
    state.lane_orders[lane].retry_ms = 0
    return True


def _work_on_position(
    state: State, lane: int, held: int, entry: Order | None, exits: Sequence[Order],
    stops: Sequence[Order],
) -> list[Effect]:  # fmt: skip
    """Return the commands for a lane that holds something: sell it, or keep a stop under it."""
    book = state.trade.book[lane]
    if int(book["exit_reason"]) != 0:
        return _exit(state, lane, held, entry, exits, stops)
    if exits:  # of a position that was closed before this one was opened
        return _cancel(state, *exits)
    if any(is_jumped(state, stop) for stop in stops):
        return _sell_at_once(state, lane, held, entry, stops)
    return _protect(state, lane, held, entry, stops)


def _exit(
    state: State, lane: int, held: int, entry: Order | None, exits: Sequence[Order],
    stops: Sequence[Order],
) -> list[Effect]:  # fmt: skip
    """Sell what is held and not for sale yet, once no stop may sell it too."""
    placed, reason = state.lane_orders[lane], int(state.trade.book[lane]["exit_reason"])
    commands = _cancel(state, entry, *stops)
    missing = held - for_sale(exits)
    if stops or missing <= 0:
        placed.unprotected_ms = 0
        return commands + _cancel(state, *beyond(exits, held))
    if not fits(state, lane, missing, residue_price(state, lane)):
        placed.unprotected_ms = 0
        return commands if entry is not None or exits else commands + leave_residue(state, lane)
    placed.unprotected_ms = placed.unprotected_ms or state.at_ms
    if state.at_ms < placed.retry_ms:
        return commands
    return commands + _sell(
        state, lane, EXIT, missing, _exit_limit(state, lane), reason, len(exits)
    )


def _exit_limit(state: State, lane: int) -> int:
    """Return the limit of an exit where the venue takes limit orders only; 0: it needs none."""
    if not state.halts or instrument_state(state, lane) != "limit_only":
        return 0
    bps = float(state.params.rules[0]["collar_bps"]) or EXIT_COLLAR_BPS
    return max(1, int(int(state.trade.book[lane]["last_close"]) * (1.0 - bps * 1e-4)))


def _sell_at_once(
    state: State, lane: int, held: int, entry: Order | None, stops: Sequence[Order]
) -> list[Effect]:
    """Sell what has no stop that would."""
    placed, book = state.lane_orders[lane], state.trade.book[lane]
    book["exit_reason"], book["stop_lots"] = REASON_STOP, 0
    placed.retry_ms = 0
    return _exit(state, lane, held, entry, (), stops)


def _protect(
    state: State, lane: int, held: int, entry: Order | None, stops: Sequence[Order]
) -> list[Effect]:
    """Bring the resting stops to the wanted one; sell where none can be placed in time."""
    placed, book = state.lane_orders[lane], state.trade.book[lane]
    ticks = int(book["stop_ticks"])
    if ticks <= 0:  # this position has no barrier
        return _cancel(state, *stops)
    wanted, missing = remaining_wanted(stops, held, _order_lots_max(state, lane))
    if missing == 0 and all(stop.life is Life.WORKING for stop in stops):
        placed.unprotected_ms = 0
    commands: list[Effect] = []
    if missing > 0 and not fits(state, lane, missing, ticks):
        held_here = _hold_stop(state, lane, held, entry, stops)
        return held_here or _changed(state, lane, entry, stops, wanted, ticks)
    if missing > 0:
        placed.unprotected_ms = placed.unprotected_ms or state.at_ms
        if state.at_ms - placed.unprotected_ms >= state.wall(UNPROTECTED_MS_MAX):
            return _sell_at_once(state, lane, held, entry, stops)
        if state.at_ms >= placed.retry_ms:
            commands = _sell(state, lane, STOP, missing, ticks, REASON_STOP, len(stops))
    return _changed(state, lane, entry, stops, wanted, ticks) + commands


def _hold_stop(
    state: State, lane: int, held: int, entry: Order | None, stops: Sequence[Order]
) -> list[Effect]:
    """Hold the stop of what is too small for one at the venue; sell where its price is reached."""
    placed, ticks = state.lane_orders[lane], int(state.trade.book[lane]["stop_ticks"])
    placed.unprotected_ms, price = 0, newest_price(state, lane)
    if fits(state, lane, held, residue_price(state, lane)):
        placed.held_ticks = held_trigger(state, lane, held, ticks)
        if price > placed.held_ticks:
            return []
        placed.held_ticks = 0
        return _sell_at_once(state, lane, held, entry, stops)
    if entry is None and not stops:
        return leave_residue(state, lane)
    return []  # the rest of the entry may come


def _changed(
    state: State, lane: int, entry: Order | None, stops: Sequence[Order], wanted: Sequence[int],
    ticks: int,
) -> list[Effect]:  # fmt: skip
    """Bring stops that rest to the lots and the price that are wanted of each."""
    placed = state.lane_orders[lane]
    differing = [
        (stop, lots)
        for stop, lots in zip(stops, wanted, strict=True)
        if stop.life is Life.WORKING
        and not stop.doubt_ms
        and (-stop.remaining_lots != lots or (stop.price_ticks != ticks and stop.filled_lots == 0))
    ]
    if not differing:
        return []
    if entry is not None and state.at_ms - placed.changed_ms < state.wall(STOP_CHANGE_MS):
        placed.retry_ms = placed.changed_ms + state.wall(STOP_CHANGE_MS)
        return []
    commands: list[Effect] = []
    for stop, remaining in differing:
        can_amend = state.setup.traits.amends_stops and stop.amend is not Request.REFUSED
        can_amend = can_amend and fits(state, lane, remaining - stop.filled_lots, ticks)
        if not can_amend or remaining == 0:
            commands += _cancel(state, stop)
        elif stop.amend is not Request.SENT:
            lots = stop.filled_lots - remaining
            ask_size(stop, lots, ticks, state.at_ms)
            placed.changed_ms = state.at_ms
            limit = state.setup.traits.limit_ticks(ticks)
            commands.append(AmendOrder(stop.client_id, lane, lots, ticks, limit))
    return commands


def _sell(
    state: State, lane: int, kind: int, lots: int, price_ticks: int, reason: int, n_open: int
) -> list[Effect]:
    """Send the exits or stops that together are for so many lots; n_open: how many are open."""
    if kind == STOP:
        state.lane_orders[lane].changed_ms = state.at_ms
    signal, ticks = _signal(state, lane), price_ticks or newest_price(state, lane)
    lots_min = smallest_lots(state, lane, ticks)
    return [
        submit(state, lane, kind, -piece, price_ticks, reason, signal)
        for piece in pieces_of(lots, _order_lots_max(state, lane), n_open, lots_min)
    ]


def _cancel(state: State, *orders: Order | None) -> list[Effect]:
    """Cancel those open orders for which no cancel is on its way; one that was refused later."""
    commands: list[Effect] = []
    for order in orders:
        if order is None or order.cancel is not Request.NONE:
            continue
        if order.cancels:
            placed = state.lane_orders[order.instrument]
            again_ms = order.cancel_ms + state.wall(_backoff_ms(order.cancels))
            if state.at_ms < again_ms:
                placed.retry_ms = min(placed.retry_ms or again_ms, again_ms)
                continue
        order.cancel, order.cancel_ms = Request.SENT, state.at_ms
        order.cancels += 1
        commands.append(CancelOrder(order.client_id, order.instrument))
    return commands


def withdraw_entries(state: State) -> list[Effect]:
    """Cancel every entry that is open; stops and exits are left alone."""
    return _cancel(state, *(order for order in state.orders.values() if order.kind == "entry"))


def forget(state: State, order: Order) -> list[Effect]:
    """Move an order that has ended to the ended ones; count a stop or exit that was not taken."""
    placed = state.lane_orders[order.instrument]
    del state.orders[order.client_id]
    state.ended[order.client_id] = order
    placed.remove(order, state.orders)
    if order.kind == "entry":
        return []
    if order.filled_lots != 0:
        placed.retry_now()
        return []
    if order.end_reason == "cancelled" and order.cancels:
        placed.retry_ms = 0
        return []
    if order.seq > placed.failed_seq:  # orders that were sent together fail once
        placed.failures, placed.failed_seq = placed.failures + 1, state.seq
        placed.retry_ms = state.at_ms + state.wall(_backoff_ms(placed.failures))
    if order.end_reason == "absent":  # nobody refused it, and the proof has taken its time
        placed.retry_ms = 0
    if placed.failures > 1 and order.end_reason == "rejected":  # is what it sells still there?
        state.account_due_ms = state.at_ms + state.wall(RETRY_MS)
    held = int(state.trade.book[order.instrument]["position_lots"])
    if held == 0:
        return []
    detail = f"the venue {order.end_reason} the {order.kind}"
    return [StopMissing(order.instrument, state.at_ms, held, detail)]


def _order_lots_max(state: State, lane: int) -> int:
    """Return the lots of the largest order that the venue takes; 0: any."""
    return int(state.params.specs[lane]["order_lots_max"])


def _is_unprotected(state: State, lane: int) -> bool:
    """Return whether lots of a position that is not being sold have no stop, sent or resting."""
    placed, book = state.lane_orders[lane], state.trade.book[lane]
    if not placed.unprotected_ms or int(book["exit_reason"]) != 0:
        return False
    stops = placed_orders(placed, "stop", state.orders)
    held = int(book["position_lots"])
    return remaining_wanted(stops, held, _order_lots_max(state, lane))[1] > 0


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
        if rest_ms := rest_due_ms(state, lane):
            due.append(rest_ms)
        is_held_back = is_disputed(state, lane)
        if not (placed.unprotected_ms or placed.retry_ms) or (is_held_back and not placed.entry):
            continue
        if _is_unprotected(state, lane) and not is_held_back:
            due.append(placed.unprotected_ms + state.wall(UNPROTECTED_MS_MAX))
        if placed.retry_ms:  # passed, too: whatever came at that moment was for another lane
            due.append(placed.retry_ms)
    due += jump_due_ms(state)
    if state.account_due_ms:
        due.append(state.account_due_ms)
    return min(due, default=0)
