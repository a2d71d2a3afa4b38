"""The learner of a history run: watches the journal, trains in other processes, answers in order.

It is a fold over the journal (``learn.lessons``) with hands: what the fold wants is done by worker
processes of low priority and said at its virtual time, ``learner.latency_ms`` after its trigger.
``due`` waits for it, and asks nobody the time: two runs say the same, to the byte.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ares.adapters.worker_pool import Task, TaskFailed, WorkerPool, nonsense
from ares.config.settings import Settings
from ares.config.workspace import Workspace
from ares.domain.events import Effect, Event
from ares.domain.model_events import (
    AlertRaised,
    DriftMeasured,
    ModelPublished,
    RetrainingEnded,
    RetrainingStarted,
)
from ares.domain.run import RunSetup
from ares.domain.timeframe import HOUR_MS
from ares.learn.learner_state import DRIFT_UNKNOWN, InstrumentState, LearnerState
from ares.learn.thresholds import Thresholds
from ares.learn.triggers import RetrainPolicy
from ares.runtime.engine.learner_events import LearnerEvents
from ares.runtime.learner.drift_job import DriftJob, DriftResult, measure_drift
from ares.runtime.learner.learn_requests import LearnRequests
from ares.runtime.learner.refit import LEARNER, RefitRequest, RefitResult, RefitRunner
from ares.runtime.registry.model_journal import read_registry
from ares.runtime.training.train import WORKER_MODULES

MODULES = (
    *WORKER_MODULES,
    "ares.runtime.validation.refit_verdict",
    "ares.runtime.learner.drift_job",
    "river.drift",
)


def learner_of(
    workspace: Workspace,
    setup: RunSetup,
    folder: Path,
    pool: WorkerPool | None = None,
    stopped: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda _: None,
) -> LearnerEvents:
    """Return the learner of a history run whose journal lies in ``folder``.

    Its models go to ``folder/models``, its verdicts to ``folder/verdicts``: nothing of a run
    crosses into another environment. No process is started before there is something to do.

    pool    : to train in; default: processes as the settings say. It is ended with the learner.
    stopped : asked while something is trained; True ends that.
    say     : told what the run is waiting for, and what came of it, for a person.
    Raises UserMistake where this workspace may not train.
    """
    settings = workspace.settings
    pool = pool or WorkerPool(
        settings.learning.workers,
        MODULES,
        nice=settings.learner.nice,
        silence_s=60.0 * settings.learner.timeout_minutes,
        stopped=stopped,
    )
    book = read_registry(workspace.journal_dir)
    school = RefitRunner(workspace, setup.environment, folder, book.trials, pool)
    lessons = LearnerState(
        policy_of(settings), thresholds_of(settings), _foreign(school, setup)
    )  # fmt: skip
    return Learner(workspace, lessons, school, pool, settings.learner.latency_ms, say=say)


def policy_of(settings: Settings) -> RetrainPolicy:
    """Return when training is wanted, by the settings."""
    said = settings.continuous_learning.retraining
    schedule = said.schedule_hours
    return RetrainPolicy(
        on_loss=said.on_loss,
        drift_threshold=said.drift_threshold,
        interval_ms=_ms(said.min_interval_hours),
        budget_per_day=said.budget_per_day,
        backoff_ms_max=_ms(said.backoff_hours_max),
        schedule_ms=None if schedule is None else _ms(schedule),
        check_ms=_ms(said.drift_check_hours),
    )


def thresholds_of(settings: Settings) -> Thresholds:
    """Return the thresholds that raise alerts, by the settings."""
    said = settings.continuous_learning.thresholds
    return Thresholds(said.accuracy_min, said.sharpe_min, said.drawdown_min)


class Learner:
    """A ``LearnerEvents``: see there. Work not yet published is lost with a crash, and is made
    again from the journal.

    requests : of people, to train now; asked before each instant, and answered as far as the
               day's budget goes. A history run has none.
    """

    def __init__(
        self,
        workspace: Workspace,
        lessons: LearnerState,
        school: RefitRunner,
        pool: WorkerPool,
        latency_ms: int,
        requests: LearnRequests | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._workspace, self._lessons, self._school = workspace, lessons, school
        self._pool, self._latency_ms, self._requests = pool, latency_ms, requests
        self._say = say
        self._taught: dict[tuple[int, int], RefitResult] = {}
        self._measured: dict[tuple[int, int], DriftMeasured | AlertRaised] = {}

    def watch(self, seq: int, event: Event, effects: list[Effect]) -> None:
        """Take the next journal entry in."""
        del seq
        self._lessons.watch(event, effects)
        if self._requests is not None and type(event) is RetrainingStarted:
            self._requests.done(event.instrument)

    def due(self, now_ms: int) -> Sequence[Event]:
        """Return what takes effect before the instant that closes at ``now_ms``, oldest first."""
        if self._requests is None and self._lessons.idle:
            return ()
        pupils = self._lessons.pupils
        asked = set(() if self._requests is None else self._requests())
        events: list[Event] = list(self._lessons.alerts)
        begun: list[tuple[InstrumentState, RetrainingStarted]] = []
        for pupil in pupils:
            if pupil.made is not None:
                events.append(self._published(pupil.made))
            started = pupil.running or self._begins(pupil, pupil.row in asked)
            if started is not None:
                if started is not pupil.running:
                    events.append(started)
                if started.ts_ms + self._latency_ms <= now_ms:
                    begun.append((pupil, started))
        events += self._drift([p for p in pupils if self._measured_by(p) <= now_ms])
        self._teach(begun)
        for pupil, started in begun:
            ended = self._ended(started, self._taught[pupil.row, started.ts_ms])
            events.append(ended)
            if ended.outcome == "published":
                events.append(self._published(ended))
        return sorted(events, key=_when)

    def close(self) -> None:
        """End the processes that train."""
        self._pool.close(at_once=True)

    def _begins(self, pupil: InstrumentState, asked: bool) -> RetrainingStarted | None:
        """Return the begin of a training that is wanted, or was asked for."""
        if pupil.wanted is not None:
            one = pupil.wanted
            return RetrainingStarted(one.at_ms, pupil.row, one.trigger, one.reason)
        at_ms = self._lessons.now_ms
        if not asked or pupil.taught is None or not pupil.restraint.allows(at_ms, asked=True):
            return None
        return RetrainingStarted(at_ms, pupil.row, "manual", "a person asked for it")

    def _measured_by(self, pupil: InstrumentState) -> float:
        return math.inf if pupil.measuring_ms is None else pupil.measuring_ms + self._latency_ms

    def _teach(self, begun: Sequence[tuple[InstrumentState, RetrainingStarted]]) -> None:
        """Have what has begun trained and judged, all at once; what is known is not done again."""
        due = {(pupil.row, started.ts_ms) for pupil, started in begun}
        self._taught = {key: one for key, one in self._taught.items() if key in due}
        fresh = [one for one in begun if (one[0].row, one[1].ts_ms) not in self._taught]
        assignments = []
        for pupil, started in fresh:
            assert pupil.taught is not None
            self._say(f"{_at(pupil, started)}: training ({started.trigger}: {started.reason})")
            champion = self._lessons.ensemble(pupil.champion) if pupil.champion else None
            assignments.append(RefitRequest(pupil.taught, champion, started.ts_ms))
        if assignments:
            for (pupil, started), taught in zip(
                fresh, self._school.teach(assignments), strict=True
            ):
                self._taught[pupil.row, started.ts_ms] = taught
                because = taught.note or ", ".join(taught.failed)
                came = f"{taught.outcome} ({because})" if because else taught.outcome
                self._say(f"{_at(pupil, started)}: {came}")

    def _ended(self, started: RetrainingStarted, taught: RefitResult) -> RetrainingEnded:
        return RetrainingEnded(
            ts_ms=started.ts_ms + self._latency_ms,
            instrument=started.instrument,
            trigger=started.trigger,
            triggered_ms=started.ts_ms,
            duration_ms=self._latency_ms,
            rows=taught.rows,
            confidence=taught.confidence,
            ensemble_hash="" if taught.ensemble is None else taught.ensemble.hash,
            verdict_hash=taught.verdict_hash,
            passed=taught.passed,
            failed=taught.failed,
            outcome=taught.outcome,
            note=taught.note,
            epochs=taught.epochs,
        )

    def _published(self, ended: RetrainingEnded) -> ModelPublished:
        ensemble = self._school.models.ensemble(ended.ensemble_hash)
        return ModelPublished(
            ts_ms=ended.ts_ms,
            instrument=ended.instrument,
            ensemble=ensemble,
            stage="shadow",
            refit=True,
            verdict_hash=ended.verdict_hash,
            who=LEARNER,
            reason=f"retrained: {ended.trigger}",
        )

    def _drift(self, pupils: Sequence[InstrumentState]) -> list[Event]:
        """Return the drift of instruments whose measurement is due."""
        due = {(pupil.row, pupil.measuring_ms) for pupil in pupils}
        self._measured = {key: one for key, one in self._measured.items() if key in due}
        tasks: dict[str, InstrumentState] = {}
        jobs: list[Task] = []
        for pupil in pupils:
            at_ms = pupil.measuring_ms
            assert at_ms is not None
            assert pupil.taught is not None
            if (pupil.row, at_ms) in self._measured:
                continue
            since_ms = 0 if pupil.drift is None else pupil.drift.ts_ms - self._latency_ms
            label = f"{pupil.row} drift of {pupil.taught.instrument}"
            tasks[label] = pupil
            models = self._school.models.root
            job = DriftJob(self._workspace, models, pupil.taught, at_ms, since_ms)
            jobs.append(Task(label, measure_drift, job))
        for task, seen in self._pool.run(jobs):
            pupil = tasks[task.label]
            assert pupil.measuring_ms is not None
            self._measured[pupil.row, pupil.measuring_ms] = self._said(
                pupil.row, pupil.measuring_ms + self._latency_ms, seen
            )
        return [self._measured[pupil.row, pupil.measuring_ms or 0] for pupil in pupils]

    def _said(self, row: int, at_ms: int, seen: object) -> DriftMeasured | AlertRaised:
        if not isinstance(seen, DriftResult):
            why = seen.error if isinstance(seen, TaskFailed) else nonsense(seen)
            said = f"drift could not be measured: {why}"
            return AlertRaised(at_ms, row, DRIFT_UNKNOWN, 0.0, 0.0, said)
        return DriftMeasured(
            at_ms, row, seen.score, seen.feature, seen.error_before, seen.error_after, seen.changed
        )


def _at(pupil: InstrumentState, started: RetrainingStarted) -> str:
    """Return whose training it is, and when it began, as a person reads it."""
    at = datetime.fromtimestamp(started.ts_ms // 1_000, UTC)
    name = "" if pupil.taught is None else pupil.taught.instrument
    return f"{name} at {at:%Y-%m-%d %H:%M}"


def _foreign(school: RefitRunner, setup: RunSetup) -> frozenset[str]:
    """Return the hashes of a run's ensembles of which a member was imported."""
    found = set()
    for one in setup.instruments:
        for ensemble in (one.ensemble, one.previous):
            if ensemble is not None and any(
                school.models.member(member).card.origin != "trained" for member in ensemble.members
            ):
                found.add(ensemble.hash)
    return frozenset(found)


def _when(event: Event) -> tuple[int, int, int]:
    """Return where an event stands among those that are due: by time, instrument, and sense."""
    ranks = (AlertRaised, DriftMeasured, RetrainingStarted, RetrainingEnded, ModelPublished)
    rank = next(place for place, kind in enumerate(ranks) if isinstance(event, kind))
    return getattr(event, "ts_ms", 0), getattr(event, "instrument", 0), rank


def _ms(hours: float) -> int:
    return round(hours * HOUR_MS)
