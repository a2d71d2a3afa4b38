"""The learner, composed: hours of the settings are milliseconds; who may train, and who may ask."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.paper_engine import running

from ares.bootstrap.learner import (
    alert_thresholds,
    learner_of,
    learning_of_run,
    request_training,
    why_no_learner,
)
from ares.bootstrap.trade_rules import retrain_policy
from ares.config.settings import Settings
from ares.config.workspace import Workspace
from ares.domain.errors import ExternalError, UserError
from ares.domain.order_events import CommandGiven

MakeWorkspace = Callable[..., Workspace]
FORBIDDEN = {"learning": {"in_production": False}, "live_trading": {"mode": "live"}}


def test_the_policy_of_retraining_is_that_of_the_settings() -> None:
    retraining = {
        "on_loss": False, "drift_threshold": 0.5, "min_interval_hours": 1.5, "budget_per_day": 9,
        "backoff_hours_max": 10.0, "schedule_hours": 2.0, "drift_check_hours": 0.25,
    }  # fmt: skip
    content = {"continuous_learning": {"retraining": retraining}}
    policy = retrain_policy(Settings.model_validate(content))
    assert (policy.on_loss, policy.drift_threshold, policy.budget_per_day) == (False, 0.5, 9)
    assert (policy.interval_ms, policy.backoff_ms_max) == (5_400_000, 36_000_000)
    assert (policy.schedule_ms, policy.check_ms) == (7_200_000, 900_000)
    assert retrain_policy(Settings()).schedule_ms is None


def test_a_limit_of_null_raises_no_alert() -> None:
    thresholds = {"accuracy_min": None, "sharpe_min": 0.5, "drawdown_min": -0.2}
    content = {"continuous_learning": {"thresholds": thresholds}}
    limits = alert_thresholds(Settings.model_validate(content))
    assert (limits.accuracy_min, limits.sharpe_min, limits.drawdown_min) == (None, 0.5, -0.2)


def test_no_learner_is_made_where_training_is_forbidden(
    workspace_of: MakeWorkspace, tmp_path: Path
) -> None:
    setup: Any = None  # refused before the run is looked at
    with pytest.raises(UserError, match="nothing is trained here"):
        learner_of(workspace_of(**FORBIDDEN), setup, tmp_path)


def test_a_run_without_learner_gives_the_reason(workspace_of: MakeWorkspace) -> None:
    assert "nothing is trained here" in why_no_learner(workspace_of(**FORBIDDEN), "paper")
    assert "`ares run --learn --run NAME`" in why_no_learner(workspace_of(), "paper")


def test_a_report_needs_a_run(workspace_of: MakeWorkspace) -> None:
    with pytest.raises(UserError, match="run"):
        learning_of_run(workspace_of(), None)


def test_a_request_reaches_the_engine_that_runs(workspace_of: MakeWorkspace) -> None:
    workspace = workspace_of(bars=3)
    with pytest.raises(UserError, match="moon"):
        request_training(workspace, "BTC/USDT", "moon")
    with pytest.raises(UserError, match="XRP/USDT"):
        request_training(workspace, "XRP/USDT", "paper")
    with pytest.raises(ExternalError, match="no engine runs in paper"):
        request_training(workspace, "BTC/USDT", "paper")
    with running(workspace.root) as engine:
        answer = request_training(workspace, "btc/usdt", "paper")
    assert answer == ("refused", "no learner runs beside this engine")
    command = engine.events[-1]
    assert isinstance(command, CommandGiven)
    assert command.args == {"instrument": "binance:BTC/USDT"}


def test_a_request_is_refused_where_training_is_forbidden(workspace_of: MakeWorkspace) -> None:
    workspace = workspace_of(bars=3, **FORBIDDEN)
    with pytest.raises(UserError, match="nothing is trained here"):
        request_training(workspace, "BTC/USDT", "live")
    assert not (workspace.journal_dir / "live").exists()
