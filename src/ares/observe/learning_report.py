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
from ares.learn.triggers import PERFORMANCE_TRADES, RetrainPolicy, promised_least
from ares.store.mode_alerts import ModeAlerts


@dataclass(frozen=True, slots=True)
class RetrainingRecord:
    """One retraining; ``outcome`` None: it is under way. Numbers of what was not made are None."""

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
    """One instrument: where its training stands, and what would trigger it.

    state        : ready, resting, due (it begins with the next instant), training, on trial (a
                   challenger has its time), imported (made elsewhere, where it must be made anew),
                   no model, or no learner (the run has none).
    rest_until_ms : end of the rest after the last training; None: it may begin.
    failures     : trainings in a row that brought nothing, which double the rest.
    budget_left  : trainings that may still begin in these 24 hours; None: there is no learner.
    trades, net_bps, promised_bps : of the model in its slot, over the newest 30: their mean, and
                   the least that its validation promised of so many.
    """

    instrument: str
    state: str
    champion: str
    trained_anew: str
    rest_until_ms: int | None
    failures: int
    budget_left: int | None
    budget: int
    trades: int
    net_bps: float | None
    promised_bps: float | None
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
    """Read a run's journal and return what was learned, judged by these settings."""
    reading = _Reading(LearnerState(policy, thresholds))
    for entry in entries(folder):
        reading.add(entry)
    if reading.setup is None:
        raise UserError(f"{folder.name}: nothing was journaled yet")
    return reading.report(reading.setup, policy)


class _Reading:
    """What is gathered while the journal is read."""

    def __init__(self, lessons: LearnerState) -> None:
        self._lessons = lessons
        self.setup: RunSetup | None = None
        self._started: list[RetrainingStarted] = []
        self._ended: dict[tuple[int, int], RetrainingEnded] = {}
        self._alerts: list[AlertRaised] = []
        self._mode_alerts: ModeAlerts | None = None

    def add(self, entry: JournalEntry) -> None:
        """Take one entry in."""
        self._lessons.watch(entry.event, entry.effects)
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
        names = [one.spec.instrument.key for one in setup.instruments[: setup.n_instruments]]
        now_ms = self._lessons.now_ms
        trainings = tuple(self._retraining(names, one) for one in self._started)
        triggers: dict[str, int] = {}
        outcomes: dict[str, int] = {}
        for one in trainings:
            triggers[one.trigger] = triggers.get(one.trigger, 0) + 1
            if one.outcome is not None:
                outcomes[one.outcome] = outcomes.get(one.outcome, 0) + 1
        return LearningReport(
            setup.environment,
            setup.challenger_lanes,
            now_ms,
            tuple(
                _instrument(names[pupil.row], pupil, policy, now_ms, learns=setup.challenger_lanes)
                for pupil in self._lessons.pupils
            ),
            trainings,
            triggers,
            outcomes,
            tuple(self._alerts),
        )

    def _retraining(self, names: list[str], begun: RetrainingStarted) -> RetrainingRecord:
        name = names[begun.instrument]
        end = self._ended.get((begun.instrument, begun.ts_ms))
        if end is None:
            return RetrainingRecord(name, begun.ts_ms, begun.trigger, begun.reason)
        return RetrainingRecord(
            name,
            begun.ts_ms,
            begun.trigger,
            begun.reason,
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
    name: str, pupil: InstrumentState, policy: RetrainPolicy, now_ms: int, *, learns: bool
) -> InstrumentLearning:
    restraint = pupil.restraint
    rest_ms = None if restraint.ended_ms is None else restraint.ended_ms + restraint.rest_ms
    resting = rest_ms is not None and rest_ms > now_ms
    recent = [net for _, net in pupil.trades[-PERFORMANCE_TRADES:]]
    seen: DriftMeasured | None = pupil.drift
    promised = None
    if recent and pupil.taught is not None:
        promised = promised_least(pupil.taught.validation, len(recent))
    return InstrumentLearning(
        instrument=name,
        state=_state(pupil, resting or restraint.budget_left(now_ms) == 0, now_ms)
        if learns
        else "no learner",
        champion=pupil.champion,
        trained_anew="" if pupil.taught is None else pupil.taught.hash,
        rest_until_ms=rest_ms if resting else None,
        failures=restraint.failures,
        budget_left=restraint.budget_left(now_ms) if learns else None,
        budget=policy.budget_per_day,
        trades=len(recent),
        net_bps=sum(recent) / len(recent) if recent else None,
        promised_bps=promised,
        drift_ms=None if seen is None else seen.ts_ms,
        drift_score=None if seen is None else seen.score,
        drift_feature="" if seen is None else seen.feature,
        error_before=None if seen is None else _number(seen.error_before),
        error_after=None if seen is None else _number(seen.error_after),
    )


def _state(pupil: InstrumentState, resting: bool, now_ms: int) -> str:
    if pupil.taught is None:
        return "no model"
    if pupil.running or pupil.made:
        return "training"
    if pupil.wanted:  # a learner begins before the next instant, or cannot
        return "due" if pupil.wanted.at_ms >= now_ms else "imported"
    if pupil.on_trial:
        return "on trial"
    return "resting" if resting else "ready"


def _number(value: float) -> float | None:
    return None if value != value else value  # noqa: PLR0124 NaN: not known
