"""The engine in real time: the same decisions and fills as history, whatever stops it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.no_gap import assert_no_gap

from ares.core.halts import BY_CLOCK
from ares.core.models import Models
from ares.core.snapshot import snapshot
from ares.domain.errors import ExternalError
from ares.domain.events import BarsClosed, ConfigChanged, EngineStarted, Event, SignalRefused
from ares.domain.feed_events import ClockSet
from ares.domain.model_events import ModelPublished, ModelRefused, SlotChanged
from ares.domain.order_events import (
    ClockSkewMeasured,
    CommandDone,
    CommandGiven,
    CommandRefused,
    HaltChanged,
    Stopping,
)
from ares.domain.timeframe import MINUTE_MS
from ares.journal.run import entries
from ares.journal.snapshots import load_snapshot
from ares.runtime.engine.clocks import RunningClock
from ares.runtime.engine.code_version import code_hashes
from ares.runtime.engine.hot_swap import HotSwap
from ares.runtime.engine.live_run import LiveEnd, LiveOptions, LiveRun, start_event
from ares.runtime.engine.paper_engine import paper_engine
from ares.runtime.engine.plan import RunPlan
from ares.runtime.engine.recovery import Recovery
from ares.runtime.engine.serving import ServedModels
from ares.runtime.replay.certify import certify
from ares.runtime.replay.explain import explain
from ares.runtime.replay.explain_journal import explain_journal
from ares.runtime.replay.restep import restep

Act = Callable[[LiveRun, int], None]


class Engine:
    """Starts the engine on a plan's feed, as often as a test stops or kills it."""

    def __init__(self, world: Any, plan: RunPlan, folder: Path) -> None:
        self.world, self.plan, self.folder = world, plan, folder
        self.wrong_ms = 0
        self.lines: list[str] = []

    def start(
        self,
        act: Act = lambda _run, _t: None,
        options: LiveOptions | None = None,
        opener: Callable[[Any], Any] | None = None,
    ) -> LiveEnd:
        """Run from where it stands to the feed's end; ``act`` is called before each row."""
        return asyncio.run(self._run(act, options or LiveOptions(), opener))

    async def _run(self, act: Act, options: LiveOptions, opener: Any) -> LiveEnd:
        plan = self.plan
        serving = ServedModels(self.world.models)
        models = Models(serving.scorers)
        swap = HotSwap(serving, opener or (lambda _: self.world.models))
        recovery = Recovery(self.folder, swap, models)
        is_new = not list(self.folder.glob("*.journal"))
        if is_new:
            recovered = recovery.start(plan.setup, snapshot(plan.state))
        else:
            recovered = recovery.resume(plan.setup)
        first = int(plan.feed.close_ms.searchsorted(recovered.state.now_ms, side="right"))
        start_ms, passed_ms = max(recovered.state.at_ms, plan.setup.warm_ms), [0]
        clock = RunningClock.after(
            recovered.state.at_ms,
            lambda: passed_ms[0] * 1_000_000,
            lambda: (start_ms + passed_ms[0] + self.wrong_ms) * 1_000_000,
        )
        parts = (self.folder, recovered, models, swap, clock)
        run = paper_engine(*parts, 10**9, options=options, say=self.lines.append)
        begin = start_event(recovered, is_new, code_hashes(), "ab" * 8, clock.refused_ms)

        async def feed() -> None:
            for t in range(first, len(plan.feed)):
                passed_ms[0] = int(plan.feed.close_ms[t]) - start_ms
                act(run, t)
                run.post(plan.feed.event(t, plan.warming(t)))
                while run.state.now_ms < int(plan.feed.close_ms[t]):
                    await asyncio.sleep(0)

        return await run.run([begin], [feed])


@pytest.fixture
def engine(world: Any, plan: RunPlan, tmp_path: Path) -> Engine:
    return Engine(world, plan, tmp_path / "paper")


def events(folder: Path, kind: type[Event]) -> list[Any]:
    return [entry.event for entry in entries(folder) if isinstance(entry.event, kind)]


