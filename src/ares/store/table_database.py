"""The database as the projector of the tables uses it: raw SQL in a few transactions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from ares.store.sqlite_file import SqliteFile

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


class Statements(Protocol):
    """Executes statements in a transaction; they are written with SQLite's ``?``."""

    def first(self, statement: str, values: Sequence[object] = ()) -> tuple[Any, ...] | None:
        """Return the first row of a query."""
        ...

    def execute(self, statement: str, values: Sequence[object] = ()) -> int:
        """Execute a statement; return how many rows it changed."""
        ...

    def execute_rows(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Execute a statement for each row."""
        ...


class TableDatabase(Protocol):
    """What the tables are written to: ``SqliteFile``, or any other by SQLAlchemy.

    Errors of the database are raised as ``database.database_errors`` converts them.
    """

    def reading(self) -> AbstractContextManager[Statements]:
        """Give a read transaction."""
        ...

    def writing(self, alone: bool = True) -> AbstractContextManager[Statements]:
        """Give a write transaction, which commits completely or not at all."""
        ...


def table_database(database: Engine | SqliteFile) -> TableDatabase:
    """Return a database as the projector uses it."""
    return database if isinstance(database, SqliteFile) else _EngineDatabase(database)


class _EngineDatabase:
    """A database by SQLAlchemy."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def reading(self) -> Iterator[Statements]:
        from ares.store.database import reading

        with reading(self._engine) as connection:
            yield _EngineStatements(connection)

    @contextmanager
    def writing(self, alone: bool = True) -> Iterator[Statements]:
        from ares.store.database import writing

        with writing(self._engine, alone) as connection:
            yield _EngineStatements(connection)


class _EngineStatements:
    """Statements within a transaction of SQLAlchemy."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def first(self, statement: str, values: Sequence[object] = ()) -> tuple[Any, ...] | None:
        row = self._connection.exec_driver_sql(statement, tuple(values)).first()
        return None if row is None else tuple(row)

    def execute(self, statement: str, values: Sequence[object] = ()) -> int:
        return self._connection.exec_driver_sql(statement, tuple(values)).rowcount

    def execute_rows(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        from ares.store.database import execute_rows

        execute_rows(self._connection, statement, rows)
