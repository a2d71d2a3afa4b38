"""What the venue is asked for when it is silent: orders whose outcome is unknown, and balances."""

from __future__ import annotations

from ares.core.halts import ALL, BY_DOUBT, BY_START, halt, lift
from ares.core.orders import DOUBT_MS_MAX, due_ms
from ares.core.slot import lanes_of
from ares.core.state import State
from ares.domain.events import Effect
from ares.domain.order_events import AskAccount, OrderMoved, QueryOrder

ASK_MS = 1_000
ASK_MS_MAX = 30_000


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


def ask_account(state: State) -> list[Effect]:
    """Ask for balances and open orders, and note when to ask again."""
    traits = state.setup.traits
    is_urgent = state.reconciling or any(state.mismatch_ms)
    wait_ms = traits.answer_ms if is_urgent else traits.account_ms
    state.account_due_ms = state.at_ms + state.wall(wait_ms) if wait_ms else 0
    return [AskAccount(state.at_ms)]


def end_doubt_halt(state: State, lane: int) -> list[Effect]:
    """Lift the halt for an unknown outcome once no order of the instrument has one; that of the
    start once no order at all has.
    """
    i = lane % state.setup.n_instruments
    lanes = lanes_of(state.setup, i)
    if any(order.doubt_ms and order.instrument in lanes for order in state.orders.values()):
        return []
    return [*lift(state, i, BY_DOUBT), *end_start_halt(state)]


def end_start_halt(state: State) -> list[Effect]:
    """Lift the halt of the start once balances are known and no order is in doubt."""
    if state.reconciling or any(order.doubt_ms for order in state.orders.values()):
        return []
    return [*lift(state, ALL, BY_START)]
