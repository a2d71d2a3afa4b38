"""Ends an engine for good before anybody acts in its place: SIGKILL, then its lock is held.

An engine that is frozen and wakes up could trade beside whoever acts; one that is started again
meanwhile must wait. The process is found by the lock that it holds, never by its name.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from ares.domain.errors import ExternalError

LOCKS = Path("/proc/locks")
END_S = 5.0
LOOK_S = 0.005


def holder_of(folder: Path, locks: Path = LOCKS) -> int:
    """Return the id of the process that holds the lock of a folder; 0: nobody does, or the system
    does not say who.
    """
    try:
        lock = (folder / "lock").stat()
        lines = locks.read_text().splitlines()
    except OSError:
        return 0
    for line in lines:
        words = line.replace("->", " ").split()
        if len(words) < 6 or words[1] != "FLOCK" or words[3] != "WRITE":
            continue
        pid = int(words[4])
        if words[5].rpartition(":")[2] == str(lock.st_ino) and _has_open(pid, lock):
            return pid
    return 0


def _has_open(pid: int, file: os.stat_result) -> bool:
    """Return whether a process has a file open: a file of another disk may have the same number."""
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                if os.path.samestat(entry.stat(), file):
                    return True
    except OSError:
        pass
    return False


def command_of(pid: int) -> tuple[str, ...]:
    """Return the words of a process's command line; empty: it cannot be read."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ()
    return tuple(raw.decode(errors="replace").rstrip("\0").split("\0")) if raw else ()


def is_frozen(pid: int) -> bool:
    """Return whether a process was stopped (SIGSTOP), or is traced."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] in ("T", "t")


class Fence:
    """The lock of an engine's journal, held so that no engine runs.

    killed : the process that was ended for it; 0: none ran.
    """

    def __init__(self, folder: Path, end_s: float = END_S) -> None:
        self.killed = 0
        path = folder / "lock"
        try:
            self._file: IO[str] = path.open("r+")
        except FileNotFoundError:
            self._file = path.open("a+")  # an engine never ran
        try:
            self._end_holder(folder, time.monotonic() + end_s)
        except BaseException:
            self._file.close()
            raise
        with suppress(OSError):  # the name helps a person; the lock holds without it
            self._file.truncate(0)
            self._file.write(str(os.getpid()))
            self._file.flush()

    def _end_holder(self, folder: Path, until_s: float) -> None:
        """Kill whoever holds the lock, until it is taken."""
        while not self._take():
            pid = holder_of(folder)
            if pid == os.getpid():
                raise ExternalError(f"this process runs the engine of {folder} itself")
            if pid:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                self.killed = pid
            if time.monotonic() > until_s:
                who = f"process {pid}" if pid else "a process that the system does not name"
                raise ExternalError(
                    f"{who} holds the lock of {folder} and did not end: end it, then try again"
                )
            time.sleep(LOOK_S)

    def release(self) -> None:
        """Let an engine start again."""
        with suppress(OSError):
            self._file.close()

    def _take(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
