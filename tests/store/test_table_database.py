"""The projector's statements do the same by SQLAlchemy and without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares.store.database import open_database
from ares.store.sqlite_file import open_file
from ares.store.table_database import Statements, TableDatabase, table_database


def databases(path: Path) -> list[TableDatabase]:
    """Return the same database, opened in both ways."""
    engine = open_database(path)
    file = open_file(path)
    assert file is not None
    return [table_database(engine), table_database(file)]


def test_each_sees_what_the_other_wrote(tmp_path: Path) -> None:
    insert = "INSERT INTO projections (environment, seq, state) VALUES (?, ?, ?)"
    query = "SELECT seq, state FROM projections WHERE environment = ?"
    both = databases(tmp_path / "rows.db")
    for k, (writer, reader) in enumerate((both, both[::-1])):
        with writer.writing(alone=k == 0) as rows:
            rows.execute_rows(insert, [(f"{k}/{n}", n, bytes([n])) for n in range(3)])
            changed = rows.execute(
                "UPDATE projections SET seq = seq + 10 WHERE environment LIKE ?", (f"{k}/%",)
            )
            assert changed == 3
        with reader.reading() as rows:
            assert rows.first(query, (f"{k}/2",)) == (12, b"\x02")
            assert rows.first(query, ("away",)) is None


def write_and_fail(rows: Statements) -> None:
    rows.execute("INSERT INTO projections (environment, seq) VALUES ('paper', 1)")
    rows.execute("INSERT INTO away VALUES (1)")


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    for database in databases(tmp_path / "rows.db"):
        with pytest.raises(Exception, match="no such table"), database.writing() as rows:
            write_and_fail(rows)
        with database.reading() as rows:
            assert rows.first("SELECT count(*) FROM projections") == (0,)
