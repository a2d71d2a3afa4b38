"""PostgreSQL: connections, bulk inserts, hypertables, and one line for each kind of failure.

Statements are written once, with SQLite's ``?``; they are translated where they are sent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from ares.domain.errors import UserError

WRITERS_LOCK = 5_280_115
"""Key of the advisory lock that whoever writes takes, as SQLite has one writer at a time."""
COPY_ROWS_MIN = 50
"""As many rows are copied, which takes a tenth of the time of inserting them (measured)."""
CONNECT_S_MAX = 5
HYPERTABLES = ("all_confidence_history", "all_market_volatility")
"""Tables that grow with time; TimescaleDB splits them by their column ``timestamp``."""

_INSERT = re.compile(r"INSERT INTO (\w+) \(([\w, ]+)\)\s+VALUES \(\?(?:, \?)*\)")


def postgres_engine(url: str, busy_ms: int) -> Engine:
    """Return an engine; nothing is connected yet.

    busy_ms : how long a statement waits for the lock of another process.
    """
    _, _, rest = url.partition("://")
    try:
        parsed = make_url(f"postgresql+psycopg://{rest}")
    except (ArgumentError, ValueError) as error:
        raise UserError("database.url is not a URL: postgresql://USER:PASSWORD@HOST/DB") from error
    options = f"-c timezone=UTC -c lock_timeout={busy_ms} -c application_name=ares"
    engine = create_engine(
        parsed,
        pool_pre_ping=True,
        connect_args={"connect_timeout": CONNECT_S_MAX, "options": options},
    )
    event.listen(engine, "before_cursor_execute", _translate, retval=True)
    return engine


def _translate(
    _connection: Connection,
    _cursor: Any,
    statement: str,
    parameters: Any,
    context: Any,
    _many: bool,
) -> tuple[str, Any]:
    """Write the marks of raw SQL as psycopg does; SQLAlchemy's own statements have them already."""
    if context is None or context.compiled is None:
        statement = statement.replace("%", "%%").replace("?", "%s") if parameters else statement
    return statement, parameters


def lock_writers(connection: Connection) -> None:
    """Wait until no other process writes, and keep others waiting until the transaction ends."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS_LOCK})")


def copy_rows(connection: Connection, statement: str, rows: Sequence[Sequence[object]]) -> bool:
    """Copy many rows in place of a plain INSERT; return False where that is not possible."""
    found = _INSERT.fullmatch(statement)
    if found is None or len(rows) < COPY_ROWS_MIN:
        return False
    driver: Any = connection.connection.driver_connection
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY {found.group(1)} ({found.group(2)}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)
    return True


def make_hypertables(connection: Connection) -> bool:
    """Make hypertables of what grows with time; return False where there is no TimescaleDB."""
    found = connection.exec_driver_sql(
        "SELECT count(*) FROM pg_proc WHERE proname = 'create_hypertable'"
    ).scalar()
    if not found:
        return False
    for name in HYPERTABLES:
        key = connection.exec_driver_sql(
            "SELECT conname FROM pg_constraint WHERE conrelid = CAST(? AS regclass)"
            " AND contype = 'p' AND array_length(conkey, 1) = 1",
            (name,),
        ).scalar()
        if key is None:
            continue  # it is one already
        connection.exec_driver_sql(f'ALTER TABLE {name} DROP CONSTRAINT "{key}"')
        connection.exec_driver_sql(f"ALTER TABLE {name} ADD PRIMARY KEY (id, timestamp)")
        connection.exec_driver_sql(
            f"SELECT create_hypertable('{name}', 'timestamp', migrate_data => TRUE)"
        )
    return True


def server_of(url: URL) -> str:
    """Return the name of a database for people, without user and password."""
    port = f":{url.port}" if url.port else ""
    return f"PostgreSQL database {url.database or ''} at {url.host or 'this machine'}{port}"


def line_of(error: BaseException | None, url: URL) -> str | None:
    """Return the message for an external failure; None for any other error."""
    if not isinstance(error, psycopg.Error):
        return None
    state = error.sqlstate or ""
    where, cause = server_of(url), " ".join(str(error).split())
    for prefix, line in _LINES.items():
        if state.startswith(prefix):
            return f"{where} {line}"
    if state == "" and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        if "password authentication failed" in cause or "no password supplied" in cause:
            return f"{where} {_LINES['28']}"
        if 'database "' in cause and "does not exist" in cause:
            return f"{where} {_LINES['3D']}"
        return f"{where} cannot be reached: check that it runs, and database.url"
    return None


_LINES = {
    "25006": "is read-only: check which server database.url names; nothing was changed",
    "28": "refuses user or password: check database.url, or TIMESCALE_USER and TIMESCALE_PASSWORD",
    "3D": "does not exist: make it with `createdb`, or change database.url",
    "40P01": "is locked by another process: try again when it has finished",
    "42501": "does not allow this user to write: grant it, or change database.url",
    "53100": "has no disk space left: free some and try again; nothing was changed",
    "53300": "has no connection left: try again, or raise max_connections",
    "53": "has no resources left: try again; nothing was changed",
    "55P03": "is locked by another process: try again when it has finished",
    "57014": "cancelled the statement: try again; nothing was changed",
    "57P": "is stopping or starting: try again; nothing was changed",
    "58": "has a failing disk: check it; nothing was changed",
    "08": "cannot be reached: check that it runs, and database.url",
}
