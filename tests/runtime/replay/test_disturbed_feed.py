"""A run with late, missing and caught-up bars is re-stepped and certified like any other, and its
features are those of an unbroken feed once every bar is there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.no_gap import assert_no_gap

from ares.adapters.simulated_venue import SimulatedVenue
from ares.core.models import Models
from ares.core.snapshot import snapshot
from ares.core.state import State
from ares.domain.events import (
    BarsClosed,
    DecisionMade,
    Effect,
    Event,
    RunStarted,
    SignalRefused,
    TradeClosed,
)
from ares.domain.feed_events import ALL, BarCorrected, ClockSet, FeedChanged
from ares.domain.order_events import OrderFilled, SubmitOrder, TimeReached
from ares.domain.timeframe import MINUTE_MS
from ares.journal.run import JournalEntry, RunJournal, entries
from ares.observe.run_report import report_run
from ares.runtime.engine.bar_fills import BarFills
from ares.runtime.engine.history_market import VirtualClock
from ares.runtime.engine.loop import Loop
from ares.runtime.engine.plan import RunPlan
from ares.runtime.engine.recovery import Recovery
from ares.runtime.replay.certify import certify
from ares.runtime.replay.explain import explain
from ares.runtime.replay.restep import restep

BTC, ETH = 0, 1
N = 2


@dataclass
class Run:
    """A run whose bars a test gives, with fills at a simulated venue."""

    world: Any
    plan: RunPlan
    folder: Path
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        models = Models(self.world.models)
        served: Any = None  # a first start loads nothing
        recovery = Recovery(self.folder, served, models)
        started = recovery.start(self.plan.setup, snapshot(self.plan.state))
        self.state: State = started.state
        self.journal = RunJournal(self.folder, sync_ms=10**9)
        self.clock = VirtualClock(self.plan.setup.warm_ms)
        inbox = deque[Event]()
        self.venue = SimulatedVenue(self.state.params, N, inbox.append, self.clock.now_ms)
        self.fills = BarFills(self.state, self.venue)
        self.loop = Loop(self.state, self.journal, self.venue, models, self.clock, inbox)
        self.loop.process(RunStarted(self.plan.setup))

    def take(self, event: Event) -> None:
        """Show bars to the venue, then process an event."""
        if isinstance(event, BarsClosed):
            if event.kind != "warm":
                self._trade(event)
            self.clock.advance(event.ts_ms)
            while 0 < self.loop.due_ms < event.ts_ms:
                self.loop.process(TimeReached(self.loop.due_ms))
        self.loop.process(event)

    def _trade(self, event: BarsClosed) -> None:
        for lane in self.fills.lanes(event):
            self.clock.advance(event.ts_ms - MINUTE_MS)
            for fill in (self.fills.at_open, self.fills.in_range):
                fill(event, lane)
                self.loop.drain()

    def all(self, events: Sequence[Event]) -> Run:
        for event in events:
            self.take(event)
        self.journal.close()
        return self


def only(event: BarsClosed, *instruments: int, kind: Any = "closing") -> BarsClosed:
    """Return the bars of these instruments alone."""
    here = bytes(event.present[i] if i in instruments else 0 for i in range(N))
    return msgspec.structs.replace(event, present=here, kind=kind)


def unbroken(plan: RunPlan) -> list[BarsClosed]:
    return [plan.feed.event(t, plan.warming(t)) for t in range(len(plan.feed))]


def disturbed(plan: RunPlan, draw: Random, late: Sequence[int], lost: float = 0.0) -> list[Event]:
    """Return the feed with late bars of these instruments, and stretches that are caught up.

    lost : share of the late bars that never come.
    """
    found: list[Event] = []
    waits: list[BarsClosed] = []
    until = catching = 0
    who = late[0]
    for t, event in enumerate(unbroken(plan)):
        if not event.decides:
            found.append(event)
            continue
        if t >= until and waits:
            found += [e for e in waits if draw.random() >= lost]
            waits = []
        if t >= until and draw.random() < 0.06:
            until, who = t + draw.randint(1, 9), draw.choice(late)
        if not catching and draw.random() < 0.02:
            catching = draw.randint(1, 40)
        kind, ends = "closing", False
        if catching:
            catching -= 1
            kind, ends = "catch_up", catching == 0
        here = event
        if t < until:
            waits.append(only(event, who, kind="late"))
            here = only(event, 1 - who)
        found.append(msgspec.structs.replace(here, kind=kind, catch_up_ends=ends))
    return [*found, *waits]


def series_of(state: State) -> list[bytes]:
    return [array.tobytes() for array in state.bar_series]


@pytest.mark.parametrize("seed", range(6))
def test_late_and_caught_up_bars_recompute_without_a_mismatch(
    world: Any, plan: RunPlan, tmp_path: Path, seed: int
) -> None:
    late = [(ETH,), (BTC, ETH), (BTC,)][seed % 3]
    events = disturbed(plan, Random(seed), late, lost=0.0 if seed < 3 else 0.3)
    run = Run(world, plan, tmp_path / "run").all(events)
    kinds = {e.kind for e in events if isinstance(e, BarsClosed)}
    assert kinds == {"closing", "warm", "catch_up", "late"}
    journaled = list(entries(run.folder))
    assert sum(isinstance(e, TradeClosed) for entry in journaled for e in entry.effects) > 3
    stepped = restep(run.folder, world.models)
    assert (stepped.mismatches, stepped.events) == (0, len(journaled))
    certified = certify(run.folder, world.models)
    assert_no_gap(run.folder)
    assert certified.first is None
    assert certified.mismatches == 0
    decisions = sum(e.decides for e in events if isinstance(e, BarsClosed))
    assert certified.lines["decisions"][0] == decisions * (3 * 2 + 2)


@pytest.mark.parametrize("seed", range(3))
def test_features_are_those_of_an_unbroken_feed(
    world: Any, plan: RunPlan, tmp_path: Path, seed: int
) -> None:
    """Bars of the instrument that is not the reference are late; all come in the end."""
    whole = Run(world, plan, tmp_path / "whole").all(unbroken(plan))
    broken = Run(world, plan, tmp_path / "broken").all(disturbed(plan, Random(seed), [ETH]))
    assert series_of(broken.state) == series_of(whole.state)
    assert broken.state.features.tobytes() == whole.state.features.tobytes()
    assert broken.state.latest.p.tobytes() == whole.state.latest.p.tobytes()
    assert broken.state.last_warm.tobytes() == whole.state.last_warm.tobytes()
    for name in ("var_fast", "var_slow", "n_bars", "last_close"):
        before = whole.state.trade.book[name].tobytes()
        assert broken.state.trade.book[name].tobytes() == before, name


def test_an_outage_of_two_hours_changes_no_feature(
    world: Any, plan: RunPlan, tmp_path: Path
) -> None:
    events = list(unbroken(plan))
    first = next(t for t, e in enumerate(events) if e.decides) + 60
    for t in range(first, first + 120):
        ends = t == first + 119
        events[t] = msgspec.structs.replace(events[t], kind="catch_up", catch_up_ends=ends)
    whole = Run(world, plan, tmp_path / "whole").all(unbroken(plan))
    broken = Run(world, plan, tmp_path / "broken").all(events)
    assert series_of(broken.state) == series_of(whole.state)
    assert certify(broken.folder, world.models).mismatches == 0
    assert_no_gap(broken.folder)
    orders = orders_by_instant(broken.folder)
    caught_up = {events[t].ts_ms for t in range(first, first + 119)}
    assert not {at for at, order in orders if at in caught_up and order.kind in ("entry", "exit")}
    ended = [order for at, order in orders if at == events[first + 119].ts_ms]
    assert all(order.kind != "entry" for order in ended)
    assert any(order.kind == "entry" for at, order in orders if at > events[first + 119].ts_ms)


def orders_by_instant(folder: Path) -> list[tuple[int, SubmitOrder]]:
    """Return all orders, each with the newest instant when it was sent."""
    at_ms, found = 0, list[tuple[int, SubmitOrder]]()
    for entry in entries(folder):
        if isinstance(entry.event, BarsClosed) and entry.event.kind != "late":
            at_ms = entry.event.ts_ms
        found += [(at_ms, e) for e in entry.effects if isinstance(e, SubmitOrder)]
    return found


def test_an_exit_that_is_due_in_a_catch_up_is_sent_at_its_end(world: Any, tmp_path: Path) -> None:
    """The feed is lost from before an exit until after it."""
    plan = world.with_(changes={"horizon_bars": 3}).plan()
    whole = Run(world, plan, tmp_path / "whole").all(unbroken(plan))
    exits = [at for at, order in orders_by_instant(whole.folder) if order.reason == "timeout"]
    at_end: list[str] = []
    for k, exit_ms in enumerate(exits[2:8]):
        events = list(unbroken(plan))
        row = next(t for t, e in enumerate(events) if e.ts_ms == exit_ms)
        for t in range(row - 1, row + 4):
            ends = t == row + 3
            events[t] = msgspec.structs.replace(events[t], kind="catch_up", catch_up_ends=ends)
        broken = Run(world, plan, tmp_path / str(k)).all(events)
        sent = orders_by_instant(broken.folder)
        first_ms, end_ms = events[row - 1].ts_ms, events[row + 3].ts_ms
        assert {o.kind for at, o in sent if first_ms <= at < end_ms} <= {"stop"}
        at_end += [o.reason for at, o in sent if at == end_ms and o.kind == "exit"]
        assert certify(broken.folder, world.models).mismatches == 0
        assert_no_gap(broken.folder)
    assert "timeout" in at_end


def test_what_is_caught_up_is_valued_and_opens_no_virtual_trade(
    world: Any, plan: RunPlan, tmp_path: Path
) -> None:
    events = [
        e if not e.decides else msgspec.structs.replace(e, kind="catch_up") for e in unbroken(plan)
    ]
    run = Run(world, plan, tmp_path / "run").all(events)
    effects = [e for entry in entries(run.folder) for e in entry.effects]
    assert sum(isinstance(e, DecisionMade) for e in effects) == sum(e.decides for e in events)
    assert not [e for e in effects if isinstance(e, SubmitOrder | SignalRefused)]
    assert certify(run.folder, world.models).mismatches == 0


def test_facts_of_the_feed_change_nothing(world: Any, plan: RunPlan, tmp_path: Path) -> None:
    facts: list[Event] = [
        FeedChanged(5, ALL, "down", "the server closed the connection"),
        BarCorrected(5, ETH, (1.0, 1.0, 1.0, 1.0, 1.0), (1.0, 2.0, 1.0, 1.0, 1.0)),
        ClockSet(5, 6, 60.0),
    ]
    events: list[Event] = []
    for t, event in enumerate(unbroken(plan)):
        events += [event, facts[t % 3]]
    whole = Run(world, plan, tmp_path / "whole").all(unbroken(plan))
    run = Run(world, plan, tmp_path / "run").all(events)
    assert series_of(run.state) == series_of(whole.state)
    assert run.state.trade.account.tobytes() == whole.state.trade.account.tobytes()
    assert certify(run.folder, world.models).mismatches == 0
    assert restep(run.folder, world.models).mismatches == 0


def test_a_report_and_why_take_late_bars_for_what_they_are(
    world: Any, plan: RunPlan, tmp_path: Path
) -> None:
    events = disturbed(plan, Random(1), [ETH])
    run = Run(world, plan, tmp_path / "run").all(events)
    report = report_run(run.folder)
    bars = [e for e in events if isinstance(e, BarsClosed)]
    assert report.bars == sum(e.present.count(1) for e in bars if e.decides)
    last_ms = max(e.ts_ms for e in bars if e.decides and e.present[ETH])
    explained = explain(run.folder, "ETH/USDT", None, world.models)
    assert explained.closing_ms == last_ms


def forged_kinds(change: Callable[[BarsClosed], BarsClosed]) -> Any:
    """Return a forger of the kind of one late event in the middle."""
    seen = iter(range(10**6))

    def forger(_seq: int, event: Event, effects: list[Effect]) -> tuple[Event, list[Effect]]:
        if isinstance(event, BarsClosed) and event.kind == "late" and next(seen) == 10:
            return change(event), effects
        return event, effects

    return forger


@pytest.mark.parametrize("kind", ["left out", "changed"])
def test_a_forged_late_bar_is_found(world: Any, plan: RunPlan, tmp_path: Path, kind: str) -> None:
    run = Run(world, plan, tmp_path / "run").all(disturbed(plan, Random(2), [ETH]))

    def change(event: BarsClosed) -> BarsClosed:
        if kind == "left out":
            return only(event, kind="late")
        rows = np.frombuffer(event.ohlcv).reshape(N, 5).copy()
        rows[ETH, :4] *= 1.01
        return msgspec.structs.replace(event, ohlcv=rows.tobytes())

    world.forge(run.folder, forged_kinds(change))
    assert restep(run.folder, world.models).mismatches > 0
    assert certify(run.folder, world.models).mismatches > 0


def fills_of(folder: Path) -> Iterator[JournalEntry]:
    return (entry for entry in entries(folder) if isinstance(entry.event, OrderFilled))


def with_hole(plan: RunPlan, i: int, from_ms: int, to_ms: int, comes: bool = True) -> list[Event]:
    """Return the feed without the bars of an instrument that open in a span; they come after it."""
    found: list[Event] = []
    waits: list[Event] = []
    for event in unbroken(plan):
        if from_ms <= event.ts_ms - MINUTE_MS < to_ms:
            waits.append(only(event, i, kind="late"))
            found.append(only(event, 1 - i))
            continue
        if comes:
            found += waits
        waits = []
        found.append(event)
    return found


def stop_fills(folder: Path, lane: int) -> dict[int, tuple[int, int]]:
    """Return lots and price of the stops of a lane that filled, by the time of the bar."""
    orders = {o.client_id: o for _, o in orders_by_instant(folder)}
    found = {}
    for entry in fills_of(folder):
        assert isinstance(entry.event, OrderFilled)
        order = orders[entry.event.client_id]
        if order.kind == "stop" and order.instrument == lane:
            found[entry.event.ts_ms] = (entry.event.lots, entry.event.price_ticks)
    return found


def test_a_stop_that_rests_while_bars_are_missing_fills_by_them_once_they_come(
    world: Any, plan: RunPlan, tmp_path: Path
) -> None:
    """As at a venue, which does not know that they are late here: same bar, same price."""
    whole = Run(world, plan, tmp_path / "whole").all(unbroken(plan))
    stops = stop_fills(whole.folder, ETH)
    assert len(stops) > 2
    filled = 0
    for k, open_ms in enumerate(list(stops)[:3]):
        span = (open_ms - MINUTE_MS, open_ms + 3 * MINUTE_MS)
        late = Run(world, plan, tmp_path / f"late{k}").all(with_hole(plan, ETH, *span))
        never = Run(world, plan, tmp_path / f"never{k}").all(with_hole(plan, ETH, *span, False))
        filled += stop_fills(late.folder, ETH).get(open_ms) == stops[open_ms]
        in_hole = [ms for ms in stop_fills(never.folder, ETH) if span[0] <= ms < span[1]]
        assert not in_hole, "nobody knows what was in a hole that stays"
        for done in (late, never):
            assert certify(done.folder, world.models).mismatches == 0
            assert_no_gap(done.folder)
        assert restep(done.folder, world.models).mismatches == 0
    assert filled > 0


def test_an_order_does_not_fill_in_bars_from_before_it_was_sent(
    world: Any, plan: RunPlan, tmp_path: Path
) -> None:
    run = Run(world, plan, tmp_path / "run").all(disturbed(plan, Random(3), [ETH]))
    sent: dict[str, int] = {}
    late_fills = 0
    for entry in entries(run.folder):
        sent |= {e.client_id: entry.at_ms for e in entry.effects if isinstance(e, SubmitOrder)}
        if isinstance(entry.event, OrderFilled):
            late_fills += entry.at_ms > entry.event.ts_ms + 2 * MINUTE_MS
            assert sent[entry.event.client_id] < entry.event.ts_ms + MINUTE_MS
    assert late_fills > 0


def test_an_exit_that_is_due_in_a_hole_is_sent_at_the_first_bar_after_it(
    world: Any, tmp_path: Path
) -> None:
    """Its time has passed while the instrument had no bar; late bars decide nothing."""
    plan = world.with_(changes={"horizon_bars": 3}).plan()
    whole = Run(world, plan, tmp_path / "whole").all(unbroken(plan))
    timeouts = [
        at
        for at, order in orders_by_instant(whole.folder)
        if (order.reason, order.instrument) == ("timeout", ETH)
    ]
    after_hole = 0
    for k, exit_ms in enumerate(timeouts[1:5]):
        span = (exit_ms - MINUTE_MS, exit_ms + 3 * MINUTE_MS)
        broken = Run(world, plan, tmp_path / str(k)).all(with_hole(plan, ETH, *span))
        sent = [
            (at, order.kind)
            for at, order in orders_by_instant(broken.folder)
            if order.instrument == ETH and exit_ms <= at <= exit_ms + 4 * MINUTE_MS
        ]
        assert all(kind == "stop" for at, kind in sent if at < exit_ms + 4 * MINUTE_MS)
        after_hole += (exit_ms + 4 * MINUTE_MS, "exit") in sent
        assert certify(broken.folder, world.models).mismatches == 0
        assert_no_gap(broken.folder)
    assert after_hole > 0
