"""The engine with a venue that answers later: nothing is sent before it is on the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.core.conftest import TwoInstruments

from ares.core.models import Models
from ares.core.snapshot import snapshot
from ares.domain.events import Command, Event
from ares.domain.order_events import (
    AccountSeen,
    AskAccount,
    CancelOrder,
    OrderAccepted,
    OrderEnded,
    OrderFilled,
    OrderUnknown,
    QueryOrder,
    Stopping,
    SubmitOrder,
)
from ares.journal.run import entries
from ares.runtime.engine.clocks import RunningClock
from ares.runtime.engine.code_version import code_hashes
from ares.runtime.engine.hot_swap import HotSwap
from ares.runtime.engine.live_run import LiveOptions, start_event
from ares.runtime.engine.plan import RunPlan
from ares.runtime.engine.recovery import RecoveredRun, Recovery
from ares.runtime.engine.serving import ServedModels
from ares.runtime.engine.venue_engine import venue_engine


class PatientVenue:
    """Fills every entry and exit whole, at the expected price, in a task of its own."""

    def __init__(self, folder: Path, n: int) -> None:
        self.folder, self.lots = folder, [0] * n
        self.sent: list[Command] = []
        self.resting: dict[str, SubmitOrder] = {}
        self.unjournaled = 0
        self._waiting: asyncio.Queue[Command] = asyncio.Queue()

    def send(self, command: Command) -> None:
        if isinstance(command, SubmitOrder):
            journaled = (effect for entry in entries(self.folder) for effect in entry.effects)
            self.unjournaled += command not in list(journaled)
        self.sent.append(command)
        self._waiting.put_nowait(command)

    async def run(self, post: Callable[[Event], None]) -> None:
        while True:
            command = await self._waiting.get()
            for event in self._answers(command):
                post(event)

    def _answers(self, command: Command) -> list[Event]:
        match command:
            case SubmitOrder(client_id=id_, instrument=i, lots=lots, expected_ticks=ticks):
                if command.kind == "stop":
                    self.resting[id_] = command
                    return [OrderAccepted(id_, 0)]
                self.lots[i % len(self.lots)] += lots
                return [OrderFilled(id_, 0, lots, ticks, 0, f"x{id_[-8:]}"), OrderAccepted(id_, 0)]
            case CancelOrder(client_id=id_):
                self.resting.pop(id_, None)
                return [OrderEnded(id_, 0, "cancelled", 0)]
            case QueryOrder(client_id=id_):
                held = id_ in self.resting
                return [OrderAccepted(id_, 0) if held else OrderEnded(id_, 0, "filled")]
            case AskAccount(ts_ms=ts_ms):
                return [AccountSeen(ts_ms, ts_ms, True, tuple(self.lots), tuple(self.resting))]
        return []


def test_orders_are_sent_once_they_are_on_the_disk_and_what_is_held_has_its_stop(
    world: Any, plan: RunPlan, tmp_path: Path
) -> None:
    async def run() -> tuple[PatientVenue, Any]:
        serving = ServedModels(world.models)
        models, swap = Models(serving.scorers), HotSwap(serving, lambda _: world.models)
        recovered = Recovery(tmp_path, swap, models).start(plan.setup, snapshot(plan.state))
        start_ms, passed_ms = plan.setup.warm_ms, [0]
        clock = RunningClock.after(
            0, lambda: passed_ms[0] * 1_000_000, lambda: (start_ms + passed_ms[0]) * 1_000_000
        )
        venue = PatientVenue(tmp_path, plan.setup.n_instruments)
        engine = venue_engine(tmp_path, recovered, models, swap, clock, venue, 10**9)

        async def feed() -> None:
            for t in range(len(plan.feed)):
                passed_ms[0] = int(plan.feed.close_ms[t]) - start_ms
                engine.post(plan.feed.event(t, plan.warming(t)))
                while engine.state.now_ms < int(plan.feed.close_ms[t]):
                    await asyncio.sleep(0)
                for _ in range(20):  # the venue answers before the next bar
                    await asyncio.sleep(0)

        begin = start_event(recovered, True, code_hashes(), "ab" * 8, clock.refused_ms)
        await engine.run([begin], [feed, lambda: venue.run(engine.post)])
        return venue, engine.state

    venue, state = asyncio.run(run())
    assert venue.unjournaled == 0
    kinds = {command.kind for command in venue.sent if isinstance(command, SubmitOrder)}
    assert {"entry", "stop"} <= kinds
    held = [int(lots) for lots in state.trade.book["position_lots"]]
    n = plan.setup.n_instruments
    assert [sum(held[i::n]) for i in range(n)] == venue.lots
    stopped = [0] * n
    for stop in venue.resting.values():
        stopped[stop.instrument % n] -= stop.lots
    assert stopped == venue.lots
    assert not state.differences


def test_reports_that_wait_together_are_made_durable_once(tmp_path: Path) -> None:
    """Two answers are lost at the same moment: both orders are looked up after one sync."""
    two = TwoInstruments()
    stops = [two.hold(lane) for lane in range(2)]
    sent: list[Command] = []
    synced: list[int] = []

    class Venue:
        def send(self, command: Command) -> None:
            sent.append(command)

    async def run() -> None:
        serving = ServedModels({})
        models, swap = Models(serving.scorers), HotSwap(serving, lambda _: {})
        clock = RunningClock.after(0, lambda: 0, lambda: two.at_ms * 1_000_000)
        engine = venue_engine(
            tmp_path, RecoveredRun(two.state), models, swap, clock, Venue(), 10**9
        )
        on_disk = engine._make_durable

        async def counted(seq: int) -> None:
            synced.append(seq)
            assert not sent
            await on_disk(seq)

        engine._make_durable = counted
        for stop in stops:
            engine.post(OrderUnknown(stop, two.at_ms, "timeout"))

        async def until_sent() -> None:
            for _ in range(100_000):
                await asyncio.sleep(0)
                if sent:
                    return

        await engine.run([], [until_sent])

    first = two.state.seq
    asyncio.run(run())
    assert [c.client_id for c in sent if isinstance(c, QueryOrder)] == stops
    assert synced == [first + 2]


@pytest.mark.parametrize("withdraws", [True, False])
def test_a_clean_stop_cancels_entries_and_keeps_stops(tmp_path: Path, withdraws: bool) -> None:
    two = TwoInstruments()
    stop, entry = two.hold(0), two.enter(1)
    two.accept(entry)
    sent: list[Command] = []

    async def run() -> None:
        serving = ServedModels({})
        models, swap = Models(serving.scorers), HotSwap(serving, lambda _: {})
        clock = RunningClock.after(0, lambda: 0, lambda: two.at_ms * 1_000_000)

        class Venue:
            def send(self, command: Command) -> None:
                sent.append(command)
                if isinstance(command, CancelOrder):
                    engine.post(OrderEnded(command.client_id, 0, "cancelled", 0))

        engine = venue_engine(
            tmp_path, RecoveredRun(two.state), models, swap, clock, Venue(), 10**9,
            options=LiveOptions(withdraws=withdraws),
        )  # fmt: skip
        engine.stop("SIGTERM")
        end = await engine.run([], [])
        assert end.stopped_by == "SIGTERM"

    asyncio.run(run())
    cancelled = [c.client_id for c in sent if isinstance(c, CancelOrder)]
    assert cancelled == ([entry] if withdraws else [])
    assert stop in two.state.orders
    assert (entry in two.state.orders) != withdraws
    assert two.halts == []
    last = list(entries(tmp_path))[-1]
    assert isinstance(last.event, Stopping)
