"""A request to train now: left for the learner of a running engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ares.bootstrap.validation import validation_config
from ares.domain.errors import ExternalError, UserError
from ares.domain.events import BarsClosed, RunStarted
from ares.domain.model_events import (
    RetrainingStarted,
)
from ares.journal.lock import Lock
from ares.learn.learner_state import LearnerState
from ares.learn.thresholds import Thresholds
from ares.learn.triggers import RetrainPolicy
from ares.runtime.learner.learn_requests import LearnRequest, LearnRequests, write_request
from ares.runtime.learner.learner import Learner
from ares.runtime.learner.refit import RefitRunner

HOUR = 3_600_000
START_MS = 1_672_531_200_000  # 2023-01-01
FROM_MS = START_MS + 1_860 * HOUR


def test_a_requested_training_needs_no_rest(
    small: Any, here: Any, playing: Any, setup_of: Any, tmp_path: Path
) -> None:
    journal, key = tmp_path / "journal", "binance:BTC/USDT"
    request = LearnRequest(key, "ada", "2024-01-01T00:00:00Z")
    with pytest.raises(UserError, match="history runs take no training requests"):
        write_request(journal, "history", request)
    with pytest.raises(ExternalError, match="no engine runs in paper"):
        write_request(journal, "paper", request)
    lock = Lock(journal / "paper")
    setup, pool = setup_of(small.workspace, small.edge), here()
    refits = RefitRunner(
        validation_config(small.workspace), 400, "paper", tmp_path / "run", (), pool
    )
    state = LearnerState(RetrainPolicy(on_loss=False, budget_per_day=1), Thresholds())
    requests = LearnRequests(journal / "paper", [key])
    played = playing(Learner(state, refits, pool, 60_000, requests))
    played.put(RunStarted(setup))
    played.instants(range(19, 20), [])
    assert requests() == []
    write_request(journal, "paper", request)
    assert requests() == [0]
    played.put(BarsClosed(FROM_MS + 20 * HOUR, b"", b"", b""))
    played.instants(range(21, 23), [])
    [begun] = played.of(RetrainingStarted)
    assert (begun.trigger, begun.ts_ms) == ("manual", FROM_MS + 20 * HOUR)
    assert requests() == []
    write_request(journal, "paper", request)
    lock.release()
    played.instants(range(23, 26), [])
    assert len(played.of(RetrainingStarted)) == 1, "the day's budget is spent"
    assert requests() == [0]
