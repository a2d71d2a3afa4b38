"""Back to the champion before by restart, and what ``ares deploy status`` says."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ares.bootstrap.values import model_paths
from ares.domain.errors import UserError
from ares.runtime.deploy.plan import DeployReport
from ares.runtime.deploy.rollback import rollback
from ares.runtime.deploy.staging import one_at_a_time
from ares.runtime.deploy.status import deploy_status
from ares.runtime.registry.model_journal import read_registry

if TYPE_CHECKING:
    from tests.runtime.deploy.conftest import Site

BTC = "binance:BTC/USDT"


def back(site: Site, **options: Any) -> DeployReport:
    fields = {"symbol": None, "to": "live", "reason": "", "yes": True, **options}
    approve = fields.pop("approve", lambda _sentence: True)
    checkpoint = fields.pop("checkpoint", None)
    return rollback(site.context(checkpoint), **fields, approve=approve)


def test_the_former_champion_comes_back_with_a_real_service(site: Site) -> None:
    assert site.install().result == "installed"
    report = back(site, symbol="BTC/USDT", reason="it lost money")
    assert (report.result, report.champion, report.healthy) == ("rolled_back", site.old, True)
    book = read_registry(site.production.journal_dir)
    assert (book.promotions[-1].rolled_back, book.promotions[-1].reason) == (True, "it lost money")
    assert book.status(site.new) == "archived"
    assert deploy_status(site.context(), None).ok
    pulse = deploy_status(site.context(), None).heartbeat
    assert pulse is not None
    assert (pulse.alive, pulse.serves) == (True, True)
    with pytest.raises(UserError, match="has no former champion in live"):
        back(site)


def test_a_champion_whose_service_does_not_start_stays_and_is_reported(site: Site) -> None:
    site.settle(restart_command="true", health_command="true", health_interval_seconds=0.001)
    site.install()
    site.settle(health_command="false", health_seconds_max=0.01)
    report = back(site)
    assert (report.result, report.champion, report.healthy) == ("down", site.old, False)
    assert "the health command failed" in report.reason


def test_a_failed_install_is_no_former_champion(site: Site) -> None:
    """What did not come up is not gone back to: the one that serves has nobody before it."""
    site.settle(restart_command="true", health_command="false", health_interval_seconds=0.001,
                health_seconds_max=0.003)  # fmt: skip
    assert site.install().result == "down"
    with pytest.raises(UserError, match="has no former champion in live"):
        back(site)


def test_nothing_happens_without_approval(site: Site) -> None:
    site.settle(restart_command="true", health_command="true", health_interval_seconds=0.001)
    site.install()
    messages: list[str] = []

    def no(sentence: str) -> bool:
        messages.append(sentence)
        return False

    records = len(read_registry(site.production.journal_dir).records)
    assert back(site, yes=False, approve=no).result == "refused"
    assert f"{site.old[:12]} becomes champion in live again" in messages[0]
    assert site.champion() == site.new
    assert len(read_registry(site.production.journal_dir).records) == records


@pytest.mark.parametrize("point", ["announced", "promoted"])
def test_a_rollback_that_was_ended_goes_on(site: Site, point: str) -> None:
    site.settle(restart_command="true", health_command="true", health_interval_seconds=0.001)
    site.install()

    class Ended(BaseException):
        """As a kill: nothing is caught, nothing is tidied up."""

    def at(name: str) -> None:
        if name == point:
            raise Ended

    with pytest.raises(Ended):
        back(site, checkpoint=at)
    status = deploy_status(site.context(), "live")
    (sentence,) = status.interrupted
    assert sentence.startswith(f"the rollback to {site.old[:12]}")
    if point == "promoted":
        assert site.champion() == site.old
        assert sentence.endswith("`ares deploy rollback` completes it")
        assert site.install().result == "refused"
    assert back(site).result == "rolled_back"
    assert site.champion() == site.old
    assert deploy_status(site.context(), "live").ok


def test_another_package_does_not_go_over_an_interrupted_one(site: Site, made: Any) -> None:
    site.settle(restart_command="true", health_command="true", health_interval_seconds=0.001)

    class Ended(BaseException):
        """As a kill."""

    def at(name: str) -> None:
        if name == "promoted":
            raise Ended

    with pytest.raises(Ended):
        site.install(checkpoint=at)
    other = made.stored(site.staging, made.packed("20240307_120000", made.graph(3.0)))
    target = site.package.with_name("other.zip")
    from ares.runtime.lifecycle.model_export import export_model

    export_model(model_paths(site.staging), other.hash, target)
    report = site.install(target)
    assert report.result == "refused"
    assert back(site).result == "reverted"
    assert site.champion() == site.old


def test_status_tells_quiet_hours_ends_and_what_runs(site: Site) -> None:
    site.settle(restart_command="true", health_command="true", health_interval_seconds=0.001)
    before = deploy_status(site.context(), None)
    assert (before.environment, before.policy, before.champions) == (
        "live", "restart", {BTC: site.old},
    )  # fmt: skip
    assert (before.newest_installs, before.heartbeat, before.running) == ({}, None, None)
    now = site.clock.now()
    begin = now + timedelta(hours=2)
    site.settle(quiet_hours=f"{begin:%H:%M}-{begin + timedelta(hours=1):%H:%M}")
    found = deploy_status(site.context(), None)
    assert not found.quiet
    assert found.quiet_from == begin.replace(second=0, microsecond=0)
    site.install()
    site.settle(quiet_hours="00:00-00:00")
    with one_at_a_time(model_paths(site.production)):
        found = deploy_status(site.context(), "live")
    assert found.running is not None
    assert "another deployment" in found.running
    assert found.newest_installs[BTC].ensemble_hash == site.new
    assert found.quiet
    with pytest.raises(UserError, match="unknown environment"):
        deploy_status(site.context(), "moon")
