"""Single journaled facts, applied to a state; see ``core.money_facts``."""

from __future__ import annotations

import math

from ares.core.halts import write_halts
from ares.core.orders import Halt, Order, Request, accept, ask_size, note_end, resize
from ares.core.state import State
from ares.domain.events import BreakerChanged, SignalRefused
from ares.domain.holding_events import DifferenceSettled
from ares.domain.order_events import (
    AmendOrder,
    AmendRefused,
    CancelOrder,
    HaltChanged,
    OrderAccepted,
    OrderAmended,
    OrderEnded,
    OrderMoved,
    QueryOrder,
    SubmitOrder,
)
from ares.kernel.trade.decide import MINUTE_MS
from ares.kernel.trade.layout import (
    BREAKER_DRAWDOWN,
    BREAKER_EXECUTION,
    BREAKER_FAILURES,
    BREAKER_GAS,
    BREAKER_NAMES,
    BREAKER_STATUS_NAMES,
    BREAKER_VOLATILITY,
    BREAKER_WIN_RATE,
    OPEN,
)
from ares.kernel.trade.money import fee_units, notional_units


def take_report(
    order: Order, event: OrderAccepted | OrderEnded | OrderAmended | AmendRefused, at_ms: int
) -> None:
    """Take a report on an open order that is not an execution."""
    match event:
        case OrderAccepted():
            if order.end_reason is None and order.remaining_lots != 0:
                accept(order, event.venue_id, at_ms)
        case OrderEnded():
            note_end(order, event.reason, event.cum_lots)
        case OrderAmended():
            if order.end_reason is None:
                resize(order, event.lots, event.price_ticks, at_ms)
        case AmendRefused():
            order.amend = Request.REFUSED


def take_request(
    order: Order, effect: CancelOrder | AmendOrder | QueryOrder | OrderMoved, at_ms: int
) -> None:
    """Note what was requested of an open order, or that it is in doubt."""
    match effect:
        case CancelOrder():
            order.cancel, order.cancel_ms = Request.SENT, at_ms
            order.cancels += 1
        case AmendOrder():
            ask_size(order, effect.lots, effect.price_ticks, at_ms)
        case QueryOrder():
            order.doubt_ms = order.doubt_ms or at_ms
        case OrderMoved():
            if effect.status == "unknown":
                order.doubt_ms = order.doubt_ms or at_ms


def note_signal(state: State, fact: SubmitOrder | SignalRefused) -> None:
    """Note the signal that a lane was last decided on."""
    book = state.trade.book[fact.instrument]
    book["inherited"] = 0
    book["entry_p"], book["entry_edge_bps"] = fact.p, fact.edge_bps
    book["entry_barrier_bps"] = fact.barrier_bps


def reserve(state: State, c: SubmitOrder) -> None:
    """Reserve what an entry can cost at most, and count it in its minute."""
    account, book = state.trade.account[0], state.trade.book[c.instrument]
    rules, spec = state.params.rules[0], state.params.specs[c.instrument]
    mul, div = int(spec["notional_mul"]), int(spec["notional_div"])
    worst_ticks = c.price_ticks
    if worst_ticks == 0:
        bps = float(rules["half_spread_bps"]) + float(rules["slippage_bps"])
        worst_ticks = math.ceil(c.expected_ticks * (1.0 + bps * 1e-4))
    worst = notional_units(worst_ticks, c.lots, mul, div)
    pending = notional_units(c.expected_ticks, c.lots, mul, div)
    reserved = worst + fee_units(worst, int(rules["fee_ppm"]))
    book["pending_notional"], book["reserved"] = pending, reserved
    account["pending_notional"] += pending
    account["reserved"] += reserved
    account["gross"] += pending
    minute = state.now_ms // MINUTE_MS
    if minute != int(account["minute"]):
        account["minute"], account["minute_orders"] = minute, 0
    account["minute_orders"] += 1


def set_breaker(state: State, fact: BreakerChanged) -> None:
    """Set a breaker as a fact says."""
    which, after = BREAKER_NAMES.index(fact.breaker), BREAKER_STATUS_NAMES.index(fact.after)
    if fact.cause and after != OPEN:
        _begin_again(state, which)
    if which == BREAKER_VOLATILITY:
        book = state.trade.book[fact.instrument]
        book["volatility_status"], book["volatility_ms"] = after, fact.ts_ms
        return
    account = state.trade.account
    account["breaker_status"][0][which] = after
    account["breaker_ms"][0][which] = fact.ts_ms
    account["breaker_trials"][0][which] = state.params.rules[0]["trial_trades"]
    account["breakers_open"] = int((account["breaker_status"][0] == OPEN).sum())


def _begin_again(state: State, which: int) -> None:
    """Let a breaker that a person closes look at nothing that was before."""
    account = state.trade.account[0]
    if which == BREAKER_WIN_RATE:
        account["win_count"] = 0
    elif which == BREAKER_DRAWDOWN:
        account["peak_equity"] = account["equity"]
    elif which == BREAKER_FAILURES:
        account["failures"] = 0
    elif which == BREAKER_EXECUTION:
        account["execution_count"] = 0
    elif which == BREAKER_GAS:
        for name in ("gas_recent", "gross_profit", "gas_trades"):
            account[name] = 0


def set_halt(state: State, fact: HaltChanged) -> None:
    """Let a halt stand, or go, as a fact says."""
    state.halts = [
        h for h in state.halts if (h.instrument, h.reason) != (fact.instrument, fact.reason)
    ]
    if fact.halted:
        halt = Halt(fact.instrument, fact.reason, fact.needs_person, fact.ts_ms, fact.detail)
        state.halts.append(halt)
    write_halts(state)


def settle_difference(state: State, fact: DifferenceSettled) -> None:
    """Take a difference as settled; a fact without its id stands for all of the instrument."""
    if fact.difference:
        state.differences = [d for d in state.differences if d.id != fact.difference]
    else:
        state.differences = [d for d in state.differences if d.instrument != fact.instrument]
    if fact.instrument >= 0:
        state.outside_lots[fact.instrument % state.setup.n_instruments] += fact.lots
    account = state.trade.account[0]
    for name in ("cash", "equity", "peak_equity", "day_equity"):
        account[name] += fact.cash_units
