"""The learner's process, as the engine starts it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest

from ares.bootstrap import learner_process
from ares.bootstrap.learner_process import LearnerProcess
from ares.bootstrap.real_time import paper_run
from ares.bootstrap.real_time_plan import RealTimeRequest
from ares.config.workspace import Workspace
from ares.domain.timeframe import HOUR_MS
from ares.journal.log import Position, segment_path
from ares.runtime.learner import live_learner
from ares.runtime.learner.learner_file import load_learner

FROM_MS = 1_588_291_200_000  # 2020-05-01


@pytest.mark.slow
def test_it_ends_when_the_engine_is_gone(archived_root: Path) -> None:
    request = msgspec.json.encode(LearnerProcess(str(archived_root), "history/fixture"))
    process = subprocess.Popen(
        [sys.executable, "-m", "ares.bootstrap.learner_process"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(request + b"\n")
    process.stdin.flush()
    time.sleep(0.5)
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(30.0) == 0
    assert process.stdout is not None
    process.stdout.close()


@pytest.mark.slow
def test_a_start_reads_on_from_where_the_one_before_was(
    archived_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_learner, "KEEP_S", 0.0)
    workspace = Workspace(archived_root)
    folder = workspace.journal_dir / "paper"
    run_to(workspace, 24)
    first = learned(archived_root, 0)
    with segment_path(folder, 1).open("r+b") as file:  # whoever reads from the start finds it
        file.seek(first.offset // 2)
        file.write(bytes(40))
    run_to(workspace, 48)
    assert learned(archived_root, first.records).records > first.records


def run_to(workspace: Workspace, hours: int) -> None:
    to_ms = FROM_MS + hours * HOUR_MS
    paper_run(
        workspace, RealTimeRequest(stored=True, from_ms=FROM_MS, to_ms=to_ms, speed=100_000.0)
    )


def learned(root: Path, records: int) -> Position:
    """Let a learner read until it knows more than so many records; return how far it is."""
    stopped, failures = threading.Event(), list[BaseException]()
    reading, writing = os.pipe()

    def learn() -> None:
        try:
            learner_process._learn(LearnerProcess(str(root), "paper"), writing, stopped)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=learn)
    thread.start()
    found = load_learner(root / "journal/paper")
    while thread.is_alive() and (found is None or found.position.records <= records):
        time.sleep(0.02)
        found = load_learner(root / "journal/paper")
    stopped.set()
    thread.join()
    os.close(reading)
    os.close(writing)
    assert not failures
    assert found is not None
    return found.position


def test_without_a_request_it_ends(archived_root: Path) -> None:
    module = [sys.executable, "-m", "ares.bootstrap.learner_process"]
    done = subprocess.run(module, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"")
