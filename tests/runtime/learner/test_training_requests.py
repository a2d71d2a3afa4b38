"""A person's request to train now: a fact of the journal that the learner answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ares.bootstrap.validation import validation_config
from ares.domain.events import BarsClosed, RunStarted
from ares.domain.model_events import RetrainingStarted, TrainingRequested
from ares.domain.order_events import CommandGiven
from ares.learn.learner_state import LearnerState
from ares.learn.thresholds import Thresholds
from ares.learn.triggers import RetrainPolicy
from ares.runtime.learner.learner import Learner
from ares.runtime.learner.refit import RefitRunner

HOUR = 3_600_000
START_MS = 1_672_531_200_000  # 2023-01-01
FROM_MS = START_MS + 1_860 * HOUR


def test_a_requested_training_needs_no_rest(
    small: Any, here: Any, playing: Any, setup_of: Any, tmp_path: Path
) -> None:
    setup, pool = setup_of(small.workspace, small.edge), here()
    refits = RefitRunner(
        validation_config(small.workspace), 400, "paper", tmp_path / "run", (), pool
    )
    state = LearnerState(RetrainPolicy(on_loss=False, budget_per_day=1), Thresholds())
    learner = Learner(state, refits, pool, 60_000)
    played = playing(learner)

    def request(hour: int) -> None:
        ts_ms = FROM_MS + hour * HOUR
        command = CommandGiven(f"c{hour}", ts_ms, "ada", "learn", {"instrument": "BTC/USDT"})
        played.put(command, [TrainingRequested(0, ts_ms, "ada")])

    played.put(RunStarted(setup))
    played.instants(range(19, 20), [])
    assert played.of(RetrainingStarted) == []
    request(19)
    assert learner.quiet_until_ms() == 0, "no stretch may pass over it"
    played.put(BarsClosed(FROM_MS + 20 * HOUR, b"", b"", b""))
    played.instants(range(21, 23), [])
    [begun] = played.of(RetrainingStarted)
    assert (begun.trigger, begun.ts_ms) == ("manual", FROM_MS + 20 * HOUR)
    assert learner.quiet_until_ms() != 0
    request(22)
    played.instants(range(23, 26), [])
    assert len(played.of(RetrainingStarted)) == 1, "the day's budget is spent"
    assert learner.quiet_until_ms() == 0, "it waits for the next day"
