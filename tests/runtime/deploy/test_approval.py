"""Approval: by a person, in the quiet hours, of the champion that was looked at."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ares.domain.package import sha256
from ares.runtime.registry.model_journal import read_registry, record

if TYPE_CHECKING:
    from tests.runtime.deploy.conftest import Site


def test_a_rejected_approval_and_another_file(site: Site) -> None:
    site.refuses("it was not approved", approve=lambda _plan: False)
    site.refuses("not the one of --sha256", sha256="0" * 64)
    assert site.install(sha256=sha256(site.package.read_bytes()).upper(), approve=lambda plan: (
        plan.previous_hash == site.old and plan.rehearsed.verdict is not None and False
    )).result == "refused"  # fmt: skip


def test_an_interrupted_question_is_journaled(site: Site) -> None:
    def approve(_plan: object) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        site.install(approve=approve)
    assert "interrupted" in read_registry(site.production.journal_dir).refusals[-1].reason
    assert site.left() == []


def test_outside_the_quiet_hours_it_waits_or_reports_when(site: Site) -> None:
    site.settle(restart_command="true", health_command="true", health_interval_seconds=0.001)
    now = site.clock.now()
    begin, end = now + timedelta(hours=5), now + timedelta(hours=6)
    site.settle(quiet_hours=f"{begin:%H:%M}-{end:%H:%M}")
    site.refuses("the quiet hours (", now=False, wait=False)
    report = site.install(now=False)
    assert report.result == "installed"
    assert begin.replace(second=0, microsecond=0) <= site.clock.now()
    waits = [text for text in site.lines if text.startswith("waiting for the quiet hours")]
    assert 4 <= len(waits) <= 6
    assert "Ctrl-C gives up" in waits[0]


def test_a_champion_that_changes_while_it_waits_is_looked_at_again(site: Site, made: Any) -> None:
    now = site.clock.now()
    hours = f"{now + timedelta(hours=5):%H:%M}-{now + timedelta(hours=6):%H:%M}"
    site.settle(quiet_hours=hours)
    package = made.packed("20240306_120000", made.graph(3.0))

    def at(point: str) -> None:
        if point == "approved":
            other = made.stored(site.production, package)
            from ares.domain.model_life import EnsemblePromoted

            record(
                site.production.journal_dir,
                [
                    EnsemblePromoted(
                        "live", other.instrument, other.hash, site.old, "now", "me", "x", True
                    )
                ],
            )

    report = site.install(now=False, checkpoint=at)
    assert report.result == "refused"
    assert "is not of today's evidence" in report.reason
