"""What a learner did, from the journal alone: running trainings, numbers that are not known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ares.domain.errors import UserError
from ares.domain.events import BarsClosed, Effect, Event
from ares.domain.model import Ensemble
from ares.domain.model_events import (
    AlertRaised,
    DriftMeasured,
    RetrainingEnded,
    RetrainingStarted,
)
from ares.domain.run import RunSetup
from ares.domain.timeframe import HOUR_MS
from ares.journal.run import RunJournal
from ares.learn.thresholds import Thresholds
from ares.learn.triggers import RetrainPolicy
from ares.observe.learning_report import report_learning

START_MS = 1_704_067_200_000  # 2024-01-01
EnsembleOf = Callable[[str], Ensemble]
SetupOf = Callable[..., RunSetup]
Journaled = Callable[..., Path]


def started(hour: int) -> RetrainingStarted:
    return RetrainingStarted(START_MS + hour * HOUR_MS, 0, "drift", "drift score 0.80")


def ended(hour: int, verdict: str) -> RetrainingEnded:
    """Return the end, half an hour later, of the training that began at ``hour``."""
    at_ms = START_MS + hour * HOUR_MS
    return RetrainingEnded(
        at_ms + HOUR_MS // 2, 0, "drift", at_ms, HOUR_MS // 2, 400 if verdict else 0, 0.7, "e",
        verdict, False, ("e_value",), "refused" if verdict else "failed", "note", 8,
    )  # fmt: skip


def test_each_training_is_paired_with_its_own_end(
    ensemble_of: EnsembleOf, setup_of: SetupOf, journaled: Journaled
) -> None:
    events: list[Event] = [started(1), ended(1, "verdict"), started(30), ended(30, ""), started(60)]
    story: list[tuple[Event, list[Effect]]] = [(event, []) for event in events]
    folder = journaled(setup_of(ensemble_of("a")), story)
    report = report_learning(folder, RetrainPolicy(), Thresholds())
    judged, failed, running = report.retrainings
    assert (judged.outcome, judged.rows, judged.confidence) == ("refused", 400, 0.7)
    assert judged.duration_s == 1_800.0
    assert (failed.outcome, failed.rows, failed.confidence) == ("failed", None, None)
    assert (running.outcome, running.duration_s) == (None, None)
    assert report.triggers == {"drift": 3}
    assert report.outcomes == {"refused": 1, "failed": 1}
    assert report.instruments[0].state == "training"


def test_a_run_without_learner_has_no_budget_and_its_drift_is_shown(
    ensemble_of: EnsembleOf, setup_of: SetupOf, journaled: Journaled
) -> None:
    drift = DriftMeasured(START_MS, 0, 0.8, "return_1", float("nan"), 0.2, True)
    alert = AlertRaised(START_MS, 0, "sharpe_low", -0.5, 1.0, "sharpe -0.50 is below 1")
    bars = BarsClosed(START_MS + HOUR_MS, b"", b"\1", b"\0")
    story: list[tuple[Event, list[Effect]]] = [(drift, []), (alert, []), (bars, [])]
    folder = journaled(setup_of(ensemble_of("a"), challenger_lanes=False), story)
    report = report_learning(folder, RetrainPolicy(), Thresholds())
    (instrument,) = report.instruments
    assert not report.learns
    assert (instrument.state, instrument.budget_left) == ("no learner", None)
    assert (instrument.drift_score, instrument.drift_feature) == (0.8, "return_1")
    assert (instrument.error_before, instrument.error_after) == (None, 0.2)
    assert report.alerts == (alert,)


def test_an_instrument_without_model_is_named_as_such(
    setup_of: SetupOf, journaled: Journaled
) -> None:
    report = report_learning(journaled(setup_of(None), []), RetrainPolicy(), Thresholds())
    (instrument,) = report.instruments
    assert (instrument.state, instrument.ensemble) == ("no model", "")
    assert (instrument.trades, instrument.net_bps) == (0, None)


def test_an_empty_journal_is_one_line(tmp_path: Path) -> None:
    RunJournal(tmp_path / "empty").close()
    with pytest.raises(UserError, match="empty: its journal is empty"):
        report_learning(tmp_path / "empty", RetrainPolicy(), Thresholds())
