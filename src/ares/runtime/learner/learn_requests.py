"""Requests of people to train now: one file each, read by the learner of a running engine.

A history run takes none: it follows from its candles and settings alone, and so is reproducible.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from ares.adapters.durable import write_file
from ares.domain.errors import ExternalError, UserError
from ares.domain.instrument import Instrument
from ares.journal.lock import Lock

FOLDER = "learn_now"


class LearnRequest(msgspec.Struct, frozen=True):
    """A request: for which instrument, by whom, when (UTC text)."""

    instrument: str
    who: str
    at: str


def write_request(journal_dir: Path, environment: str, request: LearnRequest) -> Path:
    """Write a request for the engine that runs in ``environment`` and return its file.

    Raises UserError for history, ExternalError where no engine runs.
    """
    symbol = request.instrument.partition(":")[2]
    if environment == "history":
        raise UserError(
            "history runs take no training requests, so that they stay reproducible: "
            f"`ares train -s {symbol}` trains now"
        )
    folder = journal_dir / environment
    if not _is_locked(folder):
        raise ExternalError(
            f"no engine runs in {environment}: start one, or train with `ares train -s {symbol}`"
        )
    path = folder / FOLDER / f"{Instrument.parse(request.instrument).slug}.json"
    write_file(path, msgspec.json.encode(request))
    return path


class LearnRequests:
    """The requests to one engine's learner; ``keys`` are of its instruments, by row."""

    def __init__(self, folder: Path, keys: Sequence[str]) -> None:
        self._paths = [folder / FOLDER / f"{Instrument.parse(key).slug}.json" for key in keys]

    def __call__(self) -> Sequence[int]:
        """Return the rows of the instruments with a request."""
        return [row for row, path in enumerate(self._paths) if path.exists()]

    def done(self, row: int) -> None:
        """Delete a request: its training has started, and is journaled."""
        self._paths[row].unlink(missing_ok=True)


def _is_locked(folder: Path) -> bool:
    """Return whether an engine runs in a folder."""
    if not folder.is_dir():
        return False
    try:
        Lock(folder).release()
    except ExternalError:
        return True
    return False
