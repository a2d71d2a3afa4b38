"""Orders against a venue that may do anything: money is conserved, nothing is oversold, no event
raises, and what cannot be explained halts its own instrument only.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from fractions import Fraction
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ares.core.execution import submit, wake_ms, work
from ares.core.halts import BY_DIFFERENCE, is_disputed
from ares.core.initial_state import new_state
from ares.core.models import NO_MODELS
from ares.core.orders import Life, Order, placed_orders
from ares.core.pieces import PIECES_MAX
from ares.core.snapshot import restore, snapshot
from ares.core.step import step
from ares.domain.events import Effect, EngineStarted, Event, RunStarted
from ares.domain.holding_events import DifferenceFound, DifferenceSettled
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.order_events import (
    AccountSeen,
    AmendOrder,
    AmendRefused,
    CancelOrder,
    CancelRefused,
    CommandDone,
    CommandGiven,
    EventRefused,
    ExecutionBooked,
    OrderAbsent,
    OrderAccepted,
    OrderAmended,
    OrderEnded,
    OrderFilled,
    OrderUnknown,
    SubmitOrder,
    TimeReached,
    VenueDown,
    VenueUp,
)
from ares.domain.run import RunInstrument, RunSetup
from ares.domain.timeframe import MINUTE_MS, Timeframe
from ares.domain.venue import VenueTraits
from ares.kernel.trade import Rules
from ares.kernel.trade.arrays import Signal
from ares.kernel.trade.layout import ENTRY, REASON_REVERSAL, REASON_SIGNAL

START_MS = 1_704_153_600_000
N = 2
OWNER = "0a0b0c0d"
KEYS = [f"test:T{i}/USDT" for i in range(N)]
SIGNAL = Signal(0.6, 9.0, 100.0)
TRAITS = VenueTraits(True, True, 5_000, 2_000, 3_000, 5_000, 300_000)
LANES = st.integers(0, N - 1)
PICK = st.integers(0, 2**16)
SHARES = st.sampled_from([0.001, 0.1, 0.37, 0.5, 0.999, 1.0, 1.0, 1.0, 1.3, 2.0])
TICKS = st.sampled_from([9_000, 9_899, 9_900, 10_000, 10_001, 11_000, 1, 100_000])


def setup_of(traits: VenueTraits, order_lots_max: int = 0) -> RunSetup:
    specs = [
        InstrumentSpec(Instrument("test", f"T{i}/USDT"), 2, 3, order_lots_max=order_lots_max)
        for i in range(N)
    ]
    lanes = tuple(RunInstrument(spec, MINUTE_MS, None, True) for spec in specs)
    rules = {name: float(value) for name, value in asdict(Rules()).items()}
    return RunSetup(
        "sim/x", lanes, (Timeframe.M1,), -1, START_MS, START_MS + 10**9, START_MS, 10_000.0, rules,
        0.25, {}, owner=OWNER, nonce="first", traits=traits,
    )  # fmt: skip


def units(ticks: int, lots: int) -> int:
    return round(Fraction(ticks * abs(lots) * 10**8, 10**5))


class Mirror:
    """One lane in Python's integers, from the booked executions alone."""

    def __init__(self) -> None:
        self.held = self.cost = 0

    def book(self, e: ExecutionBooked) -> int:
        """Count an execution, and return by how much it changes cash."""
        if e.lots > 0:
            self.held += e.lots
            self.cost += units(e.price_ticks, e.lots)
            return -units(e.price_ticks, e.lots) - e.fee_units
        self.cost -= round(Fraction(self.cost * -e.lots, self.held))
        self.held += e.lots
        return units(e.price_ticks, e.lots) - e.fee_units


