"""A person settles what ledger and venue disagree on.

``order`` (a client id) with ``outcome`` ``absent``: a person has seen at the venue that the order
never arrived. ``difference``: the id of the only one that is settled; otherwise all of a scope.
``how`` is

- ``correct``, also where it is left out: as it stands at the venue. What is missing leaves the
  position, what is more is held outside the ledger; what was paid is capital that moved.
- ``ignore``: lots and money are somebody else's, and held outside the ledger.
- ``adopt``: what was bought becomes a position, paid from the capital.
"""

from __future__ import annotations

from ares.core.adoption import adopt, adoption_problem
from ares.core.execution import forget, work
from ares.core.halts import ALL, BY_DIFFERENCE, lift, scope_of
from ares.core.kill_orders import book_kill_executions
from ares.core.ledger import book_closed, book_settled
from ares.core.look_ups import end_doubt_halt
from ares.core.orders import Order
from ares.core.slot import lanes_of
from ares.core.state import State
from ares.domain.events import Effect
from ares.domain.holding_events import DifferenceFound, DifferenceSettled
from ares.domain.order_events import CommandGiven, OrderMoved
from ares.kernel.trade.money import notional_units

CORRECT, IGNORE, ADOPT = HOWS = ("correct", "ignore", "adopt")


def settle(state: State, scope: int, event: CommandGiven) -> tuple[list[Effect], str]:
    """Take the differences of a scope as they stand at the venue, outside the ledger.

    Raises ValueError with the reason of a refusal; nothing has changed then.
    """
    effects: list[Effect] = []
    how, only = event.args.get("how", CORRECT), event.args.get("difference", "")
    if how not in HOWS:
        raise ValueError(f"how must be one of {', '.join(HOWS)}")
    absent = _absent_order(state, event)
    settled_orders = int(absent is not None)
    chosen = [d for d in state.differences if scope in (ALL, scope_of(state, d.instrument))]
    chosen = [d for d in chosen if only in ("", d.id)]
    if not chosen and not settled_orders:
        raise ValueError(f"there is no difference {only}" if only else "there is nothing to settle")
    _check(state, chosen, how)
    if absent is not None:
        effects += _end_absent(state, absent)
    state.differences = [d for d in state.differences if d not in chosen]
    for difference in chosen:
        effects += _TAKEN[how](state, difference, event.who)
    left = {scope_of(state, d.instrument) for d in state.differences}
    for i in sorted({scope_of(state, d.instrument) for d in chosen} - left):
        effects += lift(state, i, BY_DIFFERENCE)
        for lane in lanes_of(state.setup, i) if i != ALL else ():
            placed = state.lane_orders[lane]
            placed.unprotected_ms = 0
            placed.retry_now()
            effects += work(state, lane)
    return effects, f"{len(chosen) + settled_orders} settled"


def _absent_order(state: State, event: CommandGiven) -> Order | None:
    """Return the order of which a person says that it never arrived; None: the command names none.

    Raises ValueError where it cannot be ended like that.
    """
    client_id = event.args.get("order", "")
    if not client_id:
        return None
    order = state.orders.get(client_id)
    if order is None or not order.doubt_ms:
        raise ValueError(f"order {client_id} is not one whose outcome is unknown")
    if event.args.get("outcome") != "absent":
        raise ValueError("outcome must be absent")
    return order


def _end_absent(state: State, order: Order) -> list[Effect]:
    """End an order that never arrived; what the kill command sold may have waited for its end."""
    lane = order.instrument
    effects: list[Effect] = [OrderMoved(order.client_id, lane, state.at_ms, "absent")]
    effects += book_closed(state, order, "absent", state.at_ms)
    effects += forget(state, order)
    if state.kill_executions:
        effects += book_kill_executions(state)
    effects += end_doubt_halt(state, lane)
    return effects + work(state, lane)


def _check(state: State, chosen: list[DifferenceFound], how: str) -> None:
    """Raise ValueError where differences cannot all be settled like that, one after the other."""
    outside, spent = list(state.outside_lots), 0
    for difference in chosen:
        lane, lots = difference.instrument, difference.lots
        if how == CORRECT or lane < 0:
            continue
        problem = ""
        if how == ADOPT:
            ticks = _price(state, difference)
            spent += difference.fee_units
            problem = adoption_problem(state, lane, lots, ticks, spent)
            spent += _units(state, lane, ticks, lots)
        else:
            i = scope_of(state, lane)
            outside[i] += lots
            if outside[i] < 0:
                problem = f"{-outside[i]} lots of it are the ledger's: correct it"
        if problem:
            raise ValueError(f"difference {difference.id} ({difference.detail}): {problem}")


def _price(state: State, difference: DifferenceFound) -> int:
    """Return the price of a difference, else the newest close."""
    return difference.price_ticks or int(state.trade.book[difference.instrument]["last_close"])


def _ignore(state: State, difference: DifferenceFound, who: str) -> list[Effect]:
    """Leave a difference to somebody else: its lots are held outside, its money is not ours."""
    lane, lots = difference.instrument, difference.lots
    if lane >= 0:
        state.outside_lots[scope_of(state, lane)] += lots
    return [DifferenceSettled(lane, state.at_ms, who, lots, 0, difference.id, IGNORE)]


def _adopt(state: State, difference: DifferenceFound, who: str) -> list[Effect]:
    """Make a position of what was bought, at its price, else at the newest close."""
    lane, lots = difference.instrument, difference.lots
    settled = DifferenceSettled(lane, state.at_ms, who, 0, 0, difference.id, ADOPT)
    if lane < 0:
        return [settled]
    ticks = _price(state, difference)
    return [*adopt(state, lane, lots, ticks, difference.fee_units), settled]


def _take(state: State, difference: DifferenceFound, who: str) -> list[Effect]:
    """Take one difference as it stands at the venue: held outside the ledger, capital moved.

    Lots sold that were not held outside were the ledger's: they leave its position, at their price
    or, where only a balance shows that they are gone, at the newest close.
    """
    lane, lots = difference.instrument, difference.lots
    if lane < 0:
        return [DifferenceSettled(lane, state.at_ms, who, 0, 0, difference.id)]
    i = scope_of(state, lane)
    missing = max(0, -(state.outside_lots[i] + lots))
    is_priced = difference.price_ticks > 0
    price_ticks = _price(state, difference)
    fee = difference.fee_units
    effects: list[Effect] = []
    cash = 0
    for holder in (lane, *(other for other in lanes_of(state.setup, i) if other != lane)):
        taken = min(missing, int(state.trade.book[holder]["position_lots"]))
        if taken:
            effects += book_settled(state, holder, -taken, price_ticks, fee)
            cash -= 0 if is_priced else _units(state, lane, price_ticks, taken) - fee
            missing, lots, fee = missing - taken, lots + taken, 0
    state.outside_lots[i] += lots
    if is_priced:
        units = _units(state, lane, price_ticks, abs(lots))
        cash += (-units if lots > 0 else units) - fee
    account = state.trade.account[0]
    for name in ("cash", "equity", "peak_equity", "day_equity"):
        account[name] += cash
    return [*effects, DifferenceSettled(lane, state.at_ms, who, lots, cash, difference.id)]


def _units(state: State, lane: int, price_ticks: int, lots: int) -> int:
    spec = state.params.specs[lane]
    mul, div = int(spec["notional_mul"]), int(spec["notional_div"])
    return int(notional_units(price_ticks, lots, mul, div))


_TAKEN = {CORRECT: _take, IGNORE: _ignore, ADOPT: _adopt}
