"""What the report of a run's learning says, read from the journal alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ares.bootstrap.learner import alert_thresholds
from ares.bootstrap.trade_rules import retrain_policy
from ares.domain.events import BarsClosed, RunStarted
from ares.domain.run import RunSetup
from ares.journal.run import RunJournal
from ares.learn.thresholds import Thresholds
from ares.observe.learning_report import report_learning

HOUR = 3_600_000
START_MS = 1_672_531_200_000  # 2023-01-01
FROM_MS = START_MS + 1_860 * HOUR
HOURS = range(1, 27)


def learning(setup: RunSetup) -> RunSetup:
    """Return a run as one with a learner is: it has lanes for challengers."""
    lanes = (*setup.instruments, *setup.instruments)
    return msgspec.structs.replace(setup, instruments=lanes, challenger_lanes=True)


def test_the_report_of_a_run_without_a_learner(
    small: Any, setup_of: Any, loss: Any, tmp_path: Path
) -> None:
    policy = retrain_policy(small.workspace.settings)

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

    alone = setup_of(small.workspace, small.edge, learns=False)
    learns = learning(alone)
    assert state(alone, "plain", 6) == "no learner"
    assert state(learns, "stopped", 4) == "due"
    assert state(learns, "foreign", 6) == "imported"


def test_the_report_has_past_trainings_and_the_state(
    small: Any, here: Any, play: Any, setup_of: Any, tmp_path: Path
) -> None:
    pool = here()
    done = play(small.workspace, tmp_path / "r", HOURS, [20], small.noise, pool=pool)
    folder = tmp_path / "journal"
    journal = RunJournal(folder)
    done.journal[0] = (
        RunStarted(learning(setup_of(small.workspace, small.noise, learns=False))),
        [],
    )
    for seq, (event, effects) in enumerate(done.journal, 1):
        journal.event(seq, event)
        journal.effects(seq, effects)
    journal.close()
    settings = small.workspace.settings
    report = report_learning(folder, retrain_policy(settings), alert_thresholds(settings))
    [one], [training] = report.instruments, report.retrainings
    assert report.triggers == {"loss_immediate": 1}
    assert report.outcomes == {"refused": 1}
    assert (one.state, one.failures, one.budget_left, one.budget) == ("backing_off", 1, 3, 4)
    assert one.next_allowed_ms == FROM_MS + 32 * HOUR + 60_000
    assert one.drift_score is not None
    assert (one.trades, one.net_bps) == (1, -40.0)
    assert training.rows is not None
    assert training.confidence is not None
    assert "net_bps" in training.failed
