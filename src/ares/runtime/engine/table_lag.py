"""How far an environment's tables are behind its journal, measured by whoever asks."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
from sqlalchemy import Engine

from ares.domain.stretch import BarsStretch
from ares.journal.log import START, Position
from ares.journal.tail import JournalReplaced, JournalTail
from ares.store.projections import projected

BATCH = 10_000
_decode = msgspec.msgpack.Decoder(Position).decode


class TableLag(msgspec.Struct, frozen=True):
    """The tables of an environment.

    seq        : of the newest entry in them. journal_seq: of the newest entry in the journal.
    seq_behind : entries that are not in the tables.
    seconds    : wall time since rows were last written, where any entry is not in the tables.
    updated_at : that time, UTC; None: never.
    """

    environment: str
    seq: int
    journal_seq: int
    seq_behind: int
    seconds: float
    updated_at: str | None


def table_lag(database: Engine, environment: str, folder: Path, now_ms: int) -> TableLag:
    """Return how far the tables are behind the journal in ``folder``.

    now_ms : wall time.

    Raises ExternalError where the database or the journal cannot be read.
    """
    found = projected(database, environment)
    seq = 0 if found is None else found.seq
    at = START if found is None or found.position is None else _decode(found.position)
    behind, journal_seq = _after(folder, at, seq)
    updated_at = None if found is None else found.updated_at
    seconds = 0.0
    if behind and updated_at is not None:
        updated = datetime.fromisoformat(updated_at).replace(tzinfo=UTC)
        seconds = max(0.0, now_ms / 1e3 - updated.timestamp())
    return TableLag(environment, seq, journal_seq, behind, seconds, updated_at)


def _after(folder: Path, position: Position, seq: int) -> tuple[int, int]:
    """Return how many entries the journal has after a position, and its newest seq."""
    tail, behind = JournalTail(folder, position), 0
    while True:
        try:
            parts = tail.read(BATCH)
        except JournalReplaced:  # the tables are made anew
            tail, behind, seq = JournalTail(folder), 0, 0
            continue
        if not parts:
            return behind, seq
        behind += sum(len(part) if isinstance(part, BarsStretch) else 1 for part in parts)
        last = parts[-1]
        seq = last.last_seq if isinstance(last, BarsStretch) else last.seq
