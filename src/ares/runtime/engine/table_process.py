"""The table worker beside an engine, in a process of low priority."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec

from ares.adapters.priority import lower_priority
from ares.domain.errors import ExternalError
from ares.runtime.engine.side_process import SideProcess
from ares.runtime.engine.tables import TableStatus, TableTarget

NICE = 10
REPORT_S = 1.0
FINISH_S_MAX = 120.0
"""How long the end of a run waits for a database that cannot be written."""


class _Report(msgspec.Struct, frozen=True):
    """What the worker's process writes: its status, or a line for people."""

    status: TableStatus | None = None
    line: str = ""


class TableProcess:
    """A table worker in its own process; ``start_table_worker`` makes one."""

    def __init__(
        self,
        target: TableTarget,
        say: Callable[[str], None] = lambda _: None,
        finish_s_max: float = FINISH_S_MAX,
    ) -> None:
        self.target = target
        self._say, self._finish_s_max = say, finish_s_max
        self._status = TableStatus()
        self._decode = msgspec.json.Decoder(_Report).decode
        request = msgspec.json.encode(target, enc_hook=str)
        self._process = SideProcess(__name__, request, self._take, self._died)

    @property
    def status(self) -> TableStatus:
        """Return how far the tables are, as of the newest report."""
        return self._status

    @property
    def pid(self) -> int:
        """Return the process id of the worker."""
        return self._process.pid

    def finish(self) -> None:
        """Let the worker end once the tables have all that is written."""
        self._process.close_input()

    def stop(self, wait: bool) -> str:
        """End the worker, see ``Tables``. Without ``wait`` its present batch is dropped."""
        if self._process.has_ended:
            return ""
        if wait and self._process.finish(self._finish_s_max):
            return ""
        self._process.kill()
        problem = self._status.problem or "the worker was ended"
        return (
            f"the tables of {self.target.environment} do not have all events ({problem}):"
            " `ares db rebuild` makes them again, and so does the next start"
        )

    def _died(self, code: int) -> None:
        line = f"its worker ended with code {code}"
        self._status = msgspec.structs.replace(self._status, problem=line)
        self._say(f"tables of {self.target.environment}: {line}: starting it again")

    def _take(self, raw: bytes) -> None:
        with contextlib.suppress(msgspec.DecodeError):
            report = self._decode(raw)
            if report.status is not None:
                self._status = report.status
            if report.line:
                self._say(report.line)


def start_table_worker(
    folder: Path,
    database_url: str,
    environment: str,
    shown: str = "",
    say: Callable[[str], None] = lambda _: None,
    alone: bool = False,
) -> TableProcess:
    """Write the tables of a journal from another process, from now on until ``stop``.

    folder  : of the journal; it may be empty yet. For the others see ``TableTarget``.
    say : called from a thread with one line where the tables cannot be written, and when they can
          again.

    Raises ExternalError where no process can be started.
    """
    target = TableTarget(folder, database_url, environment, shown, alone)
    try:
        return TableProcess(target, say)
    except OSError as error:
        raise ExternalError(f"cannot start the table worker: {error.strerror}") from error


def main() -> None:
    """Work as the process of ``TableProcess``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lower_priority(NICE)
    request = sys.stdin.buffer.readline()
    if not request:
        return  # the engine ended meanwhile
    target = msgspec.json.decode(
        request, type=TableTarget, dec_hook=lambda kind, value: kind(value)
    )
    from ares.runtime.engine.table_worker import TableWorker

    finish = threading.Event()
    threading.Thread(target=_wait_for_end, args=(sys.stdin.buffer, finish), daemon=True).start()
    reporter = _Reporter()
    worker = TableWorker(target, say=lambda line: reporter.write(_Report(line=line)))

    def finishing(pause_s: float) -> bool:
        reporter.report(worker.status)
        return finish.wait(pause_s)

    worker.run(finishing)
    reporter.write(_Report(worker.status))
    worker.close()


def _wait_for_end(pipe: IO[bytes], finish: threading.Event) -> None:
    """Wait until the engine closes the pipe, or is gone."""
    while pipe.readline():
        pass
    finish.set()


class _Reporter:
    """Writes reports to standard output; nobody may be reading."""

    def __init__(self) -> None:
        self._newest: TableStatus | None = None
        self._next_s = 0.0

    def report(self, status: TableStatus) -> None:
        """Write a status that is another one, at most one a second."""
        if status != self._newest and time.monotonic() >= self._next_s:
            self._newest, self._next_s = status, time.monotonic() + REPORT_S
            self.write(_Report(status))

    @staticmethod
    def write(report: _Report) -> None:
        """Write one line."""
        with contextlib.suppress(OSError):
            sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # all is closed; taking the interpreter apart takes longer than the last rows
