"""The venue's balances against the ledger: compared, and never taken over."""

from __future__ import annotations

from ares.core.base_fees import lot_units
from ares.core.halts import differ
from ares.core.orders import DOUBT_MS_MAX, Order
from ares.core.slot import lanes_of
from ares.core.state import State
from ares.domain.events import Effect
from ares.domain.order_events import AccountSeen, QueryOrder

MOVING_MS = 30_000
"""An order that has not filled for so long does not explain a mismatch of balances."""

LOOKED_BACK_MS = 3_600_000
ENDED_MAX = 20
"""Before a mismatch of balances is one, all orders that ended in so long are looked up, so many at
a time, until each has answered or ``DOUBT_MS_MAX`` has passed."""

SETTLE_MS = 5_000
"""Two reports of balances must agree, so far apart, before a mismatch is one."""


def take_balances(state: State, event: AccountSeen) -> bool:
    """Take the first balances as what is held outside the ledger; return whether these are."""
    if state.account_known or state.orders:
        return False
    known = [_held(state, i) + _unsettled(state, i) for i in range(state.setup.n_instruments)]
    state.outside_lots = [seen - lots for seen, lots in zip(event.lots, known, strict=True)]
    state.existing_lots = [max(0, lots) for lots in state.outside_lots]
    rests = event.rest_units or (0,) * len(known)
    state.outside_rest_units = [r - d for r, d in zip(rests, state.dust_units, strict=True)]
    state.account_known = True
    return True


def compare(state: State, i: int, lots: int, rest_units: int = 0) -> list[Effect]:
    """Compare one balance, where nothing is on its way that could explain a mismatch.

    Less than a lot is none: it cannot be traded, and whoever holds the account may move it.
    """
    lanes = lanes_of(state.setup, i)
    if any(_is_moving(state, o) for o in state.orders.values() if o.instrument in lanes):
        state.mismatch_ms[i] = 0
        return []
    rest = rest_units - state.outside_rest_units[i] - state.dust_units[i]
    beyond = lots - _held(state, i) - state.outside_lots[i] - _unsettled(state, i)
    beyond = _whole_lots(beyond * lot_units(state, i) + rest, lot_units(state, i))
    if beyond == 0:
        state.mismatch_ms[i] = 0
        return []
    is_new = state.mismatch_ms[i] == 0
    since_ms = state.mismatch_ms[i] = state.mismatch_ms[i] or state.at_ms
    waited_ms, settle_ms = state.at_ms - since_ms, state.wall(SETTLE_MS)
    unanswered = _look_up_ended(state, lanes, since_ms)
    if waited_ms < (state.wall(DOUBT_MS_MAX) if unanswered else settle_ms):
        state.account_due_ms = since_ms + (waited_ms // settle_ms + 1) * settle_ms
        return unanswered if is_new or waited_ms >= settle_ms else []
    state.mismatch_ms[i] = 0
    detail = f"the venue holds {beyond:+d} lots that the ledger does not"
    return [*differ(state, i, "balance", detail, lots=beyond)]


def _whole_lots(units: int, lot: int) -> int:
    return units // lot if units >= 0 else -(-units // lot)


def _held(state: State, i: int) -> int:
    lanes = lanes_of(state.setup, i)
    return sum(int(state.trade.book[lane]["position_lots"]) for lane in lanes)


def _unsettled(state: State, i: int) -> int:
    """Return the lots of an instrument's differences, which wait to be taken as held outside."""
    lanes = lanes_of(state.setup, i)
    return sum(d.lots for d in state.differences if d.instrument in lanes)


def _is_moving(state: State, order: Order) -> bool:
    """Return whether executions of an open order may be on their way: a stop that only rests has
    none, and one that has not filled for long does not fill now.
    """
    if order.doubt_ms:
        return True
    if order.kind == "stop" and order.filled_lots == 0:
        return False
    return state.at_ms - max(order.sent_ms, order.filled_ms) < state.wall(MOVING_MS)


def _look_up_ended(state: State, lanes: tuple[int, ...], since_ms: int) -> list[Effect]:
    """Look up what has ended lately and has not answered since: an execution of it may never have
    been reported.
    """
    from_ms = since_ms - state.wall(LOOKED_BACK_MS)
    unanswered = [
        order
        for order in state.ended.values()
        if order.instrument in lanes
        and order.ended_ms > from_ms
        and order.reported_ms <= max(since_ms, order.ended_ms)
    ]
    return [QueryOrder(o.client_id, o.instrument) for o in unanswered[-ENDED_MAX:]]
