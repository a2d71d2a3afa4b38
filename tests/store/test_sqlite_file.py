"""A file of the newest schema is opened without SQLAlchemy; any other is left to it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ares.domain.errors import ExternalError
from ares.store.database import open_database
from ares.store.sqlite_file import SqliteFile, open_file
from ares.store.table_database import Statements


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a database of the newest schema."""
    open_database(tmp_path / "rows.db").dispose()
    return tmp_path / "rows.db"


def opened(path: Path) -> SqliteFile:
    found = open_file(f"sqlite:///{path}")
    assert found is not None
    return found


def write_and_fail(rows: Statements) -> None:
    rows.execute("INSERT INTO projections (environment, seq) VALUES ('paper', 1)")
    rows.execute("INSERT INTO away VALUES (1)")


def test_it_reads_and_writes_without_sqlalchemy(path: Path) -> None:
    script = f"""
import sys
from ares.store.sqlite_file import open_file
file = open_file({str(path)!r})
with file.writing() as rows:
    rows.execute_rows("INSERT INTO projections (environment, seq) VALUES (?, ?)", [("paper", 7)])
with file.reading() as rows:
    print(rows.first("SELECT seq FROM projections WHERE environment = ?", ("paper",)))
print("sqlalchemy" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["(7,)", "False"]


def test_the_worker_of_the_tables_loads_no_sqlalchemy() -> None:
    script = "import sys, ares.runtime.engine.table_worker; print('sqlalchemy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_a_new_file_is_a_copy_of_an_empty_database(path: Path, tmp_path: Path) -> None:
    file = open_file(tmp_path / "new.db")  # ``path`` has made the one that is copied
    assert file is not None
    with file.reading() as rows:
        assert rows.first("SELECT count(*) FROM all_orders") == (0,)
        assert rows.first("PRAGMA journal_mode") == ("wal",)
        assert rows.first("PRAGMA synchronous") == (1,)  # NORMAL: the rows can be made again
    file.dispose()


def test_a_failed_transaction_leaves_nothing(path: Path) -> None:
    file = opened(path)
    with pytest.raises(sqlite3.OperationalError), file.writing() as rows:
        write_and_fail(rows)
    with file.writing() as rows:
        assert rows.first("SELECT count(*) FROM projections") == (0,)
        assert rows.execute("UPDATE projections SET seq = 2") == 0
    file.dispose()


def test_a_lock_and_a_loss_are_stated_in_a_line(path: Path) -> None:
    file, other = opened(path), sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    file._raw.execute("PRAGMA busy_timeout = 1")
    with pytest.raises(ExternalError, match="is locked by another process"), file.writing():
        pass
    other.execute("DROP TABLE projections")
    other.execute("COMMIT")
    other.close()
    with pytest.raises(sqlite3.OperationalError, match="no such table"), file.writing() as rows:
        rows.execute("DELETE FROM projections")
    file.dispose()


@pytest.mark.parametrize("schema", ["0001", "9999"])
def test_a_file_of_another_schema_is_left_to_who_migrates_it(path: Path, schema: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (schema,))
    connection.close()
    assert open_file(path) is None


def test_what_is_no_database_of_ares_is_left_to_who_states_why(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database, but a text of some length")
    sqlite3.connect(tmp_path / "other.db").close()
    for where in (
        tmp_path / "text.db", tmp_path / "other.db", tmp_path / "away" / "rows.db",
        "postgresql://u@h/d", "mysql://u@h/d",
    ):  # fmt: skip
        assert open_file(where) is None
