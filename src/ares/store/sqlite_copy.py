"""A copy of an SQLite database while others write to it: one state of it, as of one instant."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from ares.domain.errors import ExternalError


def copy_sqlite(source: Path, target: Path, busy_s: float = 30.0) -> None:
    """Copy a database to a new file; writers go on meanwhile.

    Raises ExternalError where it cannot be read, or the copy cannot be written.
    """
    try:
        with closing(
            sqlite3.connect(f"{source.resolve().as_uri()}?mode=rw", busy_s, uri=True)
        ) as db:
            db.execute("VACUUM INTO ?", (str(target),))
        problem = sqlite_problem(target)
    except sqlite3.Error as error:
        raise ExternalError(f"{source.name} cannot be copied ({error})") from error
    if problem:
        raise ExternalError(f"{source.name} is damaged ({problem}): its copy was not taken")


def sqlite_problem(path: Path) -> str:
    """Return what is wrong with a database's file; empty: nothing."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
            found = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        return str(error)
    return "" if found == "ok" else str(found)
