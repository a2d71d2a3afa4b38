"""Requests of people to train now: a file each, left for the learner of a running engine.

A history run takes none: what it does follows from its candles and settings alone, so that it can
be made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from ares.adapters.durable import write_file
from ares.domain.errors import ExternalError, UserError
from ares.domain.instrument import Instrument
from ares.journal.log import Lock

FOLDER = "learn_now"


class LearnRequest(msgspec.Struct, frozen=True):
    """Who asked for what, when (UTC text)."""

    instrument: str
    who: str
    at: str


def leave(journal_dir: Path, environment: str, request: LearnRequest) -> Path:
    """Leave a request for the engine that runs in ``environment`` and return its file.

    Raises UserMistake for history, WorldTrouble where no engine runs that could take it.
    """
    symbol = request.instrument.partition(":")[2]
    if environment == "history":
        raise UserError(
            "history runs decide by themselves when to train, so that they can be repeated: "
            f"`ares train -s {symbol}` trains now"
        )
    folder = journal_dir / environment
    if not _held(folder):
        raise ExternalError(
            f"no engine runs in {environment}: start one, or train with `ares train -s {symbol}`"
        )
    path = folder / FOLDER / f"{Instrument.parse(request.instrument).slug}.json"
    write_file(path, msgspec.json.encode(request))
    return path


class LearnRequests:
    """What was asked of one engine's learner; ``keys``: of its instruments, by row."""

    def __init__(self, folder: Path, keys: Sequence[str]) -> None:
        self._paths = [folder / FOLDER / f"{Instrument.parse(key).slug}.json" for key in keys]

    def __call__(self) -> Sequence[int]:
        """Return the rows of instruments that somebody wants trained now."""
        return [row for row, path in enumerate(self._paths) if path.exists()]

    def done(self, row: int) -> None:
        """Forget a request: its training has begun, and is in the journal."""
        self._paths[row].unlink(missing_ok=True)


def _held(folder: Path) -> bool:
    """Return whether an engine runs in a folder."""
    if not folder.is_dir():
        return False
    try:
        Lock(folder).release()
    except ExternalError:
        return True
    return False