def test_the_same_bars_give_what_a_history_run_gives(engine: Engine, done: Any, world: Any) -> None:
    end = engine.start()
    assert end.stopped_by == "the feed has ended"
    assert end.instants == len(engine.plan.feed)
    assert world.story(engine.folder) == world.story(done.folder)


def test_a_stopped_engine_goes_on_with_the_same_story(
    engine: Engine, done: Any, world: Any
) -> None:
    def stop_at(at: int) -> Act:
        return lambda run, t: run.stop("a person") if t == at else None

    ends = [engine.start(stop_at(at)) for at in (100, 300, -1)]
    assert [end.stopped_by for end in ends] == ["a person", "a person", "the feed has ended"]
    assert len(events(engine.folder, EngineStarted)) == 2
    assert len(events(engine.folder, Stopping)) == 3
    assert world.story(engine.folder) == world.story(done.folder)


@pytest.mark.parametrize("is_damaged", [False, True])
def test_what_a_start_did_not_read_is_verified_while_it_runs(
    engine: Engine, done: Any, world: Any, is_damaged: bool
) -> None:
    engine.start(lambda run, t: run.stop("a person") if t == 200 else None)
    path = engine.folder / "000001.journal"
    raw = bytearray(path.read_bytes())
    raw[5_000] ^= 4 * is_damaged
    path.write_bytes(raw)

    def wait(_run: LiveRun, t: int) -> None:
        until_s = time.monotonic() + 60.0
        while t == 300 and threading_names("journal-check") and time.monotonic() < until_s:
            time.sleep(0.01)

    engine.start(wait)
    lines = [line for line in engine.lines if "is damaged at byte" in line]
    assert len(lines) == is_damaged
    assert all("the engine goes on" in line and "\n" not in line for line in lines)
    if not is_damaged:
        assert world.story(engine.folder) == world.story(done.folder)


def threading_names(name: str) -> list[str]:
    """Return the threads of this name that run."""
    return [thread.name for thread in threading.enumerate() if thread.name == name]


def test_a_killed_engine_goes_on_from_its_journal(engine: Engine, done: Any, world: Any) -> None:
    for at in (77, 200, 311):

        def kill(run: LiveRun, t: int, at: int = at) -> None:
            if t == at:
                run._journal.write()
                run._journal.close = lambda: None  # type: ignore[method-assign]
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            engine.start(kill, LiveOptions(snapshot_events=90))
    engine.start()
    assert len(events(engine.folder, EngineStarted)) == 3
    assert world.story(engine.folder) == world.story(done.folder)


def test_a_snapshot_is_written_while_bars_go_on(engine: Engine) -> None:
    seen: list[int] = []

    def look(_run: LiveRun, t: int) -> None:
        if t == 400:
            until_s = time.monotonic() + 60.0  # a thread writes it
            while (found := load_snapshot(engine.folder)) is None and time.monotonic() < until_s:
                time.sleep(0.01)
            seen.append(0 if found is None else found.seq)

    engine.start(look, LiveOptions(snapshot_events=50))
    assert seen[0] > 0
    last = load_snapshot(engine.folder)
    assert last is not None
    assert last.seq == [entry.seq for entry in entries(engine.folder)][-1]


def test_a_command_is_processed_between_two_bars(engine: Engine) -> None:
    def halt(run: LiveRun, t: int) -> None:
        if t == 200:
            run.post_from_thread(CommandGiven("1", 0, "me", "halt", {}))

    engine.start(halt)
    halts = [
        effect
        for entry in entries(engine.folder)
        for effect in entry.effects
        if isinstance(effect, HaltChanged) and effect.needs_person
    ]
    assert len(halts) == 1


def test_an_answer_is_given_once_its_command_is_on_the_disk(engine: Engine) -> None:
    """Otherwise a halt could be answered, and be lost with the process."""
    given: list[tuple[str, int]] = []

    def command(run: LiveRun, t: int) -> None:
        def answer(fact: CommandDone | CommandRefused) -> None:
            journaled = [e for e in entries(engine.folder) if isinstance(e.event, CommandGiven)]
            given.append((fact.id, sum(fact in e.effects for e in journaled)))

        run.answer_to(answer)
        if t == 200:
            run.post(CommandGiven("1", 0, "me", "halt", {}))
        elif t == 210:
            run.post(CommandGiven("2", 0, "me", "nonsense", {}))

    engine.start(command)
    assert given == [("1", 1), ("2", 1)]


