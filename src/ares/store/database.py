"""Opens the database: connection settings, migrations, and one line for each kind of failure."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from sqlalchemy import (
    Connection,
    Engine,
    Table,
    column,
    create_engine,
    event,
    inspect,
    select,
    table,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from ares.domain.errors import ExternalError
from ares.store.database_url import is_postgres, path_of
from ares.store.empty_database import put_empty_database
from ares.store.schema_version import SCHEMA_VERSION
from ares.store.sqlite_file import BUSY_MS, configure, line_of

if TYPE_CHECKING:
    from sqlalchemy.dialects.sqlite import Insert

VERSION_TABLE = table("alembic_version", column("version_num"))
"""The table in which Alembic stores the version of the schema."""

SWITCH_S = 5.0
"""How long the switch of an old file to write-ahead logging is tried."""


def open_database(
    url_or_path: str | Path, busy_ms: int = BUSY_MS, *, rebuildable: bool = False
) -> Engine:
    """Return an engine on the database, created or migrated to the newest schema where needed.

    url_or_path : a file, ``sqlite:///file``, or ``postgresql://user:password@host/database``.
    busy_ms     : how long to wait for a lock of another process.
    rebuildable : what is written can be made again: a power failure may undo the newest commits.

    Raises ExternalError when the file is not a database, damaged, of a newer Ares, locked, or
    cannot be written although it must be (new, or of an older schema). An intact database on a
    read-only disk is opened for reading; writing to it raises.
    """
    if is_postgres(str(url_or_path)):
        from ares.store.postgres import postgres_engine

        return _migrated(postgres_engine(str(url_or_path), busy_ms))
    path = path_of(url_or_path)
    if not path.parent.is_dir():
        raise ExternalError(f"cannot open {path}: the folder {path.parent} does not exist")
    put_empty_database(path, _make)
    url = URL.create("sqlite", database=str(path))
    engine = create_engine(url, connect_args={"timeout": 0})
    try:
        return _opened(engine, busy_ms, rebuildable)
    except ExternalError:
        if not _is_at_rest(path):
            raise
    return _opened(create_engine(url, creator=lambda: _connect_to_read(path)), busy_ms)


def _make(path: Path) -> None:
    """Make an empty database."""
    _opened(create_engine(URL.create("sqlite", database=str(path))), BUSY_MS).dispose()


def _opened(engine: Engine, busy_ms: int, rebuildable: bool = False) -> Engine:
    """Return the engine on SQLite with its database on the newest schema."""
    event.listen(engine, "connect", lambda raw, _: configure(raw, busy_ms, rebuildable))
    event.listen(engine, "begin", _begin)
    return _migrated(engine)


def _migrated(engine: Engine) -> Engine:
    """Return the engine with its database on the newest schema; dispose of it on failure."""
    try:
        version = _version(engine)
        if version is None or version < SCHEMA_VERSION:
            _upgrade(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _is_at_rest(path: Path) -> bool:
    """Return whether a file that cannot be written is complete by itself, without a WAL file.

    A reader in WAL mode writes files next to the database. Where it cannot, SQLite can open the
    file as immutable, which holds as long as there is no WAL: every writer creates one first.
    """
    writable = os.access(path.parent, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
    return not writable and path.is_file() and not _log_of(path).exists()


def _connect_to_read(path: Path) -> sqlite3.Connection:
    address = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    return sqlite3.connect(address, uri=True, timeout=0, check_same_thread=False)


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in one read transaction, which sees one state of the database."""
    if not on_sqlite(engine):
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with database_errors(engine), engine.begin() as connection:
        yield connection


@contextmanager
def writing(engine: Engine, alone: bool = True) -> Iterator[Connection]:
    """Yield a connection in one write transaction, which commits completely or not at all.

    alone : it takes the lock of all writers at the start, so that nothing it reads changes until
            the end. Otherwise it waits for them on SQLite only, which has one writer at a time.
    """
    with database_errors(engine), engine.execution_options(ares_writes=True).begin() as connection:
        if alone and not on_sqlite(engine):
            from ares.store.postgres import lock_writers

            lock_writers(connection)
        yield connection


