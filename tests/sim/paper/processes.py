"""The processes of a rehearsal: a market data server, the paper engine, and those beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ares.config.workspace import Workspace
from ares.store.commands import beat_of
from ares.store.database import open_database

WAIT_S = 600.0
LOOK_S = 0.02
TABLES = "table_process"
LEARNER = "learner_process"


class EngineEnded(RuntimeError):
    """The engine ended although nobody had ended it; the text has the end of its output."""


class Server:
    """`ares sim serve` on a free port."""

    def __init__(self, folder: Path, *words: str) -> None:
        command = [sys.executable, "-m", "ares", "sim", "serve", "--port", "0", "--json", *words]
        self.output = folder / "serve.log"
        with self.output.open("wb") as errors:
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
            )  # Linux shares a busy processor out by sessions: the engine's priority is higher
        assert self._process.stdout is not None
        text = ""
        while True:
            line = self._process.stdout.readline().decode()
            if not line:
                raise RuntimeError(f"no server: {self.output.read_text()}")
            text += line
            try:
                self.address = str(json.loads(text)["address"])
            except ValueError:
                continue
            break

    @property
    def pid(self) -> int:
        return self._process.pid

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.communicate(timeout=WAIT_S)


class Engine:
    """`ares run --env` in a workspace; its output goes to ``logs/console.log``."""

    def __init__(self, workspace: Workspace, *words: str, environment: str = "paper") -> None:
        self._workspace, self._environment = workspace, environment
        self._output = workspace.logs_dir / "console.log"
        command = [sys.executable, "-m", "ares", "run", "--env", environment, *words]
        self.began_s = time.monotonic()
        with self._output.open("ab") as output:
            self._begin = output.tell()
            self._process = subprocess.Popen(
                command, cwd=workspace.root, stdout=output, stderr=subprocess.STDOUT
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def output(self) -> str:
        """Return what this start has printed."""
        return self._output.read_bytes()[self._begin :].decode(errors="replace")

    def require_alive(self) -> None:
        """Raise EngineEnded where it has ended."""
        code = self._process.poll()
        if code is not None:
            raise EngineEnded(f"exit code {code}: {self.output()[-3_000:]}")

    def await_beat(self, wait_s: float = WAIT_S) -> float:
        """Wait until its heartbeat is in the database; return the seconds since it was started."""
        database = open_database(self._workspace.db_url)
        try:
            self.await_(lambda: _has_beat(database, self._environment, self.pid), wait_s)
        finally:
            database.dispose()
        return time.monotonic() - self.began_s

    def await_(self, condition: Callable[[], bool], wait_s: float = WAIT_S) -> None:
        """Wait for a condition. Raises EngineEnded where it ends before, TimeoutError."""
        until_s = time.monotonic() + wait_s
        while not condition():
            self.require_alive()
            if time.monotonic() > until_s:
                raise TimeoutError(f"waited {wait_s:g} s: {self.output()[-3_000:]}")
            time.sleep(LOOK_S)

    def worker(self, module: str) -> int | None:
        """Return the process id of the learner or the table worker, while it runs."""
        return next((pid for pid in children(self.pid) if module in command_of(pid)), None)

    def freeze(self, seconds: float) -> None:
        """SIGSTOP for so long."""
        self._process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self._process.send_signal(signal.SIGCONT)

    def freeze_for_good(self) -> None:
        """SIGSTOP."""
        self._process.send_signal(signal.SIGSTOP)

    def is_running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL, at once."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """SIGTERM; raise EngineEnded where it does not end cleanly."""
        self._process.terminate()
        code = self._process.wait(WAIT_S)
        if code != 0 or "state saved" not in self.output():
            raise EngineEnded(f"a stop ended with {code}: {self.output()[-3_000:]}")


def _has_beat(database: Any, environment: str, pid: int) -> bool:
    beat = beat_of(database, environment)
    return beat is not None and beat.pid == pid and beat.stopped_ms is None


def children(pid: int) -> list[int]:
    """Return the process ids of a process's children."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(each) for each in task.read_text().split()]
        except OSError:
            continue
    return found


def command_of(pid: int) -> str:
    """Return a process's command line; empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def kill(pid: int) -> None:
    """SIGKILL a process; one that is gone is gone."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def rss_mb(pid: int) -> float:
    """Return the memory of a process that is resident; 0 where it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    line = next((each for each in status.splitlines() if each.startswith("VmRSS")), "VmRSS: 0 kB")
    return int(line.split()[1]) / 1_024


def descriptors(pid: int) -> int:
    """Return how many files a process has open; 0 where it is gone."""
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:
        return 0
