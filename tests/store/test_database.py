"""Opening the database: new, present, behind, ahead, foreign, damaged, locked, read-only."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine
from tests.reference_queries import SQLITE

import ares.store.schema
from ares.domain.errors import ExternalError, UserError
from ares.store.database import _write_ahead, open_database, reading, writing
from ares.store.schema import metadata
from ares.store.schema_version import SCHEMA_VERSION


@pytest.mark.parametrize("query", SQLITE)
def test_the_queries_that_operators_bring_along_run(sqlite_engine: Engine, query: str) -> None:
    with reading(sqlite_engine) as connection:
        connection.exec_driver_sql(query).fetchall()


def test_a_row_of_now_is_found_by_a_query_of_the_last_hours(sqlite_engine: Engine) -> None:
    with writing(sqlite_engine) as connection:
        connection.exec_driver_sql(
            "INSERT INTO all_confidence_history"
            " (environment, seq, symbol, timestamp, confidence_score, slot)"
            " VALUES ('paper', 1, 'BTC/USDT', datetime('now', '-23 hours'), 0.9, 'champion'),"
            " ('paper', 2, 'BTC/USDT', datetime('now', '-25 hours'), 0.1, 'champion')"
        )
        found = connection.exec_driver_sql(SQLITE[4]).one()
    assert tuple(found) == (0.9, 0.9)


def test_the_migrations_make_the_schema(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_known_version_is_the_newest_migration() -> None:
    config = Config()
    folder = Path(ares.store.schema.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA_VERSION


def test_it_is_in_wal_mode_with_foreign_keys(sqlite_engine: Engine) -> None:
    with sqlite_engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_what_can_be_rebuilt_does_not_wait_for_the_disk(tmp_path: Path) -> None:
    for rebuildable, synchronous in ((False, 2), (True, 1)):  # FULL, NORMAL
        opened = open_database(tmp_path / "ares.db", rebuildable=rebuildable)
        with opened.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == synchronous
        opened.dispose()


def test_opening_again_keeps_rows_and_loads_no_migration_tool(sqlite_engine: Engine) -> None:
    with writing(sqlite_engine) as connection:
        connection.exec_driver_sql("INSERT INTO projections (environment, seq) VALUES ('paper', 7)")
    script = (
        "import sys; from ares.store.database import *\n"
        f"engine = open_database({sqlite_engine.url.database!r})\n"
        "with reading(engine) as c: print(c.exec_driver_sql('SELECT seq FROM projections').all())\n"
        "print('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["[(7,)]", "False"]


def test_a_url_is_as_good_as_a_path(tmp_path: Path) -> None:
    open_database(f"sqlite:///{tmp_path / 'by-url.db'}").dispose()
    assert (tmp_path / "by-url.db").is_file()


def test_another_database_server_is_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"database\.url: 'mysql' is not supported"):
        open_database("mysql://localhost/ares")


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExternalError, match="does not exist"):
        open_database(tmp_path / "nowhere" / "ares.db")


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ares.db"
    path.write_bytes(b"ts,open,high,low,close\n" * 100)
    with pytest.raises(ExternalError, match="is not a database"):
        open_database(path)
    assert path.read_bytes() == b"ts,open,high,low,close\n" * 100


def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "ares.db"
    open_database(path).dispose()
    sound = path.read_bytes()
    path.write_bytes(sound[:100] + b"\xff" * (len(sound) - 100))
    with pytest.raises(ExternalError, match="is damaged") as caught:
        open_database(path)
    assert "\n" not in str(caught.value)


def test_a_truncated_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "ares.db"
    open_database(path).dispose()
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ExternalError, match="is damaged"):
        open_database(path)


def test_a_newer_schema_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "ares.db"
    engine = open_database(path)
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    with pytest.raises(ExternalError, match="newer version of Ares"):
        open_database(path)


def test_a_database_of_another_program_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "ares.db"
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE experiments (id INTEGER)")
    raw.close()
    with pytest.raises(ExternalError, match="another program"):
        open_database(path)


def test_a_database_of_the_first_schema_is_brought_up_with_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "ares.db"
    sqlite3.connect(path).close()
    config = Config()
    folder = Path(ares.store.schema.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "os")
    bare = create_engine(f"sqlite:///{path}")
    with bare.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql(
            "INSERT INTO retraining_history (environment, triggered_at, trigger_reason) "
            "VALUES ('history/x', '2023-01-01 00:00:00', 'drift'),"
            " ('paper', '2023-01-01 00:00:00', 'schedule')"
        )
    bare.dispose()
    engine = open_database(path)
    with reading(engine) as connection:
        row = connection.exec_driver_sql(
            "SELECT trigger_reason, rows, outcome FROM all_retraining_history"
        ).one()  # those of history runs are dropped
        assert tuple(row) == ("schedule", None, None)
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM alerts").scalar() == 0
    engine.dispose()


def test_a_migration_that_fails_leaves_nothing_half_made(tmp_path: Path) -> None:
    path = tmp_path / "ares.db"
    raw = sqlite3.connect(path)
    raw.executescript("CREATE TABLE alembic_version (version_num TEXT); CREATE TABLE fills (id);")
    raw.close()
    with pytest.raises(Exception, match="fills already exists"):
        open_database(path)
    raw = sqlite3.connect(path)
    names = {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    raw.close()
    assert names == {"alembic_version", "fills"}


def test_a_lock_that_is_held_is_one_line(sqlite_engine: Engine) -> None:
    other = sqlite3.connect(str(sqlite_engine.url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(ExternalError, match="locked by another process"), writing(sqlite_engine):
        pass
    with reading(sqlite_engine) as connection:  # readers are not held up
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM candles").scalar() == 0
    other.close()


def test_a_transaction_that_fails_keeps_nothing(engine: Engine) -> None:
    def fail_after_a_row() -> None:
        with writing(engine) as connection:
            connection.exec_driver_sql(
                "INSERT INTO projections (environment, seq) VALUES ('paper', 7)"
            )
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_a_row()
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM projections").scalar() == 0


@pytest.fixture
def folder_of_another() -> Iterator[Path]:
    """Return a folder with a database that this process may read and not write."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        open_database(folder / "ares.db").dispose()
        (folder / "ares.db").chmod(0o444)
        folder.chmod(0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        yield folder
        os.seteuid(user)
        folder.chmod(0o755)


def test_a_database_that_cannot_be_written_can_be_read(folder_of_another: Path) -> None:
    engine = open_database(folder_of_another / "ares.db")
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM candles").scalar() == 0
    with (
        pytest.raises(ExternalError, match="read-only: check its permissions") as caught,
        writing(engine) as connection,
    ):
        connection.exec_driver_sql("INSERT INTO projections (environment, seq) VALUES ('paper', 7)")
    assert "\n" not in str(caught.value)
    engine.dispose()
    with pytest.raises(ExternalError, match="permissions"):
        open_database(folder_of_another / "new.db")


def test_what_waits_in_a_log_is_never_read_past(folder_of_another: Path) -> None:
    """A writer was killed: the file alone would show an older day than the one that was kept."""
    user = os.geteuid()
    os.seteuid(os.getuid())
    folder_of_another.chmod(0o755)
    (folder_of_another / "ares.db-wal").write_bytes(b"x" * 64)
    folder_of_another.chmod(0o555)
    os.seteuid(user)
    with pytest.raises(ExternalError, match="permissions"):
        open_database(folder_of_another / "ares.db")


def test_an_old_file_is_switched_while_another_process_holds_it(tmp_path: Path) -> None:
    """SQLite does not wait there: a status beside the first start after an upgrade ended it."""
    path = tmp_path / "old.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TABLE t (x)")
    other.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(0.3, lambda: None)
    release.start()
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 5.0})
    done = threading.Thread(target=_write_ahead, args=(engine,))
    done.start()
    release.join()
    other.execute("COMMIT")
    done.join(10.0)
    other.close()
    with closing(sqlite3.connect(path)) as found:
        assert found.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    engine.dispose()