class AnyVenue(RuleBasedStateMachine):
    """A venue, a network and a person who do anything in any order; the engine follows."""

    @initialize(amends=st.booleans(), proves=st.booleans(), most=st.sampled_from([0, 0, 4, 300]))
    def begin(self, amends: bool, proves: bool, most: int) -> None:
        traits = VenueTraits(amends, proves, *[getattr(TRAITS, n) for n in TIMES])
        self.setup, self.most = setup_of(traits, most), most
        self.state = new_state(self.setup)
        self.at_ms = START_MS
        self.cash = int(self.state.trade.account[0]["cash"])
        self.lanes = [Mirror() for _ in range(N)]
        self.asked: dict[str, int] = {}  # signed lots: of the order, or of its largest amendment
        self.lane_of: dict[str, int] = {}
        self.booked: Counter[str] = Counter()
        self.beyond: set[str] = set()  # orders that filled more than could be booked
        self.executions: dict[tuple[str, str], int] = {}  # reported; which lots
        self.numbers = 0
        self.take(RunStarted(self.setup))
        self.take(AccountSeen(self.at_ms, self.at_ms, True, (0,) * N, ()))

    def take(self, event: Event) -> list[Effect]:
        effects = step(self.state, event, NO_MODELS, self.at_ms)
        self.check(effects)
        return effects

    # --- the engine's side -----------------------------------------------------------------------

    def check(self, effects: list[Effect]) -> None:
        """Compare the effects with the mirror, and what is sent with what may be."""
        for e in effects:
            match e:
                case ExecutionBooked():
                    self.cash += self.lanes[e.instrument].book(e)
                    if not e.client_id:  # what a person settled is of no order
                        continue
                    self.booked[e.client_id] += e.lots
                    assert self.lane_of[e.client_id] == e.instrument
                case DifferenceSettled():
                    self.cash += e.cash_units
                case DifferenceFound(client_id=client_id) if e.lots:
                    self.beyond.add(client_id)
                case SubmitOrder():
                    assert e.client_id not in self.asked, "an id was used twice"
                    assert e.lots != 0
                    assert e.lots > 0 or not self.most or -e.lots <= self.most
                    self.asked[e.client_id], self.lane_of[e.client_id] = e.lots, e.instrument
                    self.sent(e.instrument, sells=e.lots < 0)
                case AmendOrder():
                    assert e.lots < 0
                    assert not self.most or -e.lots <= self.most
                    self.asked[e.client_id] = min(self.asked[e.client_id], e.lots)
                    self.sent(e.instrument, e, sells=True)
                case CancelOrder():
                    self.sent(e.instrument, sells=False)
                case _:
                    pass

    def sent(self, lane: int, amended: AmendOrder | None = None, *, sells: bool) -> None:
        """No command leaves for a disputed instrument, and sells never exceed what is held."""
        assert not is_disputed(self.state, lane)
        assert self.state.venue_up
        selling = 0
        for order in self.state.orders.values():
            if order.instrument != lane or order.lots > 0:
                continue
            rest = -order.remaining_lots
            if amended is not None and order.client_id == amended.client_id:
                rest = order.filled_lots - amended.lots
            selling += rest
        if sells:
            assert selling <= self.lanes[lane].held

    @precondition(lambda self: self.can_enter(0) or self.can_enter(1))
    @rule(lane=LANES, lots=st.sampled_from([1, 2, 10, 999, 10**6]))
    def decide_entry(self, lane: int, lots: int) -> None:
        """Enter as ``core.step`` does with a decision of the kernel."""
        if not self.can_enter(lane):
            return
        book = self.state.trade.book[lane]
        book["expected_ticks"], book["entry_open_lots"] = 10_000, lots
        self.check([submit(self.state, lane, ENTRY, lots, 0, REASON_SIGNAL, SIGNAL)])

    def can_enter(self, lane: int) -> bool:
        book, account = self.state.trade.book[lane], self.state.trade.account[0]
        return not (
            account["halted"] or book["halted"] or book["position_lots"]
            or book["entry_open_lots"] or self.state.lane_orders[lane].entry
        )  # fmt: skip

    @precondition(lambda self: any(mirror.held for mirror in self.lanes))
    @rule(lane=LANES)
    def decide_exit(self, lane: int) -> None:
        """Leave as the kernel does: what is held is to be sold, and no stop is wanted."""
        book = self.state.trade.book[lane]
        if book["position_lots"] and not book["exit_reason"]:
            book["exit_reason"], book["stop_lots"] = REASON_REVERSAL, 0
            self.check(work(self.state, lane))

    @rule(wait_ms=st.sampled_from([0, 1, 100, 500, 1_100, 5_000, 70_000]))
    def time_passes(self, wait_ms: int) -> None:
        self.at_ms += wait_ms
        due_ms = wake_ms(self.state)
        if 0 < due_ms <= self.at_ms:
            self.take(TimeReached(self.at_ms))

    @rule(crash=st.booleans())
    def restart(self, crash: bool) -> None:
        self.state = restore(self.setup, snapshot(self.state))
        self.numbers += 1
        if crash:
            self.take(EngineStarted({}, self.state.seq, f"epoch {self.numbers}"))
            seen = AccountSeen(self.at_ms, self.at_ms, True, self.held(), tuple(self.state.orders))
            self.take(seen)

    def held(self) -> tuple[int, ...]:
        """Return what a venue holds that knows of the ledger's executions alone."""
        outside = self.state.outside_lots
        return tuple(m.held + lots for m, lots in zip(self.lanes, outside, strict=True))

    # --- the venue's side ------------------------------------------------------------------------

    def order(self, pick: int, *, ended: bool = False) -> Order | None:
        """Return an order that the engine knows: an open one, or one of the newest that ended."""
        known = list(self.state.orders.values())
        if self.state.ended and (ended or not known):
            known = list(self.state.ended.values())[-4:]
        return known[pick % len(known)] if known else None

    def executed(self, event: OrderFilled) -> None:
        """Report an execution: all of it is booked, or stands in a difference; and only once."""
        key = (event.client_id, event.exec_id)
        is_new = key not in self.executions
        differences = len(self.state.differences)
        halts = [h for h in self.state.halts if h.reason != BY_DIFFERENCE]
        effects = self.take(event)
        booked = [e for e in effects if isinstance(e, ExecutionBooked)]
        found = [e for e in effects if isinstance(e, DifferenceFound)]
        if not is_new:
            assert not booked
            assert not found
            return
        self.executions[key] = event.lots
        assert len(booked) <= 1
        assert len(found) <= 1
        assert len(self.state.differences) == differences + len(found)
        assert sum(e.lots for e in booked) + sum(e.lots for e in found) == event.lots
        fees = sum(e.fee_units for e in booked) + sum(e.fee_units for e in found)
        assert fees == event.fee_units
        assert all(e.exec_id == event.exec_id for e in booked)
        if not event.client_id.startswith(OWNER):
            assert [h for h in self.state.halts if h.reason != BY_DIFFERENCE] == halts

    @rule(
        pick=PICK, share=SHARES, ticks=TICKS, fee=st.integers(0, 10**6), late=st.booleans(),
        wrong_side=st.sampled_from([False] * 9 + [True]),
    )  # fmt: skip
    def fill(
        self, pick: int, share: float, ticks: int, fee: int, late: bool, wrong_side: bool
    ) -> None:
        order = self.order(pick, ended=late)
        if order is None:
            return
        lots = max(1, int(abs(order.lots) * share)) * (1 if order.lots > 0 else -1)
        self.numbers += 1
        lots = -lots if wrong_side else lots
        head = (order.client_id, self.at_ms, lots, ticks, fee)
        self.executed(OrderFilled(*head, f"x{self.numbers}"))

    @rule()
    def answer(self) -> None:
        """Answer all that was sent, as an honest venue would; nothing fills."""
        for order in list(self.state.orders.values()):
            if order.cancel == "sent":
                self.take(OrderEnded(order.client_id, self.at_ms, "cancelled", order.seen_lots))
            elif order.end_reason is None:
                self.take(OrderAccepted(order.client_id, self.at_ms))

    @precondition(lambda self: any(mirror.held for mirror in self.lanes))
    @rule(lane=LANES, filled_first=st.booleans())
    def exit_and_stop_fill(self, lane: int, filled_first: bool) -> None:
        """Fill an exit, and the stop that was cancelled for it: a report that comes late."""
        stop = self.state.orders.get(self.state.lane_orders[lane].stop)
        if stop is None or stop.end_reason is not None:
            return
        self.decide_exit(lane)
        self.answer()
        leaving = self.state.orders.get(self.state.lane_orders[lane].exit)
        both = [order for order in (leaving, stop) if order is not None]
        for order in both if filled_first else both[::-1]:
            if order.remaining_lots:
                self.numbers += 1
                head = (order.client_id, self.at_ms, order.remaining_lots, 10_000, 7)
                self.executed(OrderFilled(*head, f"x{self.numbers}"))

    @rule(pick=PICK)
    def complete(self, pick: int) -> None:
        """Fill what is left of an order, as an honest venue would."""
        order = self.order(pick)
        if order is not None and order.open and order.remaining_lots:
            self.numbers += 1
            head = (order.client_id, self.at_ms, order.remaining_lots, 10_000, 7)
            self.executed(OrderFilled(*head, f"x{self.numbers}"))

    @precondition(lambda self: self.executions)
    @rule(pick=PICK)
    def fill_again(self, pick: int) -> None:
        """Report an execution a second time, by another way: with another time."""
        (client_id, exec_id), lots = list(self.executions.items())[pick % len(self.executions)]
        self.executed(OrderFilled(client_id, self.at_ms, lots, 10_000, 3, exec_id, 0))

    @rule(
        lane=LANES, lots=st.sampled_from([-10, -1, 3, 10**6]), fee=st.integers(0, 9),
        is_own=st.booleans(),
    )  # fmt: skip
    def fill_of_nobody(self, lane: int, lots: int, fee: int, is_own: bool) -> None:
        self.numbers += 1
        client_id = (OWNER if is_own else "ffffffff") + f"{self.numbers:024d}"
        self.executed(OrderFilled(client_id, self.at_ms, lots, 9_999, fee, "x", lane))

    @rule(pick=PICK, ticks=st.sampled_from([0, -1]))
    def fill_without_a_price(self, pick: int, ticks: int) -> None:
        order = self.order(pick, ended=True)
        client_id = order.client_id if order is not None else "?"
        (refused,) = self.take(OrderFilled(client_id, self.at_ms, 1, ticks, 0, "no price"))
        assert isinstance(refused, EventRefused)

    @rule(
        pick=PICK, reason=st.sampled_from(["filled", "cancelled", "rejected", "expired"]),
        cum=st.sampled_from(["none", "known", "known", "more", "less", "wrong side"]),
    )  # fmt: skip
    def end(self, pick: int, reason: Any, cum: str) -> None:
        order = self.order(pick, ended=True)
        if order is None:
            return
        side = 1 if order.lots > 0 else -1
        seen = order.seen_lots
        cum_lots = {
            "none": None, "known": seen, "more": seen + side, "less": seen - side if seen else 0,
            "wrong side": -side,
        }[cum]  # fmt: skip
        self.take(OrderEnded(order.client_id, self.at_ms, reason, cum_lots))

    @rule(
        pick=PICK, kind=st.sampled_from([OrderAccepted, OrderUnknown, CancelRefused, AmendRefused])
    )
    def report(self, pick: int, kind: Any) -> None:
        order = self.order(pick, ended=True)
        self.take(kind(order.client_id if order is not None else "?", self.at_ms))

    @rule(pick=PICK, complete=st.booleans(), venue_late_ms=st.sampled_from([0, 60_000]))
    def absent(self, pick: int, complete: bool, venue_late_ms: int) -> None:
        order = self.order(pick, ended=True)
        client_id = order.client_id if order is not None else "?"
        self.take(OrderAbsent(client_id, self.at_ms, complete, self.at_ms + venue_late_ms))

    @precondition(lambda self: any(o.amend == "sent" for o in self.state.orders.values()))
    @rule(as_asked=st.booleans(), lots=st.integers(-20, 20), ticks=TICKS)
    def amended(self, as_asked: bool, lots: int, ticks: int) -> None:
        order = next(o for o in self.state.orders.values() if o.amend == "sent")
        lots = self.asked[order.client_id] if as_asked else lots
        self.take(OrderAmended(order.client_id, self.at_ms, lots, ticks))

    @rule(lane=LANES, lots=st.integers(-5, 5), complete=st.booleans(), listed=st.booleans())
    def account(self, lane: int, lots: int, complete: bool, listed: bool) -> None:
        held = list(self.held())
        held[lane] += lots
        ids = tuple(self.state.orders) if listed else ()
        self.take(AccountSeen(self.at_ms, self.at_ms, complete, tuple(held), ids))

    @rule(up=st.sampled_from([True, True, False]))
    def session(self, up: bool) -> None:
        self.numbers += 1
        self.take(VenueUp(self.at_ms, self.numbers) if up else VenueDown(self.at_ms))

    # --- a person's side -------------------------------------------------------------------------

    @rule(lane=st.sampled_from([*range(N), -1]))
    def settle(self, lane: int) -> None:
        chosen = [d for d in self.state.differences if lane in (-1, d.instrument)]
        wanted = sum(
            (-units(d.price_ticks, d.lots) if d.lots > 0 else units(d.price_ticks, d.lots))
            - d.fee_units
            for d in chosen
        )
        self.numbers += 1
        args = {} if lane < 0 else {"instrument": KEYS[lane]}
        command = CommandGiven(f"c{self.numbers}", self.at_ms, "ada", "settle", args)
        effects = self.take(command)
        settled = [e for e in effects if isinstance(e, DifferenceSettled)]
        sold = [e for e in effects if isinstance(e, ExecutionBooked)]  # out of the position
        received = sum(units(e.price_ticks, e.lots) - e.fee_units for e in sold)
        assert sum(e.cash_units for e in settled) + received == wanted
        lots = sum(e.lots for e in settled) + sum(e.lots for e in sold)
        assert lots == sum(d.lots for d in chosen)
        assert isinstance(effects[-1], CommandDone) == bool(chosen)
        assert self.take(command) == effects[-1:], "delivered again, it is only answered"

    @rule(verb=st.sampled_from(["resume", "resume", "halt"]))
    def command(self, verb: str) -> None:
        self.numbers += 1
        self.take(CommandGiven(f"c{self.numbers}", self.at_ms, "ada", verb, {}))

    # --- what holds at any time ------------------------------------------------------------------

    @invariant()
    def money_is_conserved(self) -> None:
        account, book = self.state.trade.account[0], self.state.trade.book
        assert int(account["cash"]) == self.cash
        for lane, mirror in enumerate(self.lanes):
            assert int(book[lane]["position_lots"]) == mirror.held >= 0
            assert int(book[lane]["cost_units"]) == mirror.cost

    @invariant()
    def nothing_is_above_what_was_asked(self) -> None:
        for client_id, lots in self.booked.items():
            asked = self.asked[client_id]
            assert 0 <= lots <= asked or asked <= lots <= 0, client_id
        for known in (self.state.orders, self.state.ended):
            for client_id, order in known.items():
                booked = self.booked[client_id]
                assert abs(booked) <= abs(order.filled_lots)
                assert booked == order.filled_lots or client_id in self.beyond
                assert len(order.exec_ids) == len(set(order.exec_ids))
                assert order.open == (known is self.state.orders) == (order.life is not Life.ENDED)

    @invariant()
    def a_difference_halts_its_instrument_and_no_other(self) -> None:
        standing = {d.instrument for d in self.state.differences}
        halted = {h.instrument for h in self.state.halts if h.reason == BY_DIFFERENCE}
        assert halted == standing
        scopes = {h.instrument for h in self.state.halts}
        assert bool(self.state.trade.account[0]["halted"]) == (-1 in scopes)
        for lane in range(N):
            assert bool(self.state.trade.book[lane]["halted"]) == (lane in scopes)

    @invariant()
    def a_lane_knows_its_orders(self) -> None:
        """One entry; exits and stops only as many as the venue's largest order makes necessary."""
        kinds = Counter((o.instrument, o.kind) for o in self.state.orders.values())
        for (lane, kind), n in kinds.items():
            placed = self.state.lane_orders[lane]
            found = placed_orders(placed, kind, self.state.orders)
            assert len({order.client_id for order in found}) == n
            assert all(order.kind == kind for order in found)
            assert n <= (PIECES_MAX if self.most and kind != "entry" else 1 + (kind == "exit"))
        for placed in self.state.lane_orders:
            assert all(id_ in self.state.orders for id_ in placed.pieces)