def test_a_stop_that_is_delivered_again_is_only_answered(engine: Engine) -> None:
    """Its answer was lost: the next start takes the command out of the database again."""
    stop, answers = CommandGiven("1", 0, "me", "stop", {}), list[str]()

    def command(run: LiveRun, t: int) -> None:
        run.answer_to(lambda fact: answers.append(fact.id))
        if t in (200, 250):
            run.post(stop)

    assert engine.start(command).stopped_by == "me"
    assert engine.start(command).stopped_by == "the feed has ended"
    assert answers == ["1", "1", "1"], "each time"


def test_a_run_that_people_steered_is_certified_and_stepped_again(engine: Engine) -> None:
    drill = {"action": "test", "name": "drawdown", "reason": "drill"}
    steps: dict[int, tuple[str, dict[str, str]]] = {
        150: ("halt", {"instrument": "binance:BTC/USDT", "reason": "a test"}),
        190: ("resume", {"instrument": "binance:BTC/USDT", "reason": "a test"}),
        230: ("flatten", {"reason": "a test"}),
        260: ("resume", {"reason": "a test"}),
        300: ("breaker", drill),
        330: ("breaker", drill | {"action": "reset"}),
        360: ("config", {"key": "k", "value": "1.5", "rules": '{"edge_bps_min": 1.5}'}),
    }
    held_later = [("force-exit", {"instrument": "binance:BTC/USDT", "reason": "a test"})]

    def steer(run: LiveRun, t: int) -> None:
        given = [steps[t]] if t in steps else []
        if t > 370 and held_later and int(run.state.trade.book[0]["position_lots"]):
            given.append(held_later.pop())
        for verb, arguments in given:
            run.post(CommandGiven(f"{t} {verb}", 0, "me", verb, arguments))

    engine.start(steer)
    answers = [
        effect
        for entry in entries(engine.folder)
        for effect in entry.effects
        if isinstance(effect, CommandDone | CommandRefused)
    ]
    assert [type(answer) for answer in answers] == [CommandDone] * (len(steps) + 1), answers
    certificate = certify(engine.folder, engine.world.models)
    assert (certificate.mismatches, certificate.first) == (0, None)
    assert certificate.lines["decisions"][0] > 2_000
    assert certificate.lines["orders"][0] > 10
    assert_no_gap(engine.folder, trades_min=3)
    assert restep(engine.folder, engine.world.models).mismatches == 0
    check_rules_explained(engine)


def check_rules_explained(engine: Engine) -> None:
    """Each instant is explained by the rules in force then: 3 bps at first, then 1.5 bps."""
    (changed_ms,) = [
        effect.ts_ms
        for entry in entries(engine.folder)
        for effect in entry.effects
        if isinstance(effect, ConfigChanged)
    ]
    for at_ms, limit in ((changed_ms - MINUTE_MS, 3.0), (changed_ms + MINUTE_MS, 1.5)):
        explained = explain(engine.folder, "BTC/USDT", at_ms, engine.world.models)
        assert explained.edge_bps_min == limit
        assert explain_journal(engine.folder, "BTC/USDT", at_ms, ["kernel"]).edge_bps_min == limit
    refused = next(
        entry.event.ts_ms
        for entry in entries(engine.folder)
        if isinstance(entry.event, BarsClosed) and entry.event.ts_ms > changed_ms
        for effect in entry.effects
        if isinstance(effect, SignalRefused) and effect.instrument == 0
    )
    assert (
        "strategy.edge_bps_min (1.5)"
        in explain(engine.folder, "BTC/USDT", refused, engine.world.models).sentence
    )


