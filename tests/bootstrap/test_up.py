"""`ares up` with a real engine: what is killed comes back, what goes on is adopted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ares.bootstrap.up import UpRequest, require_environment, run_up, up_status
from ares.config.workspace import Workspace
from ares.domain.errors import ExternalError, UserError
from ares.journal.lock import Lock, holder
from ares.runtime.ops.supervisor import ProcessStatus

WAIT_S = 400.0
WORDS = ("--no-learn", "--", "--feed", "stored", "--from", "2020-05-01", "--speed", "3600")


class Up:
    """`ares up --env paper` in a workspace with stored candles."""

    def __init__(self, root: Path) -> None:
        self.workspace, self.lines = Workspace(root), root / "up.txt"
        self.processes = list[subprocess.Popen[bytes]]()

    def start(self) -> None:
        with self.lines.open("ab") as output:
            command = [sys.executable, "-m", "ares", "up", "--env", "paper", *WORDS]
            self.processes.append(
                subprocess.Popen(
                    command, cwd=self.workspace.root, stdout=output, stderr=subprocess.STDOUT
                )
            )

    def engine(self) -> ProcessStatus | None:
        """Return the engine as the newest `ares up` has it."""
        try:
            status = up_status(self.workspace, "paper")
        except ExternalError:
            return None
        return status.processes[0] if status.pid == self.processes[-1].pid else None

    def await_(self, condition: Callable[[ProcessStatus], bool]) -> ProcessStatus:
        until_s = time.monotonic() + WAIT_S
        while True:
            found = self.engine()
            if found is not None and condition(found):
                return found
            assert time.monotonic() < until_s, self.lines.read_text()
            assert self.processes[-1].poll() is None, self.lines.read_text()
            time.sleep(0.05)

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait(WAIT_S)
        pid = holder(self.workspace.journal_dir / "paper")
        if pid:
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def up(archived_root: Path) -> Iterator[Up]:
    made = Up(archived_root)
    yield made
    made.end()


def test_a_killed_engine_is_started_again_and_a_killed_supervisor_leaves_it_running(up: Up) -> None:
    up.start()
    first = up.await_(lambda engine: engine.liveness == "live")
    os.kill(first.pid, signal.SIGKILL)
    second = up.await_(lambda engine: engine.liveness == "live" and engine.starts == 2)
    assert second.pid != first.pid

    up.processes[-1].kill()
    up.processes[-1].wait(WAIT_S)
    up.start()
    adopted = up.await_(lambda engine: engine.liveness == "live")
    assert (adopted.pid, adopted.starts) == (second.pid, 0)

    up.processes[-1].terminate()
    assert up.processes[-1].wait(WAIT_S) == 0
    text = up.lines.read_text()
    assert holder(up.workspace.journal_dir / "paper") is None
    assert "ended by SIGKILL; started again in 0.5 s" in text
    assert f"engine adopted (process {second.pid})" in text
    assert "all processes have ended" in text
    log = (up.workspace.logs_dir / "paper-up.log").read_text()
    assert "engine started" in log


def test_a_second_supervisor_is_refused(tmp_path: Path) -> None:
    workspace, _ = Workspace.init(tmp_path / "w")
    lock = Lock(workspace.ops_dir("paper") / "up")
    with pytest.raises(ExternalError, match=rf"another `ares up` \(process {os.getpid()}\)"):
        run_up(workspace, UpRequest("paper"), print, lambda _: True)
    lock.release()
    with pytest.raises(ExternalError, match="no `ares up` runs in paper: start it with"):
        up_status(workspace, "paper")


def test_what_cannot_be_supervised_is_refused() -> None:
    require_environment("rehearsal/kraken")
    for name in ("history/x", "production", "rehearsal/../x"):
        with pytest.raises(UserError, match="is supervised"):
            require_environment(name)
