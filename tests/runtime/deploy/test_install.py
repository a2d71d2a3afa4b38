"""An install with a real service: healthy with the new champion, or back with the one before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ares.bootstrap.values import model_paths
from ares.domain.errors import ExternalError, UserError
from ares.domain.model_life import InstallCompleted, InstallFailed, InstallStarted
from ares.runtime.deploy.install import install
from ares.runtime.deploy.plan import DeployRequest
from ares.runtime.deploy.staging import one_at_a_time
from ares.runtime.registry.model_journal import read_registry

if TYPE_CHECKING:
    from tests.runtime.deploy.conftest import Site


def restarts(site: Site) -> int:
    path = site.service / "restarts"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_a_package_is_installed_and_the_service_serves_it(site: Site) -> None:
    report = site.install()
    assert (report.result, report.champion, report.healthy) == ("installed", site.new, True), report
    assert site.champion() == site.new
    assert restarts(site) == 1
    assert site.left() == []
    book = read_registry(site.production.journal_dir)
    begun, end = book.records[-3], book.records[-1]
    assert isinstance(begun, InstallStarted)
    assert (begun.previous_hash, begun.package, begun.approved) == (site.old, "new.zip", "--yes")
    assert isinstance(end, InstallCompleted)
    assert (end.ensemble_hash, end.checks) == (site.new, 3)
    assert book.promotions[-1].verdict_hash == book.verdicts[-1].verdict_hash
    assert len({trial.recipe_hash for trial in book.trials}) == 2
    again = site.install()
    assert (again.result, again.champion) == ("already", site.new)
    assert restarts(site) == 1


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("crash", "no heartbeat since the restart"),
        ("mute", "no heartbeat since the restart"),
        ("stops", "its heartbeat has stopped"),
        ("elsewhere", "it runs paper, not live"),
        ("others", "it serves no champion, not"),
    ],
)
def test_a_service_that_does_not_come_up_gets_the_champion_before_back(
    site: Site, how: str, message: str
) -> None:
    site.fails(site.new, how)
    report = site.install()
    assert (report.result, report.champion, report.healthy) == ("reverted", site.old, True)
    assert "not healthy within 120 s of the restart" in report.reason
    assert message in " ".join([report.reason, *site.lines])
    assert site.champion() == site.old
    assert restarts(site) == 2
    assert site.left() == []
    book = read_registry(site.production.journal_dir)
    end = book.records[-1]
    assert isinstance(end, InstallFailed)
    assert (end.ensemble_hash, end.restored_hash, end.healthy) == (site.new, site.old, True)
    assert book.promotions[-1].reverted
    assert book.status(site.new) == "candidate"  # a dead service is no evidence against a model
    assert book.failed_to_start("live") == {site.new}


def test_after_the_cause_is_gone_the_same_package_goes_in(site: Site) -> None:
    site.fails(site.new, "crash")
    assert site.install().result == "reverted"
    (site.service / f"fails-{site.new}").unlink()
    report = site.install()
    assert report.result == "installed", report
    assert read_registry(site.production.journal_dir).failed_to_start("live") == frozenset()


def test_a_service_that_fails_with_both_champions_is_reported_and_the_former_one_stays(
    site: Site,
) -> None:
    site.fails(site.new, "crash")
    site.fails(site.old, "crash")
    report = site.install()
    assert (report.result, report.champion, report.healthy) == ("down", site.old, False)
    assert f"with {site.old[:12]} it is not up either" in report.reason
    end = read_registry(site.production.journal_dir).records[-1]
    assert isinstance(end, InstallFailed)
    assert not end.healthy


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


def test_a_first_champion_that_fails_leaves_none(site: Site) -> None:
    """In paper nobody is champion: what is taken back to is nobody."""
    site.settle(restart_command="true", health_command="false", health_seconds_max=0.01,
                health_interval_seconds=0.001)  # fmt: skip
    report = site.install(to="paper", force=True, reason="rehearsal")
    assert (report.result, report.champion) == ("down", "")
    book = read_registry(site.production.journal_dir)
    assert book.champions("paper") == {}
    assert book.champions("live") == {"binance:BTC/USDT": site.old}
    assert book.promotions[-2].forced
    site.settle(health_command="true", health_seconds_max=60.0)
    report = site.install(to="paper", force=True, reason="again")
    assert (report.result, report.champion) == ("installed", site.new)


@pytest.mark.parametrize("point", ["announced", "promoted", "restarted"])
def test_a_person_who_interrupts_gets_the_champion_before_back(site: Site, point: str) -> None:
    site.settle(restart_command="true", health_command="true", health_interval_seconds=0.001)

    def at(name: str) -> None:
        if name == point:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        site.install(checkpoint=at)
    assert site.champion() == site.old
    assert site.left() == []
    end = read_registry(site.production.journal_dir).records[-1]
    assert isinstance(end, InstallFailed)
    assert end.reason == "interrupted by a person"


def test_a_wrong_request_is_a_user_error(site: Site) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        site.install(site.package.with_name("none.zip"))
    with pytest.raises(UserError, match="needs a reason"):
        site.install(force=True)
    with pytest.raises(UserError, match="history has no service"):
        site.install(to="history")
    with pytest.raises(UserError, match="unknown environment"):
        site.install(to="moon")
    site.settle(restart_command="no-such-program restart")
    with pytest.raises(UserError, match="no program 'no-such-program'"):
        site.install()
    site.settle(policy="hot_swap")
    with pytest.raises(UserError, match=r"deployment\.policy is hot_swap"):
        site.install()


def test_another_deployment_under_way_is_named(site: Site) -> None:
    with (
        one_at_a_time(model_paths(site.production)),
        pytest.raises(ExternalError, match=r"another deployment \(process \d+\)"),
    ):
        site.install()


def test_a_workspace_of_somebody_else_is_left_to_them(site: Site) -> None:
    import os

    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(site.production.root, 12_345, -1)
    with pytest.raises(UserError, match="belongs to user 12345"):
        install(site.context(), DeployRequest(site.package), lambda _plan: True)
