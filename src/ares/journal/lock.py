"""One writer per folder, held by the operating system until its process ends."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import IO

from ares.domain.errors import ExternalError

PATIENCE_S = 0.5
"""How long a lock that is held is tried: ``require_free`` holds it for an instant when it looks."""


class Lock:
    """One writer per folder, held by the operating system until the process ends.

    who, advice : name of the first writer, and advice, in the message to a second one.
    """

    def __init__(
        self,
        folder: Path,
        who: str = "another engine",
        advice: str = "stop it first, or use another --run name",
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = (folder / "lock").open("a+")
        if not _is_taken(self._file):
            self._file.seek(0)
            owner = self._file.read().strip() or "unknown"
            self._file.close()
            raise _locked(folder, who, owner, advice)
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Let another writer in."""
        self._file.close()


def _is_taken(file: IO[str]) -> bool:
    """Return whether the lock could be taken: at once, or after those who only looked."""
    until_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > until_s:
                return False
            time.sleep(0.01)
        else:
            return True


def require_free(folder: Path, who: str, advice: str) -> None:
    """Raise ExternalError, as a Lock would, where the lock is held; nothing is written.

    Raises OSError where the lock cannot be read.
    """
    try:
        file = (folder / "lock").open()
    except FileNotFoundError:
        return  # it was never held
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _locked(folder, who, file.read().strip() or "unknown", advice) from None


def holder(folder: Path) -> int | None:
    """Return the id of the process that holds the lock of a folder; None: nobody does.

    0: it is held, and by whom cannot be read yet.
    """
    try:
        file = (folder / "lock").open()
    except FileNotFoundError:
        return None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = file.read().strip()
            return int(text) if text.isdigit() else 0
    return None


def _locked(folder: Path, who: str, owner: str, advice: str) -> ExternalError:
    return ExternalError(f"{who} (process {owner}) runs in {folder}: {advice}")
