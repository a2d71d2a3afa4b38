"""Halts of entries, and differences that wait for a person. Stops and exits are never halted."""

from __future__ import annotations

from ares.core.orders import Halt
from ares.core.slot import lanes_of
from ares.core.state import State
from ares.domain.holding_events import DifferenceFound
from ares.domain.kill_ids import kill_lane
from ares.domain.order_events import HaltChanged
from ares.kernel.trade.layout import BREAKER_DRAWDOWN, HALTED, NOT_TRADABLE, OPEN

ALL = -1
"""The scope of a halt of every instrument."""

BY_DIFFERENCE = "difference"
BY_OPERATOR = "operator"
BY_FLATTEN = "flatten"
BY_REMOVAL = "removed"
BY_START = "starting"
BY_VENUE = "venue_down"
BY_CLOCK = "clock_skew"
BY_DOUBT = "order_unknown"
BY_UNKNOWN_ORDER = "orders_of_another_engine"
BY_STATE = "not_tradable"
"""The venue takes no entries: ``detail`` is the state of the instrument."""

TRADING = "trading"
SELLING = frozenset({TRADING, "limit_only", "reduce_only"})
"""States in which the venue takes what sells; in the others what rests there stays, and is all."""


def halt(
    state: State, instrument: int, reason: str, *, needs_person: bool = False, detail: str = ""
) -> list[HaltChanged]:
    """Halt entries of an instrument (or of all) for a reason; the fact, unless it stands."""
    if any(h.instrument == instrument and h.reason == reason for h in state.halts):
        return []
    state.halts.append(Halt(instrument, reason, needs_person, state.at_ms, detail))
    write_halts(state)
    return [HaltChanged(instrument, state.at_ms, True, reason, needs_person, detail)]


def lift(state: State, instrument: int, reason: str) -> list[HaltChanged]:
    """Let a reason for a halt go; the fact, where it stood."""
    lifted = [h for h in state.halts if h.instrument == instrument and h.reason == reason]
    if not lifted:
        return []
    state.halts = [h for h in state.halts if h not in lifted]
    write_halts(state)
    return [
        HaltChanged(h.instrument, state.at_ms, False, h.reason, h.needs_person, h.detail)
        for h in lifted
    ]


def write_halts(state: State) -> None:
    """Write the halts where the kernel looks at them before an entry."""
    scopes = {h.instrument for h in state.halts if h.reason != BY_STATE}
    closed = {h.instrument for h in state.halts if h.reason == BY_STATE}
    state.trade.account[0]["halted"] = ALL in scopes
    for i in range(state.setup.n_instruments):
        code = HALTED if i in scopes else NOT_TRADABLE if i in closed else 0
        for lane in lanes_of(state.setup, i):
            state.trade.book[lane]["halted"] = code


def differ(
    state: State,
    lane: int,
    kind: str,
    detail: str,
    client_id: str = "",
    lots: int = 0,
    price_ticks: int = 0,
    fee_units: int = 0,
) -> list[DifferenceFound | HaltChanged]:
    """Note what cannot be explained, and halt its instrument until a person settles it.

    lane : of the order, or the instrument; -1: of no instrument of this run.
    """
    found = DifferenceFound(
        lane, state.at_ms, kind, detail, client_id, lots, price_ticks, fee_units
    )
    state.differences.append(found)
    return [found, *halt(state, scope_of(state, lane), BY_DIFFERENCE, needs_person=True)]


def is_halted_by(state: State, lane: int, *reasons: str) -> bool:
    """Return whether a lane is halted for one of these reasons."""
    if not state.halts:
        return False
    scopes = (ALL, lane % state.setup.n_instruments)
    return any(h.reason in reasons and h.instrument in scopes for h in state.halts)


def sells_everything(state: State) -> bool:
    """Return whether the drawdown breaker is open, and all positions are to be sold for it."""
    if int(state.params.rules[0]["close_on_drawdown"]) == 0:
        return False
    return int(state.trade.account[0]["breaker_status"][BREAKER_DRAWDOWN]) == OPEN


def scope_of(state: State, lane: int) -> int:
    """Return the instrument of a lane, which is what is halted; ALL for a lane below 0."""
    return lane % state.setup.n_instruments if lane >= 0 else ALL


def instrument_state(state: State, lane: int) -> str:
    """Return the state of a lane's instrument at the venue, see ``InstrumentState``."""
    scope = scope_of(state, lane)
    found = (h.detail for h in state.halts if h.reason == BY_STATE and h.instrument == scope)
    return next(found, TRADING).partition(":")[0]


def takes_sales(state: State, lane: int) -> bool:
    """Return whether the venue takes exits and stops of a lane."""
    return not state.halts or instrument_state(state, lane) in SELLING


def is_disputed(state: State, lane: int) -> bool:
    """Return whether nothing may be sent for a lane until a person has looked: a difference stands
    in its instrument, or a second engine or a lost journal has left orders that are unknown here.
    So it is too until a start has seen the open orders, and until what the kill command sold is
    booked.
    """
    if state.reconciling or any(h.reason == BY_UNKNOWN_ORDER for h in state.halts):
        return True
    if not state.differences and not state.kill_executions:
        return False
    scope = scope_of(state, lane)
    if any(scope_of(state, kill_lane(e.client_id)) == scope for e in state.kill_executions):
        return True
    return any(scope_of(state, d.instrument) == scope for d in state.differences)
