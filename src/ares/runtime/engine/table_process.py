"""Starts the table worker beside an engine, starts it again where it dies, and ends it.

The worker's process is of low priority, and ends with the process that started it: it watches its
standard input. What it was asked for comes in by there, too, so that no password is on a command
line.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec

from ares.domain.errors import ExternalError
from ares.runtime.engine.tables import TableStatus, TableTarget

NICE = 10
REPORT_S = 1.0
RESTART_S_MIN = 0.5
RESTART_S_MAX = 60.0
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
        self._changed = threading.Condition()
        self._finishing = self._ended = self._killed = False
        self._process = self._spawn()
        self._thread = threading.Thread(target=self._watch, name="tables", daemon=True)
        self._thread.start()

    @property
    def status(self) -> TableStatus:
        """Return how far the tables are, as of the newest report."""
        return self._status

    @property
    def pid(self) -> int:
        """Return the process id of the worker."""
        return self._process.pid

    def stop(self, wait: bool) -> str:
        """End the worker, see ``Tables``. Without ``wait`` its present batch is dropped."""
        if self._ended:
            return ""
        with self._changed:
            self._finishing = True
            self._killed = not wait
            if wait:
                self._ask_to_finish(self._process)
            else:
                self._process.kill()
            self._changed.notify_all()
            whole = self._changed.wait_for(lambda: self._ended, self._finish_s_max)
            if not whole:
                self._killed = True
                self._process.kill()
                self._changed.notify_all()
        self._thread.join()
        if whole and wait:
            return ""
        problem = self._status.problem or "the worker was ended"
        return (
            f"the tables of {self.target.environment} do not have all events ({problem}):"
            " `ares db rebuild` makes them again, and so does the next start"
        )

    def _spawn(self) -> subprocess.Popen[bytes]:
        single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        process = subprocess.Popen(
            [sys.executable, "-m", __name__], env={**os.environ, **single},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died: it is started again
            process.stdin.write(msgspec.json.encode(self.target, enc_hook=str) + b"\n")
            process.stdin.flush()
        return process

    @staticmethod
    def _ask_to_finish(process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()

    def _watch(self) -> None:
        """Take the worker's reports; start it again where it died."""
        pause_s = RESTART_S_MIN
        while True:
            process, began_s = self._process, time.monotonic()
            self._take_reports(process)
            code = process.wait()
            with self._changed:
                if self._killed or (self._finishing and code == 0):
                    self._close(process)
                    self._ended = True
                    self._changed.notify_all()
                    return
                pause_s = RESTART_S_MIN if time.monotonic() - began_s > 60.0 else pause_s
                line = f"its worker ended with code {code}"
                self._status = msgspec.structs.replace(self._status, problem=line)
                self._say(f"tables of {self.target.environment}: {line}: starting it again")
                if self._stopped_within(pause_s):
                    continue
                pause_s = min(RESTART_S_MAX, 2.0 * pause_s)
                self._close(process)
                self._process = self._spawn()
                if self._finishing:
                    self._ask_to_finish(self._process)

    def _stopped_within(self, pause_s: float) -> bool:
        """Wait until the pause is over, or ``stop`` is called, with the lock held; return whether
        the worker is not to be started again.
        """
        before = self._finishing
        self._changed.wait_for(lambda: self._killed or self._finishing != before, pause_s)
        return self._killed

    def _take_reports(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        decode = msgspec.json.Decoder(_Report).decode
        for raw in process.stdout:
            with contextlib.suppress(msgspec.DecodeError):
                report = decode(raw)
                if report.status is not None:
                    self._status = report.status
                if report.line:
                    self._say(report.line)

    @staticmethod
    def _close(process: subprocess.Popen[bytes]) -> None:
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


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
    with contextlib.suppress(OSError):
        os.nice(NICE)
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
