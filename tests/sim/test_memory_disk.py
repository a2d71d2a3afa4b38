"""The disk in memory: what was synced survives every crash, of the rest a prefix."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from ares.journal.disk import OS_DISK, Disk
from ares.sim.memory_disk import MemoryDisk

FILE = Path("run/a.journal")


def test_what_was_synced_survives_and_of_the_rest_a_prefix_or_zeros() -> None:
    cut, zeros = set(), 0
    for seed in range(300):
        disk = MemoryDisk()
        file = disk.append(FILE, 0)
        file.write(b"s" * 500)
        file.sync()
        file.write(b"n" * 700)
        disk.crash(Random(seed))
        raw = disk.read(FILE)
        assert raw.startswith(b"s" * 500)
        kept = raw.rstrip(b"\0")
        assert (b"s" * 500 + b"n" * 700).startswith(kept)
        if len(kept) < len(raw):
            assert (len(raw), len(kept) % 512) == (1_200, 0)
            zeros += 1
        cut.add(len(kept))
    assert zeros > 20
    assert len(cut) > 100


def test_a_file_is_replaced_whole_or_not_at_all() -> None:
    for operation in range(1, 5):
        for seed in range(10):
            disk = MemoryDisk()
            disk.write_whole(FILE, b"old")
            left = iter(range(operation - 1))

            def before(_operation: str, _path: Path, left: object = left) -> None:
                if next(left, None) is None:  # type: ignore[call-overload] # an iterator
                    raise KeyboardInterrupt

            disk.before = before
            with pytest.raises(KeyboardInterrupt):
                disk.write_whole(FILE, b"new")
            disk.crash(Random(seed))
            assert disk.read(FILE) in (b"old", b"new")


def test_a_full_disk_takes_a_part_and_then_nothing() -> None:
    disk = MemoryDisk(room=4)
    file = disk.append(FILE, 0)
    assert file.write(b"abcdef") == 4
    with pytest.raises(OSError, match="No space left"):
        file.write(b"ef")
    with pytest.raises(OSError, match="No space left"):
        disk.write_whole(Path("run/b"), b"x")
    assert disk.read(FILE) == b"abcd"
    assert disk.files(Path("run"), "") == []


def test_a_broken_disk_syncs_nothing() -> None:
    disk = MemoryDisk()
    file = disk.append(FILE, 0)
    disk.broken = True
    with pytest.raises(OSError, match="Input/output"):
        file.sync()


@pytest.mark.parametrize("kind", ["memory", "system"])
def test_both_disks_do_the_same(kind: str, tmp_path: Path) -> None:
    disk: Disk = MemoryDisk() if kind == "memory" else OS_DISK
    folder = tmp_path / "run"
    assert disk.files(folder, ".journal") == []
    disk.make_folder(folder)
    path = folder / "a.journal"
    file = disk.append(path, 0)
    assert file.write(memoryview(b"0123456789")) == 10
    file.sync()
    file.close()
    assert (disk.size(path), disk.read(path, 3, 4), disk.read(path, 8)) == (10, b"3456", b"89")
    again = disk.append(path, 5)
    again.write(b"x")
    again.close()
    assert disk.read(path) == b"01234x"
    disk.write_whole(folder / "b.snapshot", b"one")
    disk.write_whole(folder / "b.snapshot", b"two")
    assert disk.read(folder / "b.snapshot") == b"two"
    assert disk.files(folder, ".journal") == [path]
    disk.remove(path)
    assert disk.files(folder, ".journal") == []
    for call in (lambda: disk.size(path), lambda: disk.read(path), lambda: disk.remove(path)):
        with pytest.raises(FileNotFoundError):
            call()
