"""A backup has everything that cannot be made again, whole or not at all."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ares.domain.errors import AresError, ExternalError, UserError
from ares.runtime.ops import backup
from ares.runtime.ops.backup import MANIFEST, check_backup, make_backup, restore_backup


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "w"
    for name, text in {
        "ares.yaml": "venue: kraken\n",
        ".env": "KEY=secret\n",
        "journal/paper/000001.journal": "records",
        "journal/paper/000012.snapshot": "state",
        "journal/paper/lock": "77",
        "journal/history/x/tables.db": "rows",
        "models/packages/a/model.onnx": "graph",
        "models/.draft": "half",
        "logs/paper.log": "lines",
    }.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text)
    with closing(sqlite3.connect(made / "ares.db")) as db:
        db.execute("CREATE TABLE t (a INTEGER)")
        db.execute("INSERT INTO t VALUES (7)")
        db.commit()
    return made


def made(root: Path, target: Path) -> Path:
    make_backup(root, target, "1.0", 5, root / "ares.db")
    return target


WANTED = {
    "ares.yaml", "ares.db", "journal/paper/000001.journal", "journal/paper/000012.snapshot",
    "models/packages/a/model.onnx",
}  # fmt: skip


def test_it_has_what_cannot_be_made_again_and_no_key(root: Path, tmp_path: Path) -> None:
    folder = made(root, tmp_path / "b")
    manifest = check_backup(folder)
    assert set(manifest.files) == WANTED
    assert b"secret" not in b"".join(p.read_bytes() for p in folder.rglob("*") if p.is_file())
    restored = tmp_path / "elsewhere"
    assert restore_backup(folder, restored) == manifest
    for name in WANTED - {"ares.db"}:
        assert (restored / name).read_bytes() == (root / name).read_bytes()
    with closing(sqlite3.connect(restored / "ares.db")) as db:
        assert db.execute("SELECT a FROM t").fetchall() == [(7,)]


def test_snapshots_are_copied_before_the_records_that_they_are_anchored_in(root: Path) -> None:
    names = list(backup._to_copy(root))
    assert names.index("journal/paper/000012.snapshot") < names.index(
        "journal/paper/000001.journal"
    )


def changed(folder: Path) -> None:
    (folder / "models/packages/a/model.onnx").write_text("grapH")


def missing(folder: Path) -> None:
    (folder / "ares.yaml").unlink()


def added(folder: Path) -> None:
    (folder / "models/more").write_text("x")


def no_manifest(folder: Path) -> None:
    (folder / MANIFEST).write_text("{")


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (changed, "model.onnx is not as it was backed up"),
        (missing, "ares.yaml is missing"),
        (added, "models/more is not in the manifest"),
        (no_manifest, "is no backup"),
    ],
)
def test_a_backup_that_was_changed_is_not_restored(
    root: Path, tmp_path: Path, damage: Callable[[Path], None], text: str
) -> None:
    folder = made(root, tmp_path / "b")
    damage(folder)
    with pytest.raises(AresError, match=text):
        restore_backup(folder, tmp_path / "elsewhere")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "w"]


def test_nothing_that_exists_is_written_over(root: Path, tmp_path: Path) -> None:
    folder = made(root, tmp_path / "b")
    with pytest.raises(UserError, match="b exists"):
        made(root, folder)
    with pytest.raises(UserError, match="is not empty"):
        restore_backup(folder, root)


@pytest.mark.parametrize("at", range(1, 6))
def test_a_disk_that_fills_up_leaves_nothing(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    calls, sync = [], os.fsync

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) == at:
            raise OSError(28, "No space left on device")
        sync(handle)

    folder = made(root, tmp_path / "b")
    monkeypatch.setattr("ares.runtime.ops.backup.os.fsync", full)
    with pytest.raises(ExternalError, match=r"No space left on device\): nothing was kept"):
        made(root, tmp_path / "c")
    calls.clear()
    with pytest.raises(ExternalError, match=r"No space left on device\): nothing was kept"):
        restore_backup(folder, tmp_path / "elsewhere")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "w"]
