"""The learner of a history run: the same journal teaches the same, whatever happens to workers."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from ares.adapters.model_store import ModelStore
from ares.config.workspace import Workspace
from ares.domain.errors import UserMistake, WorldTrouble
from ares.domain.events import BarsClosed, Effect, Event, RunStarted, TradeClosed
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.model_events import (
    AlertRaised,
    DriftMeasured,
    ModelPublished,
    RetrainingEnded,
    RetrainingStarted,
    SlotChanged,
)
from ares.domain.run import RunInstrument, RunSetup
from ares.domain.timeframe import Timeframe
from ares.journal.log import Lock
from ares.journal.run import RunJournal
from ares.kernel.bars import Bars
from ares.learn.lessons import Lessons
from ares.learn.thresholds import Thresholds
from ares.learn.triggers import Policy
from ares.observe.learning_report import report_learning
from ares.runtime.drift_job import DriftJob
from ares.runtime.learn_requests import Request, Requests, leave
from ares.runtime.learner import Learner, learner_of, policy_of, thresholds_of
from ares.runtime.refit import Assignment, School
from ares.runtime.refit_judging import JudgeJob
from ares.runtime.worker_pool import Failed, Task, WorkerPool
from ares.store.candles import CandleStore
from ares.store.database import open_database

HOUR = 3_600_000
HOURS = range(1, 27)
START_MS = 1_672_531_200_000  # 2023-01-01
FROM_MS = START_MS + 1_860 * HOUR


class Here(WorkerPool):
    """Does every task here, none that was done before; ``broken``: what it gives instead, by a part
    of the label.
    """

    def __init__(self, known: dict[Any, Any], broken: dict[str, str] | None = None) -> None:
        super().__init__(1)
        self.known, self.broken = known, broken or {}
        self.labels: list[str] = []

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Any]]:
        for task in tasks:
            self.labels.append(task.label)
            wrong = next((said for part, said in self.broken.items() if part in task.label), None)
            yield task, Failed(wrong) if wrong else self._result(task)

    def _result(self, task: Task) -> Any:
        job = task.argument
        if isinstance(job, JudgeJob | DriftJob):
            job = replace(job, models=Path())  # the same models lie in another test's folder
        key = (task.function.__name__, pickle.dumps(job))
        if key not in self.known:
            self.known[key] = task.function(task.argument)
        return self.known[key]


def loss(ts_ms: int, lane: int = 0) -> TradeClosed:
    return TradeClosed(
        lane, True, ts_ms - 5 * HOUR, ts_ms, 100.0, 99.0, 1, 0, 0, -40.0, 0.6, 10.0, "time",
        "learning", 0.5,
    )  # fmt: skip


@dataclass
class Play:
    """Plays instants into a teacher as the loop does, and keeps what it journals.

    crash : asked with the number of an entry that was journaled; True: this process ends there.
    """

    teacher: Any
    journal: list[tuple[Event, list[Effect]]] = field(default_factory=list)
    crash: Callable[[int], bool] = lambda _: False

    def put(self, event: Event, effects: Sequence[Effect] = ()) -> None:
        self.journal.append((event, list(effects)))
        self.teacher.watch(len(self.journal), event, list(effects))
        if self.crash(len(self.journal)):
            raise KeyboardInterrupt

    def instants(self, hours: range, losses: Sequence[int], lanes: int = 1) -> None:
        for k in hours:
            now_ms = FROM_MS + k * HOUR
            for event in self.teacher.due(now_ms):
                self.put(event, self._slots(event, now_ms))
            closed = [loss(now_ms, lane) for lane in range(lanes)] if k in losses else []
            self.put(BarsClosed(now_ms, b"", b"", b""), closed)

    def _slots(self, event: Event, now_ms: int) -> list[Effect]:
        if not isinstance(event, ModelPublished):
            return []
        name = event.ensemble.hash
        started = self.journal[0][0]
        assert isinstance(started, RunStarted)
        champion = started.setup.instruments[event.instrument].ensemble
        lanes = ("" if champion is None else champion.hash, name)
        return [
            SlotChanged(
                event.instrument, now_ms, "published", name, lanes, ("champion", "shadow"), "", "",
                "",
            )
        ]  # fmt: skip

    def of(self, kind: type) -> list[Any]:
        return [event for event, _ in self.journal if isinstance(event, kind)]

    @property
    def bytes(self) -> bytes:
        return msgspec.msgpack.encode(self.journal)


def setup_of(workspace: Workspace, *hashes: str) -> RunSetup:
    """Return a run of these ensembles, each champion of its instrument."""
    found = [ModelStore(workspace.models_dir).ensemble(name) for name in hashes]
    specs = [InstrumentSpec(Instrument.parse(one.instrument), 4, 4) for one in found]
    instruments = tuple(
        RunInstrument(spec, HOUR, ensemble, True)
        for spec, ensemble in zip(specs, found, strict=True)
    )
    return RunSetup(
        "history/test", instruments, (Timeframe.H1,), 0, FROM_MS, FROM_MS + 200 * HOUR, FROM_MS,
        10_000.0, {}, 0.25, {},
    )  # fmt: skip


def play(
    workspace: Workspace, folder: Path, hours: range, losses: Sequence[int], *hashes: str,
    pool: WorkerPool | None = None, before: Sequence[tuple[Event, list[Effect]]] = (),
    crash: Callable[[int], bool] = lambda _: False,
) -> Play:  # fmt: skip
    """Play a run, from its begin or behind the entries that were journaled ``before``."""
    setup = setup_of(workspace, *hashes)
    teacher = learner_of(workspace, setup, folder, pool)
    playing = Play(teacher, list(before), crash)
    try:
        if before:
            for seq, (event, effects) in enumerate(before, 1):
                teacher.watch(seq, event, effects)
        else:
            playing.put(RunStarted(setup))
        playing.instants(hours, losses, len(hashes))
    except KeyboardInterrupt:
        pass
    finally:
        teacher.close()
    return playing


def test_a_loss_is_answered_with_a_refit_that_the_gate_has_judged(
    small: Any, done_before: Any, tmp_path: Path
) -> None:
    workspace = small.workspace
    before = ModelStore(workspace.models_dir).listed()
    done = play(workspace, tmp_path / "run", HOURS, [20], small.edge, pool=Here(done_before))
    [begun], [ended], [made] = (
        done.of(kind) for kind in (RetrainingStarted, RetrainingEnded, ModelPublished)
    )
    at_ms = FROM_MS + 20 * HOUR
    assert (begun.ts_ms, begun.trigger) == (at_ms, "loss_immediate")
    assert (ended.ts_ms, ended.triggered_ms, ended.duration_ms) == (at_ms + 60_000, at_ms, 60_000)
    assert (ended.outcome, ended.passed, ended.failed) == ("published", True, ())
    assert ended.rows > 1_500
    assert 0 < ended.epochs <= 20
    assert ended.confidence > 0.9
    assert (made.station, made.refit, made.verdict_hash) == ("shadow", True, ended.verdict_hash)
    own = ModelStore(tmp_path / "run" / "models")
    assert own.ensemble(ended.ensemble_hash) == made.ensemble
    [member] = made.ensemble.members
    card = own.member(member).card
    assert card.version == "20230320_080000", "virtual time"
    assert card.window_to_ms == at_ms
    assert card.data_to_ms <= at_ms
    champion = ModelStore(workspace.models_dir).ensemble(small.edge)
    assert made.ensemble.recipe_hash == champion.recipe_hash
    [file] = (tmp_path / "run" / "verdicts").glob("*.json")
    said = msgspec.json.decode(file.read_bytes())
    assert said["verdict_hash"] == ended.verdict_hash
    assert said["evidence"]["question"] == "not_worse"
    assert said["evidence"]["to_ms"] <= at_ms
    assert said["basis"]["champion"] == small.edge
    assert ModelStore(workspace.models_dir).listed() == before, "nothing crosses environments"
    drifts = done.of(DriftMeasured)
    assert [one.ts_ms for one in drifts] == [FROM_MS + 24 * HOUR + 60_000]
    assert 0.0 < drifts[0].score < 0.70
    assert "1h" in drifts[0].feature


def test_a_refused_refit_is_kept_out_and_doubles_the_rest(
    small: Any, done_before: Any, tmp_path: Path
) -> None:
    losses = [20, 24, 27, 31, 33, 34, 57]  # 6 hours of rest double to 12, then to 24
    pool = Here(done_before)
    done = play(small.workspace, tmp_path / "run", range(1, 58), losses, small.noise, pool=pool)
    hours = [(one.ts_ms - FROM_MS) / HOUR for one in done.of(RetrainingStarted)]
    assert hours == [20, 33]
    assert [one.outcome for one in done.of(RetrainingEnded)] == ["refused", "refused"]
    assert all("net_bps" in one.failed for one in done.of(RetrainingEnded))
    assert done.of(ModelPublished) == []
    assert len(list((tmp_path / "run" / "verdicts").glob("*.json"))) == 2


def test_processes_and_this_process_teach_the_same_bytes_for_several_instruments_at_once(
    small: Any, done_before: Any, tmp_path: Path
) -> None:
    both = (small.edge, small.noise)
    here = play(small.workspace, tmp_path / "a", HOURS, [20], *both, pool=Here(done_before))
    there = play(small.workspace, tmp_path / "b", HOURS, [20], *both)
    assert here.bytes == there.bytes
    ends = {one.instrument: one for one in here.of(RetrainingEnded)}
    assert (ends[0].outcome, ends[1].outcome) == ("published", "refused")
    files = [
        {str(path.relative_to(tmp_path / run)): path.read_bytes() for path in paths}
        for run in "ab"
        for paths in [[p for p in (tmp_path / run).rglob("*") if p.is_file()]]
    ]
    assert files[0] == files[1]
    assert len(files[0]) == 2 * (3 + 1 + 1), "packages, ensembles, verdicts"


def test_a_run_that_is_taken_up_anywhere_says_what_it_would_have_said(
    small: Any, done_before: Any, tmp_path: Path
) -> None:
    pool, champion = Here(done_before), small.edge
    whole = play(small.workspace, tmp_path / "a", HOURS, [20], champion, pool=pool)
    begun = next(k for k, (e, _) in enumerate(whole.journal, 1) if isinstance(e, RetrainingStarted))
    for place in range(begun - 1, len(whole.journal)):
        folder = tmp_path / f"at{place}"
        first = play(
            small.workspace, folder, HOURS, [20], champion, pool=pool,
            crash=lambda n, place=place: n == place,  # type: ignore[misc]
        )  # fmt: skip
        assert len(first.journal) == place
        closed = sum(isinstance(event, BarsClosed) for event, _ in first.journal)
        again = play(
            small.workspace, folder, range(1 + closed, HOURS.stop), [20], champion, pool=pool,
            before=first.journal,
        )  # fmt: skip
        assert again.bytes == whole.bytes


def test_a_training_sees_nothing_that_closed_after_its_trigger(
    small: Any, another: Callable[[], Any], done_before: Any, tmp_path: Path
) -> None:
    pool = Here(done_before)
    first = play(small.workspace, tmp_path / "a", HOURS, [20], small.edge, pool=pool)
    workspace = another().workspace
    engine = open_database(workspace.db_url)
    store = CandleStore(engine, workspace.cache_dir)
    after_ms = FROM_MS + 20 * HOUR
    spec = InstrumentSpec(Instrument("binance", "BTC/USDT"), 4, 4)
    old = store.load(spec.instrument, "1h", after_ms, None)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "DELETE FROM candles WHERE symbol = 'BTC/USDT' AND ts_ms >= ?", (after_ms,)
        )
    wild = np.round(old.close * np.linspace(1.0, 3.0, len(old)), 4)
    store.save(spec, "1h", Bars.make(old.ts_ms, wild, wild, wild, wild, old.volume), "another")
    engine.dispose()
    second = play(workspace, tmp_path / "b", HOURS, [20], small.edge, pool=Here({}))
    assert first.of(RetrainingEnded) == second.of(RetrainingEnded)
    assert first.of(ModelPublished) == second.of(ModelPublished)
    assert first.of(DriftMeasured) != second.of(DriftMeasured), "four hours later it sees it"


def test_without_a_champion_a_refit_must_beat_staying_flat(
    small: Any, done_before: Any, tmp_path: Path
) -> None:
    setup = setup_of(small.workspace, small.edge)
    [one] = setup.instruments
    setup = msgspec.structs.replace(
        setup, instruments=(msgspec.structs.replace(one, is_champion=False),)
    )
    playing = Play(learner_of(small.workspace, setup, tmp_path / "run", Here(done_before)))
    playing.put(RunStarted(setup))
    playing.instants(range(20, 22), [20])
    [file] = (tmp_path / "run" / "verdicts").glob("*.json")
    assert msgspec.json.decode(file.read_bytes())["evidence"]["question"] == "beats_flat"


def test_without_newer_rows_nothing_has_changed(
    small: Any, done_before: Any, tmp_path: Path
) -> None:
    school = School(small.workspace, "history/x", tmp_path, (), Here(done_before))
    taught = ModelStore(small.workspace.models_dir).ensemble(small.edge)
    at_ms = START_MS + 1_850 * HOUR  # when it was trained
    [result] = school.teach([Assignment(taught, taught, at_ms)])
    assert result.outcome == "unchanged"
    assert not (tmp_path / "verdicts").exists()


def test_a_package_that_stands_alone_is_made_anew_alone(
    small: Any, done_before: Any, tmp_path: Path
) -> None:
    models = ModelStore(small.workspace.models_dir)
    package = models.member(models.ensemble(small.edge).members[0])
    taught = package.alone("binance:BTC/USDT", package.card.created_at)
    school = School(small.workspace, "history/x", tmp_path, (), Here(done_before))
    [result] = school.teach([Assignment(taught, taught, FROM_MS + 20 * HOUR)])
    assert result.outcome in ("published", "refused"), result.note
    assert result.ensemble is not None
    assert result.ensemble.recipe_hash == taught.recipe_hash
    assert (result.ensemble.platt_a, result.ensemble.platt_b) == (1.0, 0.0)
    assert "reproduced" not in result.failed


@pytest.mark.parametrize("part", ["1h", "ensemble", "verdict"])
def test_whatever_fails_is_journaled_and_the_others_go_on(
    small: Any, done_before: Any, tmp_path: Path, part: str
) -> None:
    said = "its worker process died (out of memory, or killed)"
    pool = Here(done_before, {f"0 {part}": said})
    both = (small.edge, small.noise)
    done = play(small.workspace, tmp_path / "r", range(20, 22), [20], *both, pool=pool)
    ends = {one.instrument: one for one in done.of(RetrainingEnded)}
    assert (ends[0].outcome, ends[0].note) == ("failed", f"{part}: {said}")
    assert ends[0].verdict_hash == ""
    assert ends[1].outcome == "refused"


class Senseless(Here):
    """Gives something else back than what was asked for, where ``part`` is in the label."""

    def __init__(self, known: dict[Any, Any], part: str, nonsense: object) -> None:
        super().__init__(known)
        self._part, self._nonsense = part, nonsense

    def _result(self, task: Task) -> Any:
        return self._nonsense if self._part in task.label else super()._result(task)


@pytest.mark.parametrize("nonsense", [None, "done", 7.0])
@pytest.mark.parametrize("part", ["1h", "ensemble", "verdict"])
def test_a_worker_that_gives_nonsense_back_has_failed(
    small: Any, done_before: Any, tmp_path: Path, part: str, nonsense: object
) -> None:
    pool = Senseless(done_before, f"0 {part}", nonsense)
    both = (small.edge, small.noise)
    done = play(small.workspace, tmp_path / "r", range(20, 22), [20], *both, pool=pool)
    ends = {one.instrument: one for one in done.of(RetrainingEnded)}
    assert ends[0].outcome == "failed"
    assert ends[0].note.startswith(f"{part}: it gave back")
    assert ends[1].outcome == "refused"


def test_a_drift_that_is_nonsense_was_not_measured(small: Any, tmp_path: Path) -> None:
    pool = Senseless({}, "drift", None)
    done = play(small.workspace, tmp_path / "r", range(1, 27), [], small.edge, pool=pool)
    [alert] = done.of(AlertRaised)
    assert alert.message.startswith("drift could not be measured: it gave back")


def test_what_breaks_beside_the_workers_is_the_trainings_end_and_not_the_engines(
    small: Any, done_before: Any, tmp_path: Path
) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "verdicts").write_text("a file where a folder should be")
    pool = Here(done_before)
    done = play(small.workspace, tmp_path / "r", range(20, 22), [20], small.edge, pool=pool)
    [ended] = done.of(RetrainingEnded)
    assert ended.outcome == "failed"
    assert "verdict" in ended.note


def test_drift_that_cannot_be_measured_is_an_alert_and_asked_again_the_next_day(
    small: Any, tmp_path: Path
) -> None:
    pool = Here({}, {"drift": "no candles"})
    done = play(small.workspace, tmp_path / "r", range(1, 52), [], small.edge, pool=pool)
    alerts = done.of(AlertRaised)
    assert [(one.ts_ms - FROM_MS) // HOUR for one in alerts] == [24, 48]
    assert alerts[0].message == "drift could not be measured: no candles"
    assert len(pool.labels) == 2


class Doomed:
    """Arrives in a worker as the job that it holds, and kills that process a moment later, once."""

    def __init__(self, job: Any, done: Path) -> None:
        self._job, self._done = job, done

    def __reduce__(self) -> tuple[Any, ...]:
        get = "(os := __import__('os'))"
        kill = f"__import__('threading').Timer(0.1, {get}.kill, (os.getpid(), 9)).start()"
        once = f"done.exists() or (done.touch(), {kill})"
        return eval, (f"({once}, job)[1]", {"job": self._job, "done": self._done})


class Murderous(Here):
    """Trains in a process, which it kills in the middle of it, once; does the rest here."""

    def __init__(self, known: dict[Any, Any], done: Path) -> None:
        super().__init__(known)
        self._done = done
        self._processes = WorkerPool(1)

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Any]]:
        if not all(task.label.endswith(" 1h") for task in tasks):
            return super().run(tasks)
        doomed = [Task(t.label, t.function, Doomed(t.argument, self._done)) for t in tasks]
        return self._processes.run(doomed)

    def close(self, at_once: bool = False) -> None:
        self._processes.close(at_once)


def test_a_worker_killed_while_it_trains_costs_nothing_but_time(
    small: Any, done_before: Any, tmp_path: Path
) -> None:
    hours, champion = range(20, 22), small.edge
    calm = play(small.workspace, tmp_path / "a", hours, [20], champion, pool=Here(done_before))
    pool = Murderous(done_before, tmp_path / "killed")
    shot = play(small.workspace, tmp_path / "b", hours, [20], champion, pool=pool)
    assert (tmp_path / "killed").exists()
    assert shot.bytes == calm.bytes


def test_a_person_may_ask_a_running_engine_and_needs_no_rest(
    small: Any, done_before: Any, tmp_path: Path
) -> None:
    journal, key = tmp_path / "journal", "binance:BTC/USDT"
    request = Request(key, "ada", "2024-01-01T00:00:00Z")
    with pytest.raises(UserMistake, match="history runs decide by themselves"):
        leave(journal, "history", request)
    with pytest.raises(WorldTrouble, match="no engine runs in paper"):
        leave(journal, "paper", request)
    lock = Lock(journal / "paper")
    setup, pool = setup_of(small.workspace, small.edge), Here(done_before)
    school = School(small.workspace, "paper", tmp_path / "run", (), pool)
    lessons = Lessons(Policy(on_loss=False, budget_per_day=1), Thresholds())
    requests = Requests(journal / "paper", [key])
    playing = Play(Learner(small.workspace, lessons, school, pool, 60_000, requests))
    playing.put(RunStarted(setup))
    playing.instants(range(19, 20), [])
    assert requests() == []
    leave(journal, "paper", request)
    assert requests() == [0]
    playing.put(BarsClosed(FROM_MS + 20 * HOUR, b"", b"", b""))
    playing.instants(range(21, 23), [])
    [begun] = playing.of(RetrainingStarted)
    assert (begun.trigger, begun.ts_ms) == ("manual", FROM_MS + 20 * HOUR)
    assert requests() == []
    leave(journal, "paper", request)
    lock.release()
    playing.instants(range(23, 26), [])
    assert len(playing.of(RetrainingStarted)) == 1, "the day's budget is spent"
    assert requests() == [0]


def learning(setup: RunSetup) -> RunSetup:
    """Return a run as one with a learner is: it has lanes for challengers."""
    lanes = (*setup.instruments, *setup.instruments)
    return msgspec.structs.replace(setup, instruments=lanes, challengers=True)


def test_the_report_says_where_nobody_trains(small: Any, tmp_path: Path) -> None:
    policy = policy_of(small.workspace.settings)

    def state(setup: RunSetup, name: str, hours: int) -> str:
        journal = RunJournal(tmp_path / name)
        journal.event(1, RunStarted(setup))
        journal.effects(1, [])
        for k in range(hours):
            ts_ms = FROM_MS + k * HOUR
            journal.event(2 + k, BarsClosed(ts_ms, b"", b"", b""))
            journal.effects(2 + k, [loss(ts_ms)] if k == 3 else [])
        journal.close()
        report = report_learning(tmp_path / name, policy, Thresholds())
        return report.instruments[0].state

    alone = setup_of(small.workspace, small.edge)
    learns = learning(alone)
    assert state(alone, "plain", 6) == "no learner"
    assert state(learns, "stopped", 4) == "due"
    assert state(learns, "foreign", 6) == "imported"


def test_the_report_says_what_was_done_and_what_may_be_done_next(
    small: Any, done_before: Any, tmp_path: Path
) -> None:
    pool = Here(done_before)
    done = play(small.workspace, tmp_path / "r", HOURS, [20], small.noise, pool=pool)
    folder = tmp_path / "journal"
    journal = RunJournal(folder)
    done.journal[0] = (RunStarted(learning(setup_of(small.workspace, small.noise))), [])
    for seq, (event, effects) in enumerate(done.journal, 1):
        journal.event(seq, event)
        journal.effects(seq, effects)
    journal.close()
    settings = small.workspace.settings
    report = report_learning(folder, policy_of(settings), thresholds_of(settings))
    [one], [training] = report.instruments, report.retrainings
    assert report.triggers == {"loss_immediate": 1}
    assert report.outcomes == {"refused": 1}
    assert (one.state, one.failures, one.budget_left, one.budget) == ("resting", 1, 3, 4)
    assert one.rest_until_ms == FROM_MS + 32 * HOUR + 60_000
    assert one.drift_score is not None
    assert (one.trades, one.net_bps) == (1, -40.0)
    assert training.rows is not None
    assert training.confidence is not None
    assert "net_bps" in training.failed
