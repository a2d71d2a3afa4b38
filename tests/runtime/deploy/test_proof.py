"""After a promotion: healthy with the new champion, or back with the previous one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from ares.domain.model_life import InstallCompleted, InstallFailed
from ares.runtime.deploy.proof import prove, revert
from ares.runtime.deploy.service import ExpectedChampion, Service
from ares.runtime.registry.model_journal import read_registry, record

if TYPE_CHECKING:
    from tests.runtime.deploy.conftest import Site

BTC = "binance:BTC/USDT"


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
    assert site.restarts() == 2
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


def test_nothing_is_journaled_before_the_service_was_healthy(site: Site) -> None:
    site.settle(restart_command="true", health_command="false", health_seconds_max=0.01,
                health_interval_seconds=0.001)  # fmt: skip
    expected = ExpectedChampion("live", BTC, site.old)
    before = read_registry(site.production.journal_dir).records
    problem = prove(site.context(), Service(site.context()), expected)
    assert problem is not None
    assert "the health command failed" in problem
    assert read_registry(site.production.journal_dir).records == before
    site.settle(health_command="true", health_seconds_max=60.0)
    assert prove(site.context(), Service(site.context()), expected) is None
    end = read_registry(site.production.journal_dir).records[-1]
    assert isinstance(end, InstallCompleted)
    assert (end.ensemble_hash, end.checks) == (site.old, 3)


def test_what_another_process_promoted_meanwhile_stays_champion(site: Site) -> None:
    site.settle(restart_command="true", health_command="true", health_interval_seconds=0.001)
    failed = read_registry(site.production.journal_dir).promotions[-1]
    failed = msgspec.structs.replace(failed, ensemble_hash=site.new, previous_hash=site.old)
    other = msgspec.structs.replace(failed, ensemble_hash="other" * 8, previous_hash=site.new)
    record(site.production.journal_dir, [failed, other])
    report = revert(site.context(), failed, "not healthy", Service(site.context()))
    assert site.champion() == report.champion == other.ensemble_hash
    assert report.warnings == (f"{other.ensemble_hash[:12]} became champion meanwhile, and stays",)
    end = read_registry(site.production.journal_dir).records[-1]
    assert isinstance(end, InstallFailed)
    assert (end.ensemble_hash, end.restored_hash) == (site.new, other.ensemble_hash)
