"""Deployment, composed: the policy of the settings, and features that are loaded when needed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time
from pathlib import Path
from typing import Any

import pytest

from ares.bootstrap.deploy import deploy_context, deploy_policy
from ares.config.workspace import Workspace
from ares.domain.errors import UserError

MakeWorkspace = Callable[..., Workspace]


def test_the_policy_is_that_of_the_settings(workspace_of: MakeWorkspace) -> None:
    deployment = {
        "policy": "restart",
        "quiet_hours": "23:30-01:15",
        "restart_command": "true again",
        "restart_seconds_max": 7.0,
        "health_command": "true healthy",
        "health_command_seconds_max": 3.0,
        "heartbeat_file": "beat.json",
        "heartbeat_seconds_max": 4.0,
        "health_checks": 2,
        "health_interval_seconds": 0.5,
        "health_seconds_max": 9.0,
    }
    policy = deploy_policy(
        workspace_of(
            venue="kraken",
            deployment=deployment,
            live_trading={"mode": "paper"},
            promotion={"parity_difference_max": 1e-3},
        )
    )
    assert policy.by_restart
    assert policy.environment == "paper"
    assert policy.instruments == ("kraken:BTC/USDT", "kraken:ETH/USDT")
    assert policy.quiet == (time(23, 30), time(1, 15))
    assert policy.parity_difference_max == 1e-3
    service = policy.service
    assert (service.restart_command, service.health_command) == ("true again", "true healthy")
    assert (service.restart_seconds_max, service.health_command_seconds_max) == (7.0, 3.0)
    assert (service.heartbeat_file, service.heartbeat_seconds_max) == (Path("beat.json"), 4.0)
    assert (service.checks, service.interval_seconds, service.seconds_max) == (2, 0.5, 9.0)


def test_hot_swap_is_the_default(workspace_of: MakeWorkspace) -> None:
    assert not deploy_policy(workspace_of()).by_restart


def test_a_broken_module_of_features_does_not_stop_a_rollback(workspace_of: MakeWorkspace) -> None:
    """The configuration of the gate is read when a validation needs it, and not before."""
    effects: Any = None
    context = deploy_context(workspace_of(features={"module": "none.py"}), effects)
    with pytest.raises(UserError, match=r"none\.py"):
        context.validation()
