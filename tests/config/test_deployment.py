"""Settings of deployment: commands that can be run, and a time in which health can be shown."""

from __future__ import annotations

from datetime import time

import pytest
from pydantic import ValidationError

from ares.config.deployment import DeploymentSettings


@pytest.mark.parametrize("command", ["", "   ", "systemctl 'restart"])
def test_a_command_that_cannot_be_run_is_refused(command: str) -> None:
    with pytest.raises(ValidationError, match="command"):
        DeploymentSettings(restart_command=command)


def test_the_checks_must_fit_into_the_time() -> None:
    with pytest.raises(ValidationError, match="health"):
        DeploymentSettings(health_checks=100, health_interval_seconds=5.0, health_seconds_max=30.0)


def test_quiet_hours_are_times_of_the_day() -> None:
    begin, end = DeploymentSettings().quiet
    assert isinstance(begin, time)
    assert isinstance(end, time)
    with pytest.raises(ValidationError):
        DeploymentSettings(quiet_hours="25:00-26:00")
