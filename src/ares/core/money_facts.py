"""Folds journaled facts into a state: after a crash and an upgrade, nothing is decided again.

Executions, orders, halts, differences, breakers, modes and slots are taken as they were journaled.
Cash, positions, cost and fees follow from the executions; the journaled cash of every decision is
compared with them. Bars and external series only update features and volatility.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, get_args

import msgspec
import numpy as np

from ares.core.adoption import stop_bps
from ares.core.balances import take_balances
from ares.core.execution import forget
from ares.core.initial_state import write_rules
from ares.core.kill_orders import kill_order, lane_of_kill
from ares.core.ledger import apply_execution, book_adopted, book_settled, pay_gas
from ares.core.models import Models
from ares.core.orders import (
    Order,
    end,
    execute,
    sent,
)
from ares.core.single_facts import (
    note_signal,
    reserve,
    set_breaker,
    set_halt,
    settle_difference,
    take_report,
    take_request,
)
from ares.core.slot_history import SlotHistory
from ares.core.slots import apply_slots
from ares.core.small_positions import take_residue
from ares.core.state import State
from ares.core.step import step
from ares.core.take_over import note_taken
from ares.domain.events import (
    BarsClosed,
    BreakerChanged,
    ConfigChanged,
    DailyLossReached,
    DecisionMade,
    Effect,
    EngineStarted,
    Event,
    ModeChanged,
    RunStarted,
    SeriesPublished,
    SignalRefused,
    TradeClosed,
)
from ares.domain.holding_events import DifferenceFound, DifferenceSettled, HoldingTaken, ResidueLeft
from ares.domain.kill_ids import kill_lane
from ares.domain.model_events import SlotChanged
from ares.domain.order_events import (
    AccountSeen,
    AmendOrder,
    AmendRefused,
    CancelOrder,
    ClockSkewMeasured,
    CommandDone,
    CommandRefused,
    EndReason,
    ExecutionBooked,
    GasPaid,
    HaltChanged,
    OrderAccepted,
    OrderAmended,
    OrderEnded,
    OrderFilled,
    OrderMoved,
    QueryOrder,
    SubmitOrder,
    VenueDown,
    VenueUp,
)
from ares.kernel.trade.decide import DAY_MS
from ares.kernel.trade.layout import (
    MODE_LEARNING,
    MODE_TRADING,
    REASON_NAMES,
    VIRTUAL,
)

VIRTUAL_TRADES = "virtual trades"
CONFIDENCE = "the sums behind the mode confidence (without the newest virtual trades)"
SEQUENTIAL_TESTS = "the tests of challengers and of a lost edge"
EXITS = "exits that were decided and not sent"
LOOK_UPS = "look-ups and retries of orders"
"""What facts do not carry: it begins anew, or stays as it was in the snapshot."""

_END_REASONS = frozenset(get_args(EndReason))
_MODES = {"TRADING": MODE_TRADING, "LEARNING": MODE_LEARNING}


class JournaledFacts(NamedTuple):
    """One journaled event with its effects, which are facts now."""

    seq: int
    at_ms: int
    event: Event
    effects: Sequence[Effect]


class UnexplainedMoney(ValueError):
    """The journaled cash is not what the journaled executions lead to."""


def fold(state: State, entries: Iterable[JournaledFacts], models: Models) -> tuple[str, ...]:
    """Take the entries after the state's seq; return which statistics restart, none without any.

    models : of every ensemble in the state and in the entries.
    """
    facts = FactFold(state, models)
    first = state.seq
    for entry in entries:
        if entry.seq > first:
            facts.take(entry)
    return () if state.seq == first else facts.finish()


class FactFold:
    """Takes entries one by one into a state; see ``fold``."""

    def __init__(self, state: State, models: Models) -> None:
        self._state, self._models = state, models
        self._slots = SlotHistory(state.setup)
        self._slots.resume(state.slots, state.previous_champions)

    def take(self, entry: JournaledFacts) -> None:
        """Take the next entry: what was reported, then what followed from it."""
        state, event, effects = self._state, entry.event, entry.effects
        if isinstance(event, BarsClosed):
            if event.decides:  # as while warming up: features only
                event = msgspec.structs.replace(event, kind="warm")
            step(state, event, self._models, entry.at_ms)
        elif isinstance(event, SeriesPublished):
            step(state, event, self._models, entry.at_ms)
        state.seq, state.at_ms = entry.seq, max(state.at_ms, entry.at_ms)
        self._slots.on_event(event)
        ends = {
            e.client_id: e
            for e in effects
            if isinstance(e, OrderMoved) and e.status in _END_REASONS
        }
        if isinstance(event, OrderFilled):
            self._executed(event, effects, ends.get(event.client_id))
        else:
            self._reported(event)
        for moved in ends.values():
            order = state.orders.get(moved.client_id)
            if order is not None:
                self._end(order, moved)
                self._apply(order, moved.ts_ms, 0, 0, 0, late=False)
                forget(state, order)
        note_taken(state, event, effects)
        for effect in effects:
            self._fact(effect, event)

    def finish(self) -> tuple[str, ...]:
        """Begin anew what facts do not carry; return what that is."""
        state = self._state
        state.trade.virtual[:] = np.zeros((), VIRTUAL)
        tests = (SEQUENTIAL_TESTS,) if state.setup.challenger_rules is not None else ()
        return (VIRTUAL_TRADES, CONFIDENCE, *tests, EXITS, LOOK_UPS)

    # --- what was reported ---------------------------------------------------------------------

    def _executed(
        self, event: OrderFilled, effects: Sequence[Effect], moved: OrderMoved | None
    ) -> None:
        """Count an execution as the journal says that it was booked."""
        state, id_ = self._state, event.client_id
        if lane_of_kill(state, event) >= 0 and event.price_ticks > 0:
            self._sold_by_kill(event)
            return
        order = state.orders.get(id_) or state.ended.get(id_)
        if order is None or event.price_ticks <= 0:
            return
        was_open = order.open
        booking = execute(order, event.exec_id, event.lots)
        if booking.lots == 0 and booking.beyond == 0:
            return
        state.ledger_ms = state.at_ms
        if was_open and moved is not None:
            self._end(order, moved)
        booked = [e for e in effects if isinstance(e, ExecutionBooked) and e.client_id == id_]
        lots, fee = (booked[0].lots, booked[0].fee_units) if booked else (0, 0)
        if booked:
            state.dust_units[order.instrument % state.setup.n_instruments] = booked[0].dust_units
        self._apply(order, event.ts_ms, lots, event.price_ticks, fee, late=not was_open)
        if was_open and not order.open:
            forget(state, order)

    def _sold_by_kill(self, event: OrderFilled) -> None:
        """Take an execution of the kill command; it is booked with the fact that says so."""
        state, order = self._state, self._state.ended.get(event.client_id)
        if order is None or event.exec_id not in order.exec_ids:
            state.kill_executions.append(event)

    def _kill_booked(self, fact: ExecutionBooked) -> None:
        state = self._state
        keys = [(e.client_id, e.exec_id) for e in state.kill_executions]
        if (fact.client_id, fact.exec_id) not in keys:
            return
        event = state.kill_executions.pop(keys.index((fact.client_id, fact.exec_id)))
        order = kill_order(state, event)
        execute(order, event.exec_id, event.lots)
        state.ledger_ms = state.at_ms
        self._apply(order, fact.ts_ms, fact.lots, fact.price_ticks, fact.fee_units, late=True)

    def _reported(self, event: Event) -> None:
        state = self._state
        match event:
            case RunStarted():
                state.nonce, state.venue_up = event.setup.nonce, True
            case EngineStarted():
                state.nonce, state.orders_sent, state.venue_up = event.nonce, 0, True
            case VenueDown() | VenueUp():
                state.venue_up = isinstance(event, VenueUp)
            case ClockSkewMeasured():
                state.venue_ahead_ms = event.venue_ahead_ms
            case GasPaid():
                pay_gas(state, event)
            case AccountSeen():
                if event.complete and event.as_of_ms >= state.ledger_ms:
                    take_balances(state, event)
            case OrderAccepted() | OrderEnded() | OrderAmended() | AmendRefused():
                order = state.orders.get(event.client_id)
                if order is not None:
                    take_report(order, event, state.at_ms)
            case _:
                pass

    def _end(self, order: Order, moved: OrderMoved) -> None:
        reason: EndReason = msgspec.convert(moved.status, EndReason)
        end(order, reason, self._state.at_ms)

    def _apply(
        self, order: Order, ts_ms: int, lots: int, price_ticks: int, fee: int, *, late: bool
    ) -> None:
        with self._as_journaled():
            apply_execution(self._state, order, ts_ms, lots, price_ticks, fee, late=late)

    @contextmanager
    def _as_journaled(self) -> Iterator[None]:
        """Let breakers and modes stay as the facts say while something is booked."""
        account, book = self._state.trade.account, self._state.trade.book
        names = ("breaker_status", "breaker_ms", "breaker_trials")
        before = [account[name][0].copy() for name in names]
        n_open, modes = int(account[0]["breakers_open"]), book["mode"].copy()
        yield
        changed = account["breaker_status"][0] != before[0]
        for name, values in zip(names, before, strict=True):
            account[name][0][changed] = values[changed]
        account[0]["breakers_open"] = n_open
        book["mode"] = modes

    # --- facts ---------------------------------------------------------------------------------

    def _fact(self, effect: Effect, event: Event) -> None:
        state = self._state
        match effect:
            case DecisionMade():
                self._decided(effect)
            case SubmitOrder():
                self._submitted(effect)
            case CancelOrder() | AmendOrder() | QueryOrder() | OrderMoved():
                order = state.orders.get(effect.client_id)
                if order is not None:
                    take_request(order, effect, state.at_ms)
            case ExecutionBooked(client_id="", exec_id="adopted"):
                lane, lots, ticks = effect.instrument, effect.lots, effect.price_ticks
                stop = stop_bps(state, lane)
                with self._as_journaled():
                    book_adopted(state, lane, lots, ticks, stop, effect.fee_units)
            case HoldingTaken():
                state.existing_lots[effect.instrument] = 0
                if effect.adopted:
                    state.outside_lots[effect.instrument] -= effect.lots
            case ExecutionBooked(client_id=""):  # by a person's word
                lots, fee = effect.lots, effect.fee_units
                with self._as_journaled():
                    book_settled(state, effect.instrument, lots, effect.price_ticks, fee)
            case ExecutionBooked() if kill_lane(effect.client_id) >= 0:
                self._kill_booked(effect)
            case SignalRefused():
                note_signal(state, effect)
            case TradeClosed():
                state.trade.book[effect.instrument]["mode_confidence"] = effect.mode_confidence
            case ModeChanged():
                book = state.trade.book[effect.instrument]
                book["mode"], book["mode_confidence"] = _MODES[effect.after], effect.mode_confidence
            case BreakerChanged():
                set_breaker(state, effect)
            case ConfigChanged():
                state.rule_changes |= effect.rules
                state.config_version = effect.version
                write_rules(state)
            case DailyLossReached():
                state.trade.account[0]["daily_stopped"] = 1
            case HaltChanged():
                set_halt(state, effect)
            case DifferenceFound():
                state.differences.append(effect)
                if effect.kind == "unknown_order" and isinstance(event, OrderFilled):
                    key = f"{event.client_id}/{event.exec_id}"
                    state.strange_execs[key] = state.ledger_ms = state.at_ms
            case ResidueLeft():
                take_residue(state, effect.instrument, effect.lots, effect.units)
            case DifferenceSettled():
                settle_difference(state, effect)
            case CommandDone() | CommandRefused():
                state.answers[effect.id] = effect
            case SlotChanged():
                applied = self._slots.apply(effect)
                previous = applied.previous
                apply_slots(state, effect.instrument, applied.after, previous, self._models)
            case _:
                pass

    def _decided(self, fact: DecisionMade) -> None:
        """Take the account's value, and compare its cash."""
        state, account = self._state, self._state.trade.account[0]
        if fact.cash_units != int(account["cash"]):
            raise UnexplainedMoney(
                f"event {state.seq}: its executions lead to cash of {int(account['cash'])} units, "
                f"the journal says {fact.cash_units}"
            )
        day = fact.ts_ms // DAY_MS
        if day != int(account["day"]):
            account["day"], account["day_equity"] = day, account["equity"]
            account["daily_stopped"] = 0
        positions = fact.equity_units - fact.cash_units
        account["equity"] = fact.equity_units
        account["peak_equity"] = max(int(account["peak_equity"]), fact.equity_units)
        account["gross"] = positions + int(account["pending_notional"])
        book = state.trade.book
        outputs = np.frombuffer(fact.outputs).reshape(-1, len(book))
        book["mode_confidence"] = outputs[3]
        book["mode"] = outputs[4]

    def _submitted(self, command: SubmitOrder) -> None:
        state, c = self._state, command
        book = state.trade.book[c.instrument]
        state.orders_sent += 1
        if c.kind == "entry":
            state.trades_begun[c.instrument] = state.seq
            reserve(state, c)
            note_signal(state, c)
            book["expected_ticks"], book["entry_open_lots"] = c.expected_ticks, c.lots
        elif c.kind == "exit":
            book["exit_reason"], book["stop_lots"] = REASON_NAMES.index(c.reason), 0
            book["expected_ticks"] = c.expected_ticks
        begun = state.trades_begun[c.instrument]
        state.orders[c.client_id] = sent(c, state.seq, begun, state.at_ms)
        state.lane_orders[c.instrument].add(c.kind, c.client_id)