TIMES = ("deadline_ms", "absence_margin_ms", "answer_ms", "fill_ms", "account_ms")

AnyVenue.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestAnyVenue = AnyVenue.TestCase


class Engine:
    """An engine with an entry of 10 lots on its way in its first lane."""

    def __init__(self) -> None:
        self.state = new_state(setup_of(TRAITS))
        self.state.trade.book[0]["entry_open_lots"] = 10
        self.entry = submit(self.state, 0, ENTRY, 10, 0, REASON_SIGNAL, SIGNAL).client_id
        self.numbers = 0

    def take(self, event: Event) -> list[Effect]:
        return step(self.state, event, NO_MODELS, START_MS)

    def fill(self, client_id: str, lots: int) -> list[Effect]:
        self.numbers += 1
        name = f"x{self.numbers}"
        return self.take(OrderFilled(client_id, START_MS, lots, 10_000, 0, name))

    @property
    def held(self) -> int:
        return int(self.state.trade.book[0]["position_lots"])

    @property
    def stop(self) -> Order:
        return self.state.orders[self.state.lane_orders[0].stop]

    def leave(self) -> list[Effect]:
        book = self.state.trade.book[0]
        book["exit_reason"], book["stop_lots"] = REASON_REVERSAL, 0
        return work(self.state, 0)


