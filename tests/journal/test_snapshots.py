"""Snapshots: whole or passed over; of this journal, or of none."""

from __future__ import annotations

from pathlib import Path

from ares.domain.run import RunSetup
from ares.domain.timeframe import Timeframe
from ares.journal.log import START, Position
from ares.journal.run import setup_of
from ares.journal.snapshots import (
    NEWEST_KEPT,
    STRETCH_EVENTS,
    anchored_snapshot,
    count_snapshots,
    delete_foreign,
    load_snapshot,
    save_snapshot,
    snapshots,
)
from ares.journal.writer import Writer
from ares.sim.memory_disk import MemoryDisk

FOLDER = Path("run")
SETUP = RunSetup("live", (), (Timeframe.M1,), -1, 0, 1, 0, 10.0, {}, 0.25, {})


def journal_with(disk: MemoryDisk, payloads: list[bytes]) -> list[Position]:
    """Write a journal; return its end after each record."""
    writer = Writer(FOLDER, disk=disk)
    ends = []
    for payload in payloads:
        writer.append(payload)
        ends.append(writer.position)
    writer.close()
    return ends


def seqs(disk: MemoryDisk) -> list[int]:
    return [found.seq for found in snapshots(FOLDER, disk=disk)]


def test_a_snapshot_comes_back_with_its_anchor_and_setup() -> None:
    disk = MemoryDisk()
    (end,) = journal_with(disk, [b"one"])
    save_snapshot(FOLDER, 1, b"state", end, SETUP, disk, {"engine": "e"})
    found = load_snapshot(FOLDER, disk=disk)
    assert found is not None
    assert (found.seq, found.anchor, found.setup, found.state) == (1, end, SETUP, b"state")
    assert found.hashes == {"engine": "e"}


def test_a_snapshot_of_the_future_is_passed_over_for_an_older_one() -> None:
    disk = MemoryDisk()
    ends = journal_with(disk, [b"one", b"two", b"three"])
    for seq, end in enumerate([START, *ends]):
        save_snapshot(FOLDER, seq, b"state %d" % seq, end, SETUP, disk)
    path = FOLDER / "000001.journal"
    whole = disk.read(path)
    for seq, end in enumerate([START, *ends]):
        for size in range(end.offset, ends[seq].offset if seq < 3 else end.offset + 1):
            disk.put(path, whole[:size])
            found = anchored_snapshot(FOLDER, disk=disk)
            assert found is not None
            assert found.seq == seq
    disk.put(path, whole[: ends[1].offset])
    delete_foreign(FOLDER, 2, disk)
    assert seqs(disk) == [2, 1, 0]


def test_a_snapshot_of_another_journal_is_passed_over() -> None:
    disk = MemoryDisk()
    ends = journal_with(disk, [b"one", b"two"])
    other = MemoryDisk()
    journal_with(other, [b"one", b"2wo"])
    for seq, end in enumerate([START, *ends]):
        save_snapshot(FOLDER, seq, b"s", end, SETUP, other)
    found = anchored_snapshot(FOLDER, disk=other)
    assert found is not None
    assert found.seq == 1
    delete_foreign(FOLDER, 2, other)
    assert seqs(other) == [1, 0]


def test_every_damaged_byte_of_a_snapshot_is_seen() -> None:
    disk = MemoryDisk()
    save_snapshot(FOLDER, 3, b"old", disk=disk)
    save_snapshot(FOLDER, 7, b"new", disk=disk)
    path = FOLDER / "snapshots" / "000000000007.snapshot"
    for offset in range(disk.size(path)):
        disk.change(path, offset, 0x10)
        assert seqs(disk) == [3]
        disk.change(path, offset, 0x10)
    disk.change(path, 40, 1)
    disk.put(path.with_name("notes.snapshot"), b"a person's")
    assert count_snapshots(FOLDER, disk) == (2, [path])


def test_the_setup_stands_in_the_snapshots_where_the_first_file_is_gone() -> None:
    disk = MemoryDisk()
    writer = Writer(FOLDER, segment_bytes_max=1, disk=disk)
    for payload in (b"one", b"two"):
        writer.append(payload)
        writer.sync()
    save_snapshot(FOLDER, 1, b"state", writer.position, SETUP, disk)
    writer.close()
    disk.remove(FOLDER / "000001.journal")
    assert setup_of(FOLDER, disk) == SETUP


def test_of_old_snapshots_one_in_each_stretch_and_the_ends_of_epochs_are_left() -> None:
    disk = MemoryDisk()
    for k in range(400):
        save_snapshot(FOLDER, k * 1_000, b"state", disk=disk, is_kept=k == 123)
    newest = list(range(399_000, 391_000, -1_000))
    assert len(newest) == NEWEST_KEPT
    stretches = list(range(400_000 - STRETCH_EVENTS, -1, -STRETCH_EVENTS))
    assert seqs(disk) == sorted([*newest, *stretches, 123_000], reverse=True)


def test_a_snapshot_that_cannot_be_removed_does_no_harm() -> None:
    disk = MemoryDisk()

    def refuses(operation: str, path: Path) -> None:
        if operation == "remove":
            raise OSError(1, "not permitted", str(path))

    disk.before = refuses
    for seq in range(20):
        save_snapshot(FOLDER, seq, b"state", disk=disk)
    assert len(seqs(disk)) == 20


def test_what_lies_before_a_snapshot_of_this_journal_is_not_read_again() -> None:
    disk = MemoryDisk()
    ends = journal_with(disk, [b"one", b"two", b"three"])
    for seq, end in enumerate([START, *ends]):
        save_snapshot(FOLDER, seq, b"state", end, SETUP, disk)
    read = list[Path]()
    whole = disk.read

    def watched(path: Path, offset: int = 0, size: int = -1) -> bytes:
        read.append(path)
        return whole(path, offset, size)

    disk.read = watched  # type: ignore[method-assign]
    delete_foreign(FOLDER, 3, disk, seq_checked=2)
    assert [path.stem for path in read if path.suffix == ".snapshot"] == ["000000000003"]


def test_of_one_event_the_snapshot_at_the_end_of_its_epoch_is_the_newest() -> None:
    """The attacking world, seed 1647: a stop right after a snapshot lost the rules that it set."""
    disk = MemoryDisk()
    for is_kept in (True, False):
        save_snapshot(FOLDER, 5, b"kept" if is_kept else b"other", disk=disk, is_kept=is_kept)
    found = load_snapshot(FOLDER, disk=disk)
    assert found is not None
    assert found.state == b"kept"
