"""The service from outside: what a restart that fails says, and when a heartbeat counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from ares.domain.errors import UserError
from ares.runtime.deploy.service import ExpectedChampion, Service
from ares.runtime.engine.heartbeat import Heartbeat

if TYPE_CHECKING:
    from tests.runtime.deploy.conftest import Site

BTC = "binance:BTC/USDT"


def test_a_restart_that_fails_is_taken_back_too(site: Site) -> None:
    (site.service / "refuse").touch()
    report = site.install()
    assert (report.result, report.champion) == ("down", site.old)
    assert "the restart failed (" in report.reason
    assert "exit code 4: unit is masked" in report.reason


def test_a_restart_that_hangs_is_ended(site: Site) -> None:
    site.settle(restart_command="sleep 60", restart_seconds_max=0.1)
    report = site.install()
    assert "took longer than 0.1 s" in report.reason
    assert site.champion() == site.old


def test_a_health_command_gets_what_to_look_for(site: Site) -> None:
    check = site.service / "check"
    check.write_text('#!/bin/sh\ntest "$ARES_DEPLOY_ENSEMBLE" = "$(cat want)" || exit 1\n')
    check.chmod(0o755)
    (site.production.root / "want").write_text(site.new)
    site.settle(health_command=f"'{check}'", health_interval_seconds=0.001)
    assert site.install().result == "installed"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, None),
        ({"champions": {}}, "it serves no champion, not "),
        ({"champions": {BTC: "f" * 64}}, "it serves ffffffffffff, not "),
        ({"champions": {"binance:ETH/USDT": "f" * 64}}, "it serves no champion, not "),
        ({"environment": "paper"}, "it runs paper, not live"),
        ({"at_ms": -1}, "no heartbeat since the restart in "),
        ({"before": {"at_ms": 5_000}}, "its heartbeat has stopped"),
        ({"before": {"at_ms": 4_000, "pid": 8}}, "it was started again (process 8, then 7)"),
        ({"before": {"at_ms": 4_000}}, None),
        ({"old": True}, "its heartbeat is 36"),
    ],
)
def test_a_heartbeat_counts_only_from_the_service_that_is_waited_for(
    site: Site, change: dict[str, Any], problem: str | None
) -> None:
    """Times are from the restart on, in ms."""
    change = dict(change)
    site.settle(heartbeat_seconds_max=600.0)
    service = Service(site.context())
    restarted_ms = int(site.clock.now().timestamp() * 1000) - 5_000
    if change.pop("old", False):
        restarted_ms -= 3_620_000  # so that a slow test does not matter
    earlier = change.pop("before", None)
    beat: dict[str, Any] = {
        "at_ms": 5_000,
        "pid": 7,
        "environment": "live",
        "champions": {BTC: site.old},
    } | change
    beat["at_ms"] += restarted_ms
    path = site.production.root / "logs" / "heartbeat.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(msgspec.json.encode(beat))
    before = None
    if earlier is not None:
        before = msgspec.convert(beat | {"pid": 7} | earlier, Heartbeat)
        before = msgspec.structs.replace(before, at_ms=before.at_ms + restarted_ms)
    found = service.problem(ExpectedChampion("live", BTC, site.old), restarted_ms, before)
    if problem is None:
        assert found is None
    else:
        assert found is not None
        assert found.startswith(problem)


def test_a_heartbeat_that_cannot_be_read_is_none(site: Site) -> None:
    path = site.production.root / "logs" / "heartbeat.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text("{")
    service = Service(site.context())
    assert service.heartbeat() is None
    problem = service.problem(ExpectedChampion("live", BTC, site.old), 0, None)
    assert problem is not None
    assert problem.startswith("no heartbeat since the restart")


def test_a_command_that_is_not_here_is_named_before_anything_is_restarted(site: Site) -> None:
    site.settle(health_command="no-such-check --now")
    with pytest.raises(UserError, match=r"deployment\.health_command: .*'no-such-check'"):
        Service(site.context()).require_commands()
    site.settle(restart_command="'no such program' x")
    with pytest.raises(UserError, match=r"deployment\.restart_command: .*'no such program'"):
        Service(site.context()).require_commands()
