"""The paper engine, composed: begun, stopped, continued, certified."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ares.bootstrap.paper import PaperStart, paper_run
from ares.bootstrap.real_time_plan import PaperRequest
from ares.bootstrap.replays import certify_run, restep_run
from ares.config.workspace import Workspace
from ares.domain.errors import ExternalError, UserError
from ares.domain.timeframe import HOUR_MS
from ares.journal.lock import Lock
from ares.runtime.engine.heartbeat import read_heartbeat
from ares.runtime.engine.live_run import LiveRun

FROM_MS = 1_588_291_200_000  # 2020-05-01
REQUEST = PaperRequest(stored=True, from_ms=FROM_MS, to_ms=FROM_MS + 48 * HOUR_MS, speed=100_000.0)


@pytest.fixture
def workspace(archived_root: Path) -> Workspace:
    return Workspace(archived_root)


def test_a_paper_run_is_continued_where_it_was_stopped_and_certified(workspace: Workspace) -> None:
    starts: list[PaperStart] = []

    def stop_later(start: PaperStart, run: LiveRun) -> None:
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


def test_a_second_engine_is_refused(workspace: Workspace) -> None:
    lock = Lock(workspace.journal_dir / "paper")
    with pytest.raises(ExternalError, match="runs in"):
        paper_run(workspace, REQUEST)
    lock.release()


def test_what_cannot_run_leaves_no_journal(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="DOGE/USDT"):
        paper_run(workspace, PaperRequest(symbols=("DOGE/USDT",), stored=True))
    assert not list((workspace.journal_dir / "paper").glob("*.journal"))
