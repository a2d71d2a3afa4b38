"""The state of deployments in words: who serves, what failed, and what to do next."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ares.cli.deploy_views import show_status
from ares.runtime.deploy.status import DeployStatus, ServiceHealth

KEY = "binance:BTC/USDT"
STATUS = DeployStatus(
    environment="paper", policy="restart", champions={KEY: "c" * 64}, newest_installs={},
    interrupted=(), running=None, removed=(), quiet_hours="02:00-05:00",
    quiet_from=datetime(2024, 1, 2, 2, tzinfo=UTC), quiet=False, heartbeat=None, health={},
)  # fmt: skip
BEAT = ServiceHealth(3.4, True, 77, "paper", {}, True)


def shown(capsys: pytest.CaptureFixture[str], status: DeployStatus) -> tuple[str, str]:
    show_status(status)
    return capsys.readouterr()


def test_champions_and_the_next_quiet_hours_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = shown(capsys, STATUS)
    assert "c" * 12 in out
    assert "c" * 13 not in out
    assert "02:00-05:00 UTC, next 2024-01-02 02:00 UTC" in out
    assert "no heartbeat" in out
    assert err == ""
    out, _ = shown(capsys, replace(STATUS, champions={}, quiet=True))
    assert "paper: there is no champion" in out
    assert "02:00-05:00 UTC, now" in out


@pytest.mark.parametrize(
    ("heartbeat", "text"),
    [
        (BEAT, "alive: heartbeat 3 s ago, process 77, serves the champions"),
        (replace(BEAT, alive=False), "not responding: heartbeat 3 s ago"),
        (replace(BEAT, serves=False), "does not serve the champions of paper"),
    ],
)
def test_a_heartbeat_is_described_by_age_and_models(
    capsys: pytest.CaptureFixture[str], heartbeat: ServiceHealth, text: str
) -> None:
    assert text in shown(capsys, replace(STATUS, heartbeat=heartbeat))[0]


def test_the_health_command_is_preferred_and_its_problem_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    healthy = replace(STATUS, heartbeat=BEAT, health={KEY: ""})
    assert "healthy, by deployment.health_command" in shown(capsys, healthy)[0]
    ill = replace(STATUS, heartbeat=BEAT, health={KEY: "exit code 3"})
    out, _ = shown(capsys, ill)
    assert f"{KEY}: exit code 3" in out
    assert "alive" not in out


def test_interrupted_and_cleaned_installs_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    status = replace(
        STATUS, interrupted=("An install was interrupted.",), running="an install runs",
        removed=(Path("staging/old"),),
    )  # fmt: skip
    out, err = shown(capsys, status)
    assert "An install was interrupted." in out
    assert "an install runs" in err
    assert "removed staging/old, left by a deployment that was killed" in err
