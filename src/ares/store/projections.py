"""Projects a journal to the engine's tables, off the engine's path; they can be rebuilt."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter

import msgspec
from sqlalchemy import Connection, Engine, delete, select

from ares.domain.errors import ExternalError
from ares.domain.events import Effect, Event
from ares.domain.run import RunSetup
from ares.domain.stretch import BarsStretch
from ares.store import projection_sql as sql
from ares.store.database import execute_rows, reading, writing
from ares.store.projection_rows import ProjectionRows
from ares.store.projector_state import decode_state, encode_state
from ares.store.schema import metadata, projections, shown_environment

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


def projected(engine: Engine, environment: str) -> Projected | None:
    """Return how far the environment's journal is in the tables; None: no row was ever written."""
    with reading(engine) as connection:
        c = projections.c
        query = select(c.seq, c.state, c.position, c.updated_at).where(c.environment == environment)
        row = connection.execute(query).first()
    if row is None:
        return None
    return Projected(*row[:3], None if row[3] is None else str(row[3])[:19])


def projected_seq(engine: Engine, environment: str) -> int:
    """Return the seq up to which the environment's journal is in the tables."""
    found = projected(engine, environment)
    return 0 if found is None else found.seq


def delete_rows(engine: Engine, environment: str) -> None:
    """Delete an environment's projections, so that they can be rebuilt from its journal."""
    with writing(engine) as connection:
        for name in (*sql.TABLES, projections.name):
            table = metadata.tables[name]
            connection.execute(delete(table).where(table.c.environment == environment))


def show_environment(engine: Engine, environment: str) -> None:
    """Make the plain table names show this environment."""
    with reading(engine) as connection:
        shown = connection.execute(select(shown_environment.c.environment)).scalar()
    if shown != environment:
        with writing(engine) as connection:
            connection.execute(delete(shown_environment))
            connection.execute(shown_environment.insert().values(environment=environment))


class Projector:
    """Writes entries of one environment's journal to the tables, one transaction per batch.

    The rows of a batch are committed together with their last seq, with what later rows refer to
    (open orders, positions, slots), and with the position of that entry in the journal: whoever
    reads on from there writes no row twice and leaves none out.

    seq : the last entry that was added, or was in the tables already.
    """

    def __init__(self, engine: Engine, setup: RunSetup) -> None:
        self._engine = engine
        self._environment = setup.environment
        found = projected(engine, setup.environment)
        if found is not None and found.state is None:
            delete_rows(engine, setup.environment)
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
        with writing(self._engine, alone=False) as connection:
            if self._is_new:
                connection.exec_driver_sql(sql.BEGUN, (self._environment,))
            if connection.exec_driver_sql(sql.PROGRESS, progress).rowcount != 1:
                raise ProjectionMoved(
                    f"the tables of {self._environment} are not at event {self._written} any more"
                )
            _execute(connection, changes)
        self._written, self.position, self._is_new = self.seq, position, False


def _execute(connection: Connection, changes: list[tuple[str, tuple[object, ...]]]) -> None:
    """Execute statements in order, equal ones that follow each other at once."""
    for statement, group in groupby(changes, itemgetter(0)):
        execute_rows(connection, statement, [row for _, row in group])