def on_sqlite(bind: Engine | Connection) -> bool:
    """Return whether this is SQLite; otherwise it is PostgreSQL."""
    return bind.dialect.name == "sqlite"


def execute_rows(
    connection: Connection, statement: str, rows: Sequence[tuple[object, ...]]
) -> None:
    """Execute a statement of raw SQL for each row, in bulk where the database can."""
    if not on_sqlite(connection):
        from ares.store.postgres import copy_rows

        if copy_rows(connection, statement, rows):
            return
    connection.exec_driver_sql(statement, list(rows))


def upsert(connection: Connection, table: Table) -> Insert:
    """Return an INSERT into a table that can say what to do where a row is there already."""
    if on_sqlite(connection):
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return cast("Insert", postgresql.insert(table))  # the same methods


@contextmanager
def database_errors(engine: Engine) -> Iterator[None]:
    """Convert errors of the database to an ExternalError of one line; others pass."""
    try:
        yield
    except _driver_errors(engine) as error:
        line = _line_of(error, engine)
        if line is None:
            raise
        raise ExternalError(line) from error


def check_integrity(engine: Engine) -> str:
    """Return what is wrong with the database's file; empty: nothing, or it has none here."""
    if not on_sqlite(engine):
        return ""
    with reading(engine) as connection:
        found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
    return "" if found == "ok" else str(found)


def _driver_errors(engine: Engine) -> tuple[type[Exception], ...]:
    """Return the errors of a database, as SQLAlchemy and its driver raise them."""
    if on_sqlite(engine):
        return (DBAPIError, sqlite3.Error)
    import psycopg

    return (DBAPIError, psycopg.Error)


def _begin(connection: Connection) -> None:
    """Begin a transaction; a writer takes the lock at once, so that another one waits."""
    writes = connection.get_execution_options().get("ares_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _version(engine: Engine) -> str | None:
    """Return the schema version, None for a new one; raise if it is newer than this Ares."""
    name = name_of(engine)
    with reading(engine) as connection:
        names = inspect(connection).get_table_names()
        if VERSION_TABLE.name in names:
            found = connection.execute(select(VERSION_TABLE.c.version_num)).scalar()
            version = None if found is None else str(found)
            if version is not None and version > SCHEMA_VERSION:
                raise ExternalError(
                    f"{name} was written by a newer version of Ares "
                    f"(schema {version}; this version supports {SCHEMA_VERSION}): "
                    "upgrade Ares, or restore an older backup"
                )
            return version
    if names:
        raise ExternalError(
            f"{name} is a database of another program: move it away, "
            "or point database.url to a new file"
        )
    return None


def _upgrade(engine: Engine) -> None:
    """Run the missing migrations in one transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    folder = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    if on_sqlite(engine):
        _write_ahead(engine)
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if not on_sqlite(engine):
            from ares.store.postgres import make_hypertables

            make_hypertables(connection)


def _write_ahead(engine: Engine) -> None:
    """Switch a file to write-ahead logging, where another process may do so at the same moment.

    SQLite does not wait for its lock here, whatever the busy timeout is.
    """
    with database_errors(engine):
        raw = engine.raw_connection()
        cursor, until_s = raw.cursor(), time.monotonic() + SWITCH_S
        try:
            while cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                try:
                    cursor.execute("PRAGMA journal_mode = WAL")
                except sqlite3.OperationalError:
                    if time.monotonic() > until_s:
                        raise
                    time.sleep(0.02)
        finally:
            raw.close()


def name_of(engine: Engine) -> str:
    """Return the name of a database for people, without user and password."""
    if on_sqlite(engine):
        return str(engine.url.database)
    from ares.store.postgres import server_of

    return server_of(engine.url)


def _line_of(error: Exception, engine: Engine) -> str | None:
    """Return the message for an external failure; None for any other error."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not on_sqlite(engine):
        from ares.store import postgres

        return postgres.line_of(cause, engine.url)
    return line_of(cause, name_of(engine))
