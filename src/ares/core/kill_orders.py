"""Orders that ``ares kill`` and the watchdog sent beside the engine, once it was ended.

Their ids carry owner, a mark and lane, so that the next start books their executions as its own
sales: also where nothing but the venue knows of them.
"""

from __future__ import annotations

from ares.core.halts import ALL, BY_UNKNOWN_ORDER, halt
from ares.core.ledger import book_execution
from ares.core.orders import OWNER_DIGITS, Life, Order
from ares.core.slot import lanes_of
from ares.core.state import State
from ares.domain.events import Effect
from ares.domain.kill_ids import kill_lane
from ares.domain.order_events import AccountSeen, OrderFilled


def lane_of_kill(state: State, event: OrderFilled) -> int:
    """Return the lane of an execution of the kill command; -1: it is not one of this engine.

    What it bought, or of another instrument than its id says, is nothing that kill does.
    """
    owner, n = state.setup.owner, state.setup.n_instruments
    lane = kill_lane(event.client_id)
    if not owner or event.client_id[:OWNER_DIGITS] != owner:
        return -1
    if lane not in range(len(state.lane_orders)) or lane % n != event.instrument or event.lots >= 0:
        return -1
    return lane


def take_kill_execution(state: State, event: OrderFilled) -> list[Effect]:
    """Take an execution of the kill command; it is booked once, see ``book_kill_executions``."""
    order = state.ended.get(event.client_id)
    known = {(e.client_id, e.exec_id) for e in state.kill_executions}
    if (event.client_id, event.exec_id) in known:
        return []
    if order is not None and event.exec_id in order.exec_ids:
        return []
    state.kill_executions.append(event)
    return book_kill_executions(state)


def book_kill_executions(state: State) -> list[Effect]:
    """Book what the kill command sold, of each lane as soon as nothing of it is in doubt: an entry
    that filled late must be booked before its sale.
    """
    effects: list[Effect] = []
    waiting = state.kill_executions
    ready = [e for e in waiting if not _is_in_doubt(state, kill_lane(e.client_id))]
    if not ready:
        return []
    state.kill_executions = [e for e in waiting if e not in ready]
    for event in ready:
        effects += book_execution(state, kill_order(state, event), event)
        state.ledger_ms = state.at_ms
    return effects


def kill_order(state: State, event: OrderFilled) -> Order:
    """Return the ended order of an execution of the kill command, as large as what it executed."""
    order = state.ended.get(event.client_id)
    if order is None:
        lane = kill_lane(event.client_id)
        order = Order(
            event.client_id, lane, "exit", 0, 0, "operator", 0.0, 0.0, 0.0, 0, state.seq,
            state.trades_begun[lane], state.at_ms, 0, Life.ENDED, "filled", state.at_ms,
            exec_ids=[],
        )  # fmt: skip
        state.ended[event.client_id] = order
    order.lots += event.lots
    order.ended_ms = order.reported_ms = state.at_ms
    return order


def unknown_own_orders(state: State, event: AccountSeen) -> list[Effect]:
    """Open orders with our owner's digits that no journal of ours knows: a second engine, or a
    journal that was lost.
    """
    owner = state.setup.owner
    known = state.orders.keys() | state.ended.keys()
    found = sorted(id_ for id_ in event.open_ids if owner and id_.startswith(owner))
    effects: list[Effect] = []
    if any(id_ not in known and kill_lane(id_) < 0 for id_ in found):
        effects += halt(state, ALL, BY_UNKNOWN_ORDER, needs_person=True)
    return effects


def _is_in_doubt(state: State, lane: int) -> bool:
    lanes = lanes_of(state.setup, lane % state.setup.n_instruments)
    return any(o.doubt_ms and o.instrument in lanes for o in state.orders.values())
