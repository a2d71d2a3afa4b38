"""A database file of the newest schema without SQLAlchemy, whose import takes longer (0.2 s) than
writing the tables of 100,000 events; the settings of a connection, and what its errors mean.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ares.domain.errors import ExternalError, UserError
from ares.store.database_url import is_postgres, path_of
from ares.store.empty_database import copy_empty_database
from ares.store.schema_version import SCHEMA_VERSION

BUSY_MS = 10_000
"""How long a statement waits for the transaction of another process."""

CHECKPOINT_PAGES = 8_000
"""Pages of 4 KiB in the log, until what can be rebuilt is moved to the database file."""


def configure(raw: Any, busy_ms: int, rebuildable: bool) -> None:
    """Configure a new connection; transactions are begun explicitly."""
    raw.isolation_level = None
    raw.execute(f"PRAGMA busy_timeout = {busy_ms}")
    raw.execute("PRAGMA foreign_keys = ON")
    if rebuildable:
        raw.execute("PRAGMA synchronous = NORMAL")
        raw.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    else:
        raw.execute("PRAGMA synchronous = FULL")  # no commit is lost on a power cut
    raw.execute("PRAGMA cache_size = -32768")  # at most 32 MiB; an import reads each page once


def line_of(error: BaseException | None, path: str) -> str | None:
    """Return the message for an external failure; None for any other error."""
    name = getattr(error, "sqlite_errorname", None) or ""
    for prefix, line in _LINES.items():
        if name.startswith(prefix):
            return line.format(path=path, cause=error)
    return None


class SqliteFile:
    """An open file that is written as ``table_database.TableDatabase``; see ``open_file``."""

    def __init__(self, path: Path, raw: sqlite3.Connection) -> None:
        self._path, self._raw = path, raw

    @contextmanager
    def reading(self) -> Iterator[_FileStatements]:
        """Yield a connection in one read transaction."""
        with self._transaction("BEGIN") as rows:
            yield rows

    @contextmanager
    def writing(self, alone: bool = True) -> Iterator[_FileStatements]:  # noqa: ARG002 - the seam's signature
        """Yield a connection in one write transaction; there is one writer at a time."""
        with self._transaction("BEGIN IMMEDIATE") as rows:
            yield rows

    def dispose(self) -> None:
        """Close it."""
        self._raw.close()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[_FileStatements]:
        try:
            self._raw.execute(begin)
            try:
                yield _FileStatements(self._raw)
                self._raw.execute("COMMIT")
            except BaseException:
                if self._raw.in_transaction:
                    self._raw.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            line = line_of(error, str(self._path))
            if line is None:
                raise
            raise ExternalError(line) from error


class _FileStatements:
    """Statements within a transaction."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw

    def first(self, statement: str, values: Sequence[object] = ()) -> tuple[Any, ...] | None:
        """Return the first row of a query."""
        found: tuple[Any, ...] | None = self._raw.execute(statement, values).fetchone()
        return found

    def execute(self, statement: str, values: Sequence[object] = ()) -> int:
        """Execute a statement; return how many rows it changed."""
        return self._raw.execute(statement, values).rowcount

    def execute_rows(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Execute a statement for each row."""
        self._raw.executemany(statement, rows)


def open_file(url_or_path: str | Path) -> SqliteFile | None:
    """Open what can be rebuilt, a new file as a copy of an empty database; None where it is none
    of SQLite, or must be made, migrated or looked at: ``open_database`` does that, and says why
    where it fails.
    """
    if is_postgres(str(url_or_path)):
        return None
    try:
        path = path_of(url_or_path)
        copy_empty_database(path)
        if not path.is_file():
            return None
        raw = sqlite3.connect(path, timeout=0)
    except (OSError, UserError, sqlite3.Error):
        return None
    try:
        configure(raw, BUSY_MS, rebuildable=True)
        found = raw.execute("SELECT version_num FROM alembic_version").fetchone()
        if found == (SCHEMA_VERSION,):
            return SqliteFile(path, raw)
    except sqlite3.Error:
        pass
    raw.close()
    return None


_LINES = {
    "SQLITE_NOTADB": "{path} is not a database: move it away, or restore a backup",
    "SQLITE_CORRUPT": "{path} is damaged ({cause}): move it away and import, or restore a backup",
    "SQLITE_BUSY": "{path} is locked by another process: try again when it has finished",
    "SQLITE_LOCKED": "{path} is locked by another process: try again when it has finished",
    "SQLITE_READONLY": "{path} is read-only: check its permissions; nothing was changed",
    "SQLITE_CANTOPEN": "{path} cannot be opened: check the permissions of file and folder",
    "SQLITE_PERM": "{path} cannot be opened: check the permissions of file and folder",
    "SQLITE_FULL": "{path}: the disk is full: free space and try again; nothing was changed",
    "SQLITE_IOERR": "{path}: {cause}: the disk is full or fails: check it; nothing was changed",
}