def test_a_stop_and_an_exit_that_both_fill_leave_no_position_below_zero() -> None:
    engine = Engine()
    engine.fill(engine.entry, 10)
    stop = engine.stop.client_id
    engine.take(OrderAccepted(stop, START_MS))
    assert engine.leave() == [CancelOrder(stop, 0)], "the exit waits for the end of the stop"
    effects = engine.take(OrderEnded(stop, START_MS, "cancelled", 0))
    (sale,) = [e for e in effects if isinstance(e, SubmitOrder)]
    assert (sale.kind, sale.lots) == ("exit", -10)
    cash = int(engine.state.trade.account[0]["cash"])
    assert engine.fill(sale.client_id, -10)
    assert engine.held == 0
    late = engine.fill(stop, -10)
    assert engine.held == 0
    (found,) = [e for e in late if isinstance(e, DifferenceFound)]
    assert (found.kind, found.client_id, found.lots) == ("beyond_position", stop, -10)
    assert int(engine.state.trade.account[0]["cash"]) == cash + units(10_000, 10)


def test_a_stop_that_fills_while_its_cancel_is_on_its_way_leaves_less_to_sell() -> None:
    engine = Engine()
    engine.fill(engine.entry, 10)
    stop = engine.stop.client_id
    engine.take(OrderAccepted(stop, START_MS))
    engine.leave()
    assert not [e for e in engine.fill(stop, -4) if isinstance(e, SubmitOrder)]
    effects = engine.take(OrderEnded(stop, START_MS, "cancelled", -4))
    assert [e.lots for e in effects if isinstance(e, SubmitOrder)] == [-6]


def test_what_fills_of_an_entry_after_its_stop_was_hit_gets_a_stop() -> None:
    engine = Engine()
    engine.fill(engine.entry, 4)
    stop = engine.stop
    assert stop.lots == -4
    engine.take(OrderAccepted(stop.client_id, START_MS))
    effects = engine.fill(stop.client_id, -4)
    assert engine.held == 0
    assert CancelOrder(engine.entry, 0) in effects, "the rest is not wanted any more"
    effects = engine.fill(engine.entry, 6)
    assert engine.held == 6
    (protection,) = [e for e in effects if isinstance(e, SubmitOrder)]
    assert (protection.kind, protection.lots, protection.price_ticks) == ("stop", -6, 9_900)
    assert engine.state.differences == []
