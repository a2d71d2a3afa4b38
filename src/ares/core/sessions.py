"""Sessions with the venue: a start, an outage, a clock, and balances that are compared."""

from __future__ import annotations

from ares.core.adoption import take_holdings
from ares.core.balances import compare, take_balances
from ares.core.execution import work
from ares.core.halts import ALL, BY_CLOCK, BY_START, BY_VENUE, halt, lift
from ares.core.kill_orders import unknown_own_orders
from ares.core.look_ups import ask_account, ask_due, end_start_halt
from ares.core.orders import Life, doubt
from ares.core.state import State
from ares.domain.events import Effect
from ares.domain.order_events import AccountSeen, ClockSkewMeasured, EventRefused

SKEW_MS_MAX = 1_000
"""Clocks further apart halt entries."""


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
    effects += (holdings := take_holdings(state))
    began, state.reconciling = state.reconciling, False
    effects += end_start_halt(state)
    if began:
        account_ms = state.wall(state.setup.traits.account_ms)
        if not any(state.mismatch_ms):
            state.account_due_ms = state.at_ms + account_ms if account_ms else 0
        _begin_protection(state)
    if began or holdings:
        for lane in range(len(state.lane_orders)):
            effects += work(state, lane)
    return effects
