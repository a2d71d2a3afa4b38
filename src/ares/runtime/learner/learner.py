"""The learner of a history run: reads the journal, trains in other processes, returns events.

Its state is a fold of the journal (``learn.learner_state``). What the state makes due is done by
worker processes of low priority and takes effect at its virtual time, ``learner.latency_ms`` after
its trigger. ``due`` waits for it and reads no clock: two runs give the same events, to the byte.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ares.adapters.model_store import ModelStore
from ares.adapters.worker_pool import Task, TaskFailed, WorkerPool, unexpected
from ares.domain.events import Effect, Event
from ares.domain.model_events import (
    AlertRaised,
    DriftMeasured,
    ModelPublished,
    RetrainingEnded,
    RetrainingStarted,
    TrainingRequested,
)
from ares.domain.order_events import CommandGiven
from ares.domain.run import RunSetup
from ares.domain.stretch import BarsStretch
from ares.domain.utc import utc_text
from ares.learn.learner_state import (
    DRIFT_UNKNOWN,
    InstrumentState,
    LearnerMemory,
    LearnerState,
)
from ares.runtime.learner.drift_job import DriftJob, DriftResult, measure_drift
from ares.runtime.learner.refit import LEARNER, RefitRunner
from ares.runtime.learner.refit_job import RefitRequest, RefitResult
from ares.runtime.training.train import WORKER_MODULES as TRAINING_MODULES

WORKER_MODULES = (
    *TRAINING_MODULES,
    "ares.runtime.validation.pipeline",
    "ares.runtime.learner.drift_job",
    "river.drift",
)
"""What a worker imports when it starts, so that its first job is as quick as its second."""


class Learner:
    """A ``LearnerEvents``: see there. Work that is not journaled is lost in a crash, and is done
    again from the journal.

    What people request (``TrainingRequested``) waits until the day's budget allows it.
    """

    def __init__(
        self,
        state: LearnerState,
        refits: RefitRunner,
        pool: WorkerPool,
        latency_ms: int,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._state, self._refits = state, refits
        self._pool, self._latency_ms = pool, latency_ms
        self._requested = set[int]()
        self._say = say
        self._results: dict[tuple[int, int], RefitResult] = {}
        self._measured: dict[tuple[int, int], DriftMeasured | AlertRaised] = {}

    @property
    def memory(self) -> LearnerMemory:
        """Return what is known of the journal: to be encoded before the next entry."""
        return self._state.memory()

    @property
    def requested(self) -> tuple[int, ...]:
        """Return the instruments whose training was requested and has not started."""
        return tuple(sorted(self._requested))

    def restore(self, memory: LearnerMemory, requested: Sequence[int]) -> bool:
        """Continue from what another learner knew; False: it had other rules, nothing is taken."""
        if not self._state.restore(memory):
            return False
        self._requested = set(requested)
        return True

    def watch(self, seq: int, event: Event, effects: list[Effect]) -> None:
        """Take the next journal entry in."""
        del seq
        self._state.watch(event, effects)
        if type(event) is RetrainingStarted:
            self._requested.discard(event.instrument)
        elif type(event) is CommandGiven:
            requested = [e.instrument for e in effects if isinstance(e, TrainingRequested)]
            self._requested.update(requested)

    def watch_stretch(self, stretch: BarsStretch) -> None:
        """Take many closing instants in which the learner has nothing to do."""
        self._state.now_ms = stretch.last_ms

    def quiet_until_ms(self) -> int:
        """Return when ``due`` may return something, or a bar may make something due."""
        return 0 if self._requested else self._state.quiet_until_ms(self._latency_ms)

    def due(self, now_ms: int) -> Sequence[Event]:
        """Return what takes effect before the instant that closes at ``now_ms``, oldest first."""
        if not self._requested and self._state.idle:
            return ()
        events: list[Event] = list(self._state.alerts)
        to_run: list[tuple[InstrumentState, RetrainingStarted]] = []
        for state in self._state.instruments:
            if state.unpublished is not None:
                events.append(self._published(state.unpublished))
            started = state.running or self._starts(state, state.row in self._requested)
            if started is not None:
                if started is not state.running:
                    events.append(started)
                if started.ts_ms + self._latency_ms <= now_ms:
                    to_run.append((state, started))
        events += self._drift([s for s in self._state.instruments if self._measured_by(s, now_ms)])
        self._refit(to_run)
        for state, started in to_run:
            ended = self._ended(started, self._results[state.row, started.ts_ms])
            events.append(ended)
            if ended.outcome == "published":
                events.append(self._published(ended))
        return sorted(events, key=_order)

    def rest(self) -> None:
        """End the processes that train, as none is needed for a while: they would keep the memory
        of their trainings.
        """
        self._pool.close()

    def close(self) -> None:
        """End the processes that train."""
        self._pool.close(at_once=True)

    def _starts(self, state: InstrumentState, requested: bool) -> RetrainingStarted | None:
        """Return the start of a training that is due or requested."""
        if state.due is not None:
            due = state.due
            return RetrainingStarted(due.at_ms, state.row, due.trigger, due.reason)
        at_ms = self._state.now_ms
        allowed = state.ensemble is not None and state.throttle.allows(at_ms, requested=True)
        if not requested or not allowed:
            return None
        return RetrainingStarted(at_ms, state.row, "manual", "requested by a person")

    def _measured_by(self, state: InstrumentState, now_ms: int) -> bool:
        return state.measuring_ms is not None and state.measuring_ms + self._latency_ms <= now_ms

    def _refit(self, to_run: Sequence[tuple[InstrumentState, RetrainingStarted]]) -> None:
        """Run the refits that have started, all at once; a result that is known is kept."""
        due = {(state.row, started.ts_ms) for state, started in to_run}
        self._results = {key: result for key, result in self._results.items() if key in due}
        new = [(s, started) for s, started in to_run if (s.row, started.ts_ms) not in self._results]
        requests = []
        for state, started in new:
            assert state.ensemble is not None
            training = f"training ({started.trigger}: {started.reason})"
            self._say(f"{_name(state, started)}: {training}")
            champion = self._state.ensemble(state.champion) if state.champion else None
            requests.append(RefitRequest(state.ensemble, champion, started.ts_ms))
        if not requests:
            return
        for (state, started), result in zip(new, self._refits.run(requests), strict=True):
            self._results[state.row, started.ts_ms] = result
            reason = result.note or ", ".join(result.failed)
            outcome = f"{result.outcome} ({reason})" if reason else result.outcome
            self._say(f"{_name(state, started)}: {outcome}")

    def _ended(self, started: RetrainingStarted, result: RefitResult) -> RetrainingEnded:
        return RetrainingEnded(
            ts_ms=started.ts_ms + self._latency_ms,
            instrument=started.instrument,
            trigger=started.trigger,
            triggered_ms=started.ts_ms,
            duration_ms=self._latency_ms,
            rows=result.rows,
            confidence=result.confidence,
            ensemble_hash="" if result.ensemble is None else result.ensemble.hash,
            verdict_hash=result.verdict_hash,
            passed=result.passed,
            failed=result.failed,
            outcome=result.outcome,
            note=result.note,
            epochs=result.epochs,
        )

    def _published(self, ended: RetrainingEnded) -> ModelPublished:
        ensemble = self._refits.models.ensemble(ended.ensemble_hash)
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

    def _drift(self, due: Sequence[InstrumentState]) -> list[Event]:
        """Return the drift of instruments whose measurement is due; a result known is kept."""
        keys = [(state.row, state.measuring_ms or 0) for state in due]
        self._measured = {key: found for key, found in self._measured.items() if key in keys}
        tasks: dict[str, tuple[int, int]] = {}
        jobs: list[Task] = []
        for state, (row, at_ms) in zip(due, keys, strict=True):
            assert state.ensemble is not None
            if (row, at_ms) in self._measured:
                continue
            since_ms = 0 if state.drift is None else state.drift.ts_ms - self._latency_ms
            label = f"{row} drift of {state.ensemble.instrument}"
            tasks[label] = row, at_ms
            job = DriftJob(self._refits.config, state.ensemble, at_ms, since_ms)
            jobs.append(Task(label, measure_drift, job))
        for task, result in self._pool.run(jobs):
            row, at_ms = tasks[task.label]
            self._measured[row, at_ms] = _drift_event(row, at_ms + self._latency_ms, result)
        return [self._measured[key] for key in keys]


def _drift_event(row: int, at_ms: int, result: object) -> DriftMeasured | AlertRaised:
    """Return what is journaled of a measurement; an alert where it failed."""
    if not isinstance(result, DriftResult):
        error = result.error if isinstance(result, TaskFailed) else unexpected(result)
        message = f"drift could not be measured: {error}"
        return AlertRaised(at_ms, row, DRIFT_UNKNOWN, 0.0, 0.0, message)
    return DriftMeasured(
        at_ms,
        row,
        result.score,
        result.feature,
        result.error_before,
        result.error_after,
        result.changed,
    )


def _name(state: InstrumentState, started: RetrainingStarted) -> str:
    """Return a training's name for a person: its instrument, and when it started."""
    name = "" if state.ensemble is None else state.ensemble.instrument
    return f"{name} at {utc_text(started.ts_ms)}"


def imported_ensembles(models: ModelStore, setup: RunSetup) -> frozenset[str]:
    """Return the hashes of a run's ensembles of which a member was imported."""
    ensembles = (e for lane in setup.instruments for e in (lane.ensemble, lane.previous))
    return frozenset(
        ensemble.hash
        for ensemble in ensembles
        if ensemble is not None
        and any(models.member(m).card.origin != "trained" for m in ensemble.members)
    )


EVENT_ORDER = (AlertRaised, DriftMeasured, RetrainingStarted, RetrainingEnded, ModelPublished)


def _order(event: Event) -> tuple[int, int, int]:
    """Return an event's position among those that are due: by time, instrument, and kind."""
    rank = next(k for k, kind in enumerate(EVENT_ORDER) if isinstance(event, kind))
    return getattr(event, "ts_ms", 0), getattr(event, "instrument", 0), rank
