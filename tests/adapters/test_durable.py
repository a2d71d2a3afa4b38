"""Files that are there whole or not at all, whatever fails in between."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ares.adapters.durable import write_file, write_folder


def full(_: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.json"
    write_file(path, b"first")
    write_file(path, b"second")
    assert path.read_bytes() == b"second"
    assert [entry.name for entry in path.parent.iterdir()] == ["a.json"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_full_disk_leaves_the_old_file_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    write_file(path, b"first")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_file(path, b"second")
    assert path.read_bytes() == b"first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_a_folder_appears_once_with_all_its_files(tmp_path: Path) -> None:
    path = tmp_path / "models" / "a"
    assert write_folder(path, {"x": b"1", "y": b"2"})
    assert not write_folder(path, {"x": b"other"})
    assert {entry.name: entry.read_bytes() for entry in path.iterdir()} == {"x": b"1", "y": b"2"}
    assert [entry.name for entry in path.parent.iterdir()] == ["a"]


def test_a_full_disk_leaves_no_half_of_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_folder(tmp_path / "a", {"x": b"1"})
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - shorter than iterdir
