"""What the learner of a run has done and may do next, read from the run's journal alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ares.domain.errors import UserError
from ares.domain.events import RunStarted
from ares.domain.model_events import AlertRaised, DriftMeasured, RetrainingEnded, RetrainingStarted
from ares.domain.run import RunSetup
from ares.journal.run import JournalEntry, entries
from ares.learn.learner_state import InstrumentState, LearnerState
from ares.learn.thresholds import Thresholds
from ares.learn.triggers import PERFORMANCE_TRADES, RetrainPolicy, expected_bps_min
from ares.store.mode_alerts import ModeAlerts


@dataclass(frozen=True, slots=True)
class RetrainingRecord:
    """One retraining; ``outcome`` None: it is running. Numbers that were not computed are None."""

    instrument: str
    triggered_ms: int
    trigger: str
    reason: str
    duration_s: float | None = None
    rows: int | None = None
    epochs: int | None = None
    confidence: float | None = None
    outcome: str | None = None
    ensemble_hash: str = ""
    failed: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class InstrumentLearning:
    """One instrument: the state of its training, and what would trigger it.

    state        : ready, backing_off, due (it starts with the next instant), training, challenger
                   (one is compared with the champion), imported (it can only be trained where it
                   comes from), no model, or no learner (the run has none).
    ensemble     : hash of the ensemble that a training refits.
    next_allowed_ms : end of the interval after the last training; None: one may start.
    failures     : consecutive trainings that published nothing; each doubles the interval.
    budget_left  : trainings that may still start in these 24 hours; None: there is no learner.
    trades, net_bps, expected_bps_min : of the newest 30 trades of the model in its slot: number,
                   mean, and the 95% lower bound of that mean from validation.
    """

    instrument: str
    state: str
    champion: str
    ensemble: str
    next_allowed_ms: int | None
    failures: int
    budget_left: int | None
    budget: int
    trades: int
    net_bps: float | None
    expected_bps_min: float | None
    drift_ms: int | None
    drift_score: float | None
    drift_feature: str
    error_before: float | None
    error_after: float | None


@dataclass(frozen=True, slots=True)
class LearningReport:
    """A run's learning up to ``now_ms``, its last instant. learns: whether it has a learner."""

    environment: str
    learns: bool
    now_ms: int
    instruments: tuple[InstrumentLearning, ...]
    retrainings: tuple[RetrainingRecord, ...]
    triggers: dict[str, int]
    outcomes: dict[str, int]
    alerts: tuple[AlertRaised, ...]


def report_learning(folder: Path, policy: RetrainPolicy, thresholds: Thresholds) -> LearningReport:
    """Return what the learner of a run did, from its journal; what it may do next, by settings."""
    reading = _Reading(LearnerState(policy, thresholds))
    for entry in entries(folder):
        reading.add(entry)
    if reading.setup is None:
        raise UserError(f"{folder.name}: its journal is empty")
    return reading.report(reading.setup, policy)


class _Reading:
    """What is collected while the journal is read."""

    def __init__(self, state: LearnerState) -> None:
        self._state = state
        self.setup: RunSetup | None = None
        self._started: list[RetrainingStarted] = []
        self._ended: dict[tuple[int, int], RetrainingEnded] = {}
        self._alerts: list[AlertRaised] = []
        self._mode_alerts: ModeAlerts | None = None

    def add(self, entry: JournalEntry) -> None:
        """Take one entry in."""
        self._state.watch(entry.event, entry.effects)
        match entry.event:
            case RunStarted(setup=setup):
                self.setup = setup
                self._mode_alerts = ModeAlerts(setup)
            case RetrainingStarted():
                self._started.append(entry.event)
            case RetrainingEnded():
                self._ended[entry.event.instrument, entry.event.triggered_ms] = entry.event
            case AlertRaised():
                self._alerts.append(entry.event)
            case _:
                pass
        for effect in entry.effects:
            alert = None if self._mode_alerts is None else self._mode_alerts.watch(effect)
            if alert is not None:
                self._alerts.append(alert)

    def report(self, setup: RunSetup, policy: RetrainPolicy) -> LearningReport:
        """Return what was read."""
        names = [lane.spec.instrument.key for lane in setup.instruments[: setup.n_instruments]]
        now_ms = self._state.now_ms
        trainings = tuple(self._retraining(names, started) for started in self._started)
        triggers: dict[str, int] = {}
        outcomes: dict[str, int] = {}
        for training in trainings:
            triggers[training.trigger] = triggers.get(training.trigger, 0) + 1
            if training.outcome is not None:
                outcomes[training.outcome] = outcomes.get(training.outcome, 0) + 1
        return LearningReport(
            setup.environment,
            setup.challenger_lanes,
            now_ms,
            tuple(
                _instrument(names[state.row], state, policy, now_ms, learns=setup.challenger_lanes)
                for state in self._state.instruments
            ),
            trainings,
            triggers,
            outcomes,
            tuple(self._alerts),
        )

    def _retraining(self, names: list[str], started: RetrainingStarted) -> RetrainingRecord:
        name = names[started.instrument]
        end = self._ended.get((started.instrument, started.ts_ms))
        if end is None:
            return RetrainingRecord(name, started.ts_ms, started.trigger, started.reason)
        return RetrainingRecord(
            name,
            started.ts_ms,
            started.trigger,
            started.reason,
            end.duration_ms / 1e3,
            end.rows or None,
            end.epochs or None,
            end.confidence if end.verdict_hash else None,
            end.outcome,
            end.ensemble_hash,
            end.failed,
            end.note,
        )


def _instrument(
    name: str, state: InstrumentState, policy: RetrainPolicy, now_ms: int, *, learns: bool
) -> InstrumentLearning:
    throttle = state.throttle
    allowed_ms = None if throttle.ended_ms is None else throttle.ended_ms + throttle.interval_ms
    waiting = allowed_ms is not None and allowed_ms > now_ms
    recent = [net for _, net in state.trades[-PERFORMANCE_TRADES:]]
    drift: DriftMeasured | None = state.drift
    bound = None
    if recent and state.ensemble is not None:
        bound = expected_bps_min(state.ensemble.validation, len(recent))
    return InstrumentLearning(
        instrument=name,
        state=_state(state, waiting or throttle.budget_left(now_ms) == 0, now_ms)
        if learns
        else "no learner",
        champion=state.champion,
        ensemble="" if state.ensemble is None else state.ensemble.hash,
        next_allowed_ms=allowed_ms if waiting else None,
        failures=throttle.failures,
        budget_left=throttle.budget_left(now_ms) if learns else None,
        budget=policy.budget_per_day,
        trades=len(recent),
        net_bps=sum(recent) / len(recent) if recent else None,
        expected_bps_min=bound,
        drift_ms=None if drift is None else drift.ts_ms,
        drift_score=None if drift is None else drift.score,
        drift_feature="" if drift is None else drift.feature,
        error_before=None if drift is None else _number(drift.error_before),
        error_after=None if drift is None else _number(drift.error_after),
    )


def _state(state: InstrumentState, waiting: bool, now_ms: int) -> str:
    if state.ensemble is None:
        return "no model"
    if state.running or state.unpublished:
        return "training"
    if state.due:  # a learner starts it before the next instant, or cannot
        return "due" if state.due.at_ms >= now_ms else "imported"
    if state.challenger:
        return "challenger"
    return "backing_off" if waiting else "ready"


def _number(value: float) -> float | None:
    return None if value != value else value  # noqa: PLR0124 - NaN means not known
