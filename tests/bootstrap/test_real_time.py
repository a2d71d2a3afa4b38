"""The paper engine, composed: begun, stopped, continued, certified."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ares.bootstrap.real_time import RealTimeStart, paper_run
from ares.bootstrap.real_time_plan import RealTimeRequest, entry_rest_ms
from ares.bootstrap.replays import certify_run, restep_run
from ares.config.workspace import Workspace
from ares.core.orders import owner_of
from ares.domain.errors import ExternalError, UserError
from ares.domain.timeframe import HOUR_MS
from ares.domain.venue import VenueTraits
from ares.journal.lock import Lock
from ares.journal.run import setup_of
from ares.runtime.engine.heartbeat import read_heartbeat
from ares.runtime.engine.live_run import LiveRun

FROM_MS = 1_588_291_200_000  # 2020-05-01
REQUEST = RealTimeRequest(
    stored=True, from_ms=FROM_MS, to_ms=FROM_MS + 48 * HOUR_MS, speed=100_000.0
)


@pytest.fixture
def workspace(archived_root: Path) -> Workspace:
    return Workspace(archived_root)


def test_a_paper_run_is_continued_where_it_was_stopped_and_certified(workspace: Workspace) -> None:
    starts: list[RealTimeStart] = []

    def stop_later(start: RealTimeStart, run: LiveRun) -> None:
        starts.append(start)
        if len(starts) == 1:
            run.stop("a person")

    ends = [paper_run(workspace, REQUEST, stop_later) for _ in range(2)]
    assert [start.resumed for start in starts] == [False, True]
    assert [end.stopped_by for end in ends] == ["a person", "the feed has ended"]
    assert ends[1].instants == 48
    beat = read_heartbeat(workspace.root / "logs" / "heartbeat.json")
    assert beat is not None
    assert (beat.environment, beat.pid, beat.champions) == ("paper", os.getpid(), {})
    certificate = certify_run(workspace, "paper")
    assert (certificate.mismatches, certificate.first) == (0, None)
    assert certificate.compared > 0
    assert restep_run(workspace, "paper").mismatches == 0


def test_a_journal_that_came_from_a_backup_is_named_at_the_start(workspace: Workspace) -> None:
    half = replace(REQUEST, to_ms=FROM_MS + 24 * HOUR_MS)
    paper_run(workspace, half)
    path = workspace.journal_dir / "paper" / "000001.journal"
    backup = path.read_bytes()
    paper_run(workspace, REQUEST)
    path.write_bytes(backup)
    starts: list[RealTimeStart] = []
    end = paper_run(workspace, REQUEST, lambda start, _: starts.append(start))
    (remark,) = [line for line in starts[0].remarks if "is not of this journal" in line]
    assert "if the journal came from a backup" in remark
    assert end.instants == 24
    assert certify_run(workspace, "paper").mismatches == 0


def test_order_ids_name_the_workspace_by_its_whole_path(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ARES_WORKSPACE may be a relative path, equal for many workspaces."""
    monkeypatch.chdir(workspace.root)
    paper_run(Workspace(Path()), REQUEST, lambda _, run: run.stop("a person"))
    setup = setup_of(workspace.journal_dir / "paper")
    assert setup is not None
    assert setup.owner == owner_of(str(workspace.root.resolve()), "paper")


def test_a_second_engine_is_refused(workspace: Workspace) -> None:
    lock = Lock(workspace.journal_dir / "paper")
    with pytest.raises(ExternalError, match="runs in"):
        paper_run(workspace, REQUEST)
    lock.release()


def test_what_cannot_run_leaves_no_journal(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="DOGE/USDT"):
        paper_run(workspace, RealTimeRequest(symbols=("DOGE/USDT",), stored=True))
    assert not list((workspace.journal_dir / "paper").glob("*.journal"))


def test_entries_rest_only_at_a_venue_that_has_such_orders() -> None:
    assert entry_rest_ms("x", 0.0, VenueTraits()) == 0
    assert entry_rest_ms("x", 2.5, VenueTraits(takes_post_only=True)) == 2_500
    with pytest.raises(UserError, match="x takes no post-only orders"):
        entry_rest_ms("x", 2.5, VenueTraits())
