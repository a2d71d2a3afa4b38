"""Projects a journal to the engine's tables, off the engine's path; they can be rebuilt."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import msgspec

from ares.domain.errors import ExternalError
from ares.domain.events import Effect, Event
from ares.domain.run import RunSetup
from ares.domain.stretch import BarsStretch
from ares.store import projection_sql as sql
from ares.store.projection_rows import ProjectionRows
from ares.store.projector_state import decode_state, encode_state
from ares.store.sqlite_file import SqliteFile
from ares.store.table_database import Statements, table_database

if TYPE_CHECKING:
    from sqlalchemy import Engine

Entry = tuple[int, Event, list[Effect]]
"""(seq, event, effects)"""


class Projected(msgspec.Struct, frozen=True):
    """How far an environment's journal is in the tables.

    state    : what rows of later entries refer to; position: where in the journal the newest
               entry ends. None: the rows are of a version that did not store it.
    updated_at : wall time of the newest rows, UTC.
    """

    seq: int = 0
    state: bytes | None = None
    position: bytes | None = None
    updated_at: str | None = None


class ProjectionMoved(ExternalError):
    """The tables are not where this projector left them: another one wrote, or they were deleted
    or restored from a backup.
    """


def projected(database: Engine | SqliteFile, environment: str) -> Projected | None:
    """Return how far the environment's journal is in the tables; None: no row was ever written."""
    with table_database(database).reading() as rows:
        row = rows.first(sql.PROJECTED, (environment,))
    if row is None:
        return None
    seq, state, position, updated_at = row
    return Projected(seq, state, position, None if updated_at is None else str(updated_at)[:19])


def projected_seq(database: Engine | SqliteFile, environment: str) -> int:
    """Return the seq up to which the environment's journal is in the tables."""
    found = projected(database, environment)
    return 0 if found is None else found.seq


def delete_rows(database: Engine | SqliteFile, environment: str) -> None:
    """Delete an environment's projections, so that they can be rebuilt from its journal."""
    with table_database(database).writing() as rows:
        for name in (*sql.TABLES, sql.PROJECTIONS):
            rows.execute(f"DELETE FROM {name} WHERE environment = ?", (environment,))


def show_environment(database: Engine | SqliteFile, environment: str) -> None:
    """Make the plain table names show this environment."""
    tables = table_database(database)
    with tables.reading() as rows:
        shown = rows.first("SELECT environment FROM shown_environment")
    if shown != (environment,):
        with tables.writing() as rows:
            rows.execute("DELETE FROM shown_environment")
            rows.execute("INSERT INTO shown_environment (environment) VALUES (?)", (environment,))


class Projector:
    """Writes entries of one environment's journal to the tables, one transaction per batch.

    The rows of a batch are committed together with their last seq, with what later rows refer to
    (open orders, positions, slots), and with the position of that entry in the journal: whoever
    reads on from there writes no row twice and leaves none out.

    seq : the last entry that was added, or was in the tables already.
    """

    def __init__(self, database: Engine | SqliteFile, setup: RunSetup) -> None:
        self._database = database
        self._environment = setup.environment
        found = projected(database, setup.environment)
        if found is not None and found.state is None:
            delete_rows(database, setup.environment)
            found = None
        self._is_new = found is None
        found = found or Projected()
        self.seq = self._written = found.seq
        self.position = found.position
        self._rows = ProjectionRows(setup)
        if found.state is not None:
            self._rows.restore(decode_state(found.state))

    def __len__(self) -> int:
        """Return how many rows and decisions are pending."""
        return len(self._rows)

    def add(self, entries: Iterable[Entry]) -> None:
        """Take the next entries, in order; their rows are pending until ``flush``."""
        for seq, event, effects in entries:
            self._rows.add(seq, event, effects)
            self.seq = seq

    def add_stretch(self, stretch: BarsStretch) -> None:
        """Take the next entries, as columns."""
        self._rows.add_stretch(stretch)
        self.seq = stretch.last_seq

    def flush(self, position: bytes, updated_at: str) -> None:
        """Write the pending rows, all or none.

        position : of the newest entry in the journal. updated_at : wall time, as ``utc_sql``.

        Raises ExternalError where the database cannot be written. The projector cannot be used
        after that: whether the rows were committed is in the database.
        """
        if self.seq == self._written:
            return
        changes = self._rows.finish()
        state = encode_state(self._rows.state)
        progress = (self.seq, state, position, updated_at, self._environment, self._written)
        with table_database(self._database).writing(alone=False) as rows:
            if self._is_new:
                rows.execute(sql.BEGUN, (self._environment,))
            if rows.execute(sql.PROGRESS, progress) != 1:
                raise ProjectionMoved(
                    f"the tables of {self._environment} are not at event {self._written} any more"
                )
            _execute(rows, changes)
        self._written, self.position, self._is_new = self.seq, position, False


def _execute(rows: Statements, changes: list[tuple[str, tuple[object, ...]]]) -> None:
    """Execute statements in order, equal ones that follow each other at once."""
    for statement, group in groupby(changes, itemgetter(0)):
        rows.execute_rows(statement, [row for _, row in group])
