"""An install with a real service: what is journaled, interrupted, and refused."""

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


def test_a_package_is_installed_and_the_service_serves_it(site: Site) -> None:
    report = site.install()
    assert (report.result, report.champion, report.healthy) == ("installed", site.new, True), report
    assert site.champion() == site.new
    assert site.restarts() == 1
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
    assert site.restarts() == 1


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
