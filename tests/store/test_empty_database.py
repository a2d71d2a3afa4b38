"""A new database is a copy of the one that the migrations make, and never replaces a file."""

from __future__ import annotations

from pathlib import Path

from ares.store.database import open_database
from ares.store.empty_database import put_empty_database


class Maker:
    """Makes a file, and counts how often."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, path: Path) -> None:
        self.made += 1
        path.write_bytes(b"empty")


def test_it_is_made_once_and_copied(tmp_path: Path) -> None:
    make, cache = Maker(), tmp_path / "cache"
    for name in ("a", "b"):
        put_empty_database(tmp_path / name, make, cache)
    assert make.made == 1
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == b"empty"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "cache"]


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"rows")
    put_empty_database(tmp_path / "a", Maker(), tmp_path / "cache")
    assert (tmp_path / "a").read_bytes() == b"rows"


def test_without_a_cache_folder_nothing_is_put(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    put_empty_database(tmp_path / "a", Maker(), tmp_path / "cache")
    assert not (tmp_path / "a").exists()


def test_a_copy_has_the_tables_and_the_settings_of_a_database_that_was_migrated(
    tmp_path: Path,
) -> None:
    found = []
    for name in ("first", "second"):
        engine = open_database(tmp_path / f"{name}.db")
        with engine.connect() as connection:
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
            schema = connection.exec_driver_sql("SELECT type, name, sql FROM sqlite_master")
            found.append((mode, sorted(map(str, schema.fetchall()))))
        engine.dispose()
    assert found[0] == found[1]
    assert found[0][0] == "wal"
    assert len(found[0][1]) > 20
