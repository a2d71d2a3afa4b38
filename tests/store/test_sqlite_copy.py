"""A copy is one state of the database, taken while others write."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from ares.domain.errors import ExternalError
from ares.store.sqlite_copy import copy_sqlite, sqlite_problem


def test_a_copy_is_one_state_although_others_write(tmp_path: Path) -> None:
    source, target = tmp_path / "a.db", tmp_path / "b.db"
    with closing(sqlite3.connect(source)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE t (a INTEGER, b INTEGER)")
        db.commit()
    stop, written = threading.Event(), threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(source, timeout=30.0)) as db:
            n = 0
            while not stop.is_set():
                with db:
                    db.execute("INSERT INTO t VALUES (?, ?)", (n, n))
                    db.execute("INSERT INTO t VALUES (?, ?)", (-n, n))
                n += 1
                if n == 20:
                    written.set()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert written.wait(60.0)
        copy_sqlite(source, target)
    finally:
        stop.set()
        thread.join()
    with closing(sqlite3.connect(target)) as db:
        rows, total = db.execute("SELECT count(*), sum(a) FROM t").fetchone()
    assert rows >= 40
    assert (rows % 2, total) == (0, 0)
    assert sqlite_problem(target) == ""


def test_what_is_damaged_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(ExternalError, match=r"a\.db cannot be copied"):
        copy_sqlite(tmp_path / "a.db", tmp_path / "b.db")
    assert "not a database" in sqlite_problem(tmp_path / "a.db")
    with pytest.raises(ExternalError, match=r"none\.db cannot be copied"):
        copy_sqlite(tmp_path / "none.db", tmp_path / "c.db")
