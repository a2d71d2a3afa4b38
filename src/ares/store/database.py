"""Opening ``ares.db``: settings, migrations, and one line for whatever is wrong with the file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from ares.domain.errors import ExternalError, UserError
from ares.store.schema import SCHEMA_VERSION

BUSY_MS = 10_000
"""How long a statement waits for another process's transaction before it gives up."""


def open_database(url_or_path: str | Path, busy_ms: int = BUSY_MS) -> Engine:
    """Return an engine on the database, made or brought to the newest schema where needed.

    url_or_path : a file, or ``sqlite:///file``.
    busy_ms     : how long to wait for a lock of another process.

    Raises WorldTrouble when the file is no database, damaged, of a newer Ares, locked or cannot
    be written although it must be (new, or of an older schema). Where nothing can be written, a
    whole database can be read all the same; then it is the writing that raises.
    """
    path = _path_of(url_or_path)
    if not path.parent.is_dir():
        raise ExternalError(f"cannot open {path}: the folder {path.parent} does not exist")
    url = URL.create("sqlite", database=str(path))
    engine = create_engine(url, connect_args={"timeout": 0})
    try:
        return _opened(engine, busy_ms)
    except ExternalError:
        if not _is_at_rest(path):
            raise
    return _opened(create_engine(url, creator=lambda: _connect_to_read(path)), busy_ms)


def _opened(engine: Engine, busy_ms: int) -> Engine:
    """Return the engine, its database of the newest schema; dispose of it where that fails."""
    event.listen(engine, "connect", lambda raw, _: _settle(raw, busy_ms))
    event.listen(engine, "begin", _begin)
    try:
        version = _version(engine)
        if version is None or version < SCHEMA_VERSION:
            _upgrade(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _is_at_rest(path: Path) -> bool:
    """Return whether a file that we cannot write is whole by itself: nothing waits in a log.

    A reader in WAL mode has to write beside the database. Where it must not, SQLite can take the
    file as immutable, which is true as long as there is no log: whoever writes makes one first.
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
    """Give a connection in one read transaction: everything read belongs to one moment."""
    with world_trouble(engine), engine.begin() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Give a connection in one write transaction: all of it is kept, or nothing.

    The lock is taken at the start, so that what is read inside stays true until the end.
    """
    with world_trouble(engine), engine.execution_options(ares_writes=True).begin() as connection:
        yield connection


@contextmanager
def world_trouble(engine: Engine) -> Iterator[None]:
    """Turn the database's own errors into a WorldTrouble of one line; others pass."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        line = _line_of(error, engine.url.database or str(engine.url))
        if line is None:
            raise
        raise ExternalError(line) from error


def _path_of(url_or_path: str | Path) -> Path:
    """Return the file that is meant."""
    text = str(url_or_path)
    scheme, mark, rest = text.partition("://")
    if not mark:
        return Path(text)
    if scheme not in ("sqlite", "sqlite+pysqlite") or not rest.startswith("/"):
        raise UserError(
            f"database.url: '{scheme}' cannot be used yet: write sqlite:///FILE, or leave it empty"
        )
    return Path(rest[1:])


def _settle(raw: Any, busy_ms: int) -> None:
    """Prepare a new connection: we begin transactions ourselves (see ``_begin``)."""
    raw.isolation_level = None
    raw.execute(f"PRAGMA busy_timeout = {busy_ms}")
    raw.execute("PRAGMA foreign_keys = ON")
    raw.execute("PRAGMA synchronous = FULL")  # commits are few and large: a power cut loses none
    raw.execute("PRAGMA cache_size = -32768")  # 32 MiB at most; a page is read once per import


def _begin(connection: Connection) -> None:
    """Begin: writers take the lock at once, so that two of them wait instead of failing late."""
    writes = connection.get_execution_options().get("ares_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _version(engine: Engine) -> str | None:
    """Return the schema's version, None for a new file; raise when it is newer than this Ares."""
    with reading(engine) as connection:
        names = {
            name
            for (name,) in connection.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
            )
        }
        if "alembic_version" in names:
            row = connection.exec_driver_sql("SELECT version_num FROM alembic_version").first()
            version = None if row is None else str(row[0])
            if version is not None and version > SCHEMA_VERSION:
                raise ExternalError(
                    f"{engine.url.database} was written by a newer Ares (schema {version}, this "
                    f"one knows {SCHEMA_VERSION}): upgrade Ares, or restore an older backup"
                )
            return version
    if names:
        raise ExternalError(
            f"{engine.url.database} is a database of another program: move it away, "
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
    with world_trouble(engine):
        raw = engine.raw_connection()
        try:
            raw.cursor().execute("PRAGMA journal_mode = WAL")
        finally:
            raw.close()
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _line_of(error: DBAPIError | sqlite3.Error, path: str) -> str | None:
    """Return what a person should read; None when the fault is not the world's."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    name = getattr(cause, "sqlite_errorname", None) or ""
    for prefix, line in _LINES.items():
        if name.startswith(prefix):
            return line.format(path=path, cause=cause)
    return None


_LINES = {
    "SQLITE_NOTADB": "{path} is no database: move it away, or restore a backup",
    "SQLITE_CORRUPT": "{path} is damaged ({cause}): restore a backup, or move it away and import",
    "SQLITE_BUSY": "{path} is locked by another process: try again when it has finished",
    "SQLITE_LOCKED": "{path} is locked by another process: try again when it has finished",
    "SQLITE_READONLY": "{path} is read-only: check its permissions; nothing was changed",
    "SQLITE_CANTOPEN": "{path} cannot be opened: check the permissions of file and folder",
    "SQLITE_PERM": "{path} cannot be opened: check the permissions of file and folder",
    "SQLITE_FULL": "{path}: the disk is full: free space and try again; nothing was changed",
    "SQLITE_IOERR": "{path}: {cause}: is the disk full? nothing was changed",
}