def test_a_published_model_is_tried_in_a_thread_while_bars_go_on(engine: Engine) -> None:
    ensemble = engine.world.ensemble(engine.world.btc)
    other = msgspec.structs.replace(ensemble, gain=1.1)
    published = ModelPublished(0, 0, other, "champion", False, "", "me", "a test")

    def publish(run: LiveRun, t: int) -> None:
        if t == 200:
            run.post(published)

    engine.start(publish)
    found = [entry.event for entry in entries(engine.folder)]
    kinds = [type(event) for event in found]
    at = next(k for k, kind in enumerate(kinds) if kind in (ModelPublished, ModelRefused))
    assert kinds[at + 1 :].count(BarsClosed) > 0
    assert kinds.count(BarsClosed) == len(engine.plan.feed), "no bar was missed"


def test_a_model_that_cannot_be_opened_is_refused_and_the_engine_goes_on(engine: Engine) -> None:
    ensemble = msgspec.structs.replace(engine.world.ensemble(engine.world.btc), gain=1.2)
    published = ModelPublished(0, 0, ensemble, "champion", False, "", "me", "a test")

    def missing(_: Any) -> Any:
        raise ExternalError("its folder is gone")

    def publish(run: LiveRun, t: int) -> None:
        if t == 200:
            run.post(published)

    end = engine.start(publish, opener=missing)
    (refused,) = events(engine.folder, ModelRefused)
    assert "its folder is gone" in refused.reason
    assert end.stopped_by == "the feed has ended"
    assert not any(isinstance(e, SlotChanged) for x in entries(engine.folder) for e in x.effects)


def test_an_engine_without_events_waits_for_its_next_deadline(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float | None] = []
    wait_for = asyncio.wait_for

    async def watched(awaitable: Any, timeout: float | None) -> Any:
        waits.append(timeout)
        return await wait_for(awaitable, timeout)

    monkeypatch.setattr("ares.runtime.engine.live_run.asyncio.wait_for", watched)
    engine.start()
    assert waits, "it sleeps between two bars"
    assert all(timeout is None or timeout >= 0 for timeout in waits)


def test_a_clock_a_year_ahead_at_a_start_moves_no_time_and_is_journaled(engine: Engine) -> None:
    def stop(run: LiveRun, t: int) -> None:
        if t == 100:
            run.stop("a person")

    def measured(run: LiveRun, t: int) -> None:
        run.post(ClockSkewMeasured(0, 0))
        stop(run, 100)

    engine.start(stop)
    *_, last = entries(engine.folder)
    engine.wrong_ms = 366 * 86_400_000
    engine.start(measured)
    started = next(e for e in entries(engine.folder) if isinstance(e.event, EngineStarted))
    assert isinstance(started.event, EngineStarted)
    assert started.event.clock_ms == last.at_ms + engine.wrong_ms
    assert started.at_ms == last.at_ms
    halts = [e for e in started.effects if isinstance(e, HaltChanged)]
    assert BY_CLOCK in [halt.reason for halt in halts]
    *_, newest = entries(engine.folder)
    assert newest.at_ms < last.at_ms + 86_400_000


def test_a_clock_that_is_set_while_the_engine_runs_is_journaled(engine: Engine) -> None:
    def sleep(run: LiveRun, t: int) -> None:
        if t == 100:
            engine.wrong_ms = 7_000  # the machine's clock, and the venue's
            run.post(ClockSkewMeasured(0, 7_020))
        if t == 300:
            run.post(ClockSkewMeasured(0, 30))
        if t == 400:
            run.stop("a person")

    engine.start(sleep)
    found = list(entries(engine.folder))
    (at,) = [k for k, entry in enumerate(found) if isinstance(entry.event, ClockSet)]
    clock_set, measured = found[at].event, found[at + 1].event
    bars = next(entry.event for entry in found[at:] if isinstance(entry.event, BarsClosed))
    assert isinstance(clock_set, ClockSet)
    assert clock_set.ts_ms == bars.ts_ms + 7_000
    assert isinstance(measured, ClockSkewMeasured)
    assert (measured.ts_ms, measured.venue_ahead_ms) == (clock_set.ts_ms, 20)
    assert [e for e in found[at + 1].effects if isinstance(e, HaltChanged)] == []
