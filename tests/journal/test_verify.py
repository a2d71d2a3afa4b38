"""A flipped byte is named, by file and offset; a journal before a snapshot is checked beside."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.domain.errors import ExternalError
from ares.journal.log import HEAD, START, Position, Reader, segments
from ares.journal.verify import SEARCH_BYTES_MAX, BackgroundCheck, verify
from ares.journal.writer import Writer
from ares.sim.memory_disk import MemoryDisk

FOLDER = Path("run")
PAYLOADS = [b"one", b"", b"three" * 9, bytes(range(64)), b"\x00" * 40, b"last"]


def written(payloads: list[bytes], segment: int = 10**9) -> MemoryDisk:
    disk = MemoryDisk()
    writer = Writer(FOLDER, segment_bytes_max=segment, disk=disk)
    for payload in payloads:
        writer.append(payload)
        writer.sync()
    writer.close()
    return disk


def end_of(disk: MemoryDisk) -> Position:
    reader = Reader(FOLDER, START, disk)
    for _ in reader:
        pass
    return reader.position


def test_a_whole_journal_is_whole() -> None:
    disk = written(PAYLOADS, segment=60)
    check = verify(FOLDER, disk)
    assert check.whole
    assert (check.records, check.segments) == (len(PAYLOADS), len(segments(FOLDER, disk)))
    assert check.bytes == sum(HEAD.size + len(payload) for payload in PAYLOADS)
    assert verify(Path("none"), disk).whole


@pytest.mark.parametrize("segment", [60, 10**9])
def test_every_flipped_byte_is_named(segment: int) -> None:
    for mask in (0x01, 0x80, 0xFF):
        disk = written(PAYLOADS, segment)
        for path in segments(FOLDER, disk):
            for offset in range(disk.size(path)):
                disk.change(path, offset, mask)
                check = verify(FOLDER, disk)
                assert (check.file, check.byte) == (path.name, offset)
                assert check.record is not None
                assert check.record <= offset
                disk.change(path, offset, mask)
        assert verify(FOLDER, disk).whole


@given(st.integers(0, SEARCH_BYTES_MAX + 500), st.integers(0, 7))
def test_a_flipped_bit_of_a_long_record_is_named(at: int, bit: int) -> None:
    disk = written([b"first", bytes(SEARCH_BYTES_MAX + 501), b"last"])
    (path,) = segments(FOLDER, disk)
    offset = HEAD.size + 5 + HEAD.size + at
    disk.change(path, offset, 1 << bit)
    check = verify(FOLDER, disk)
    assert (check.file, check.byte, check.records) == (path.name, offset, 1)


def test_what_differs_in_many_bytes_is_named_by_its_record() -> None:
    disk = written(PAYLOADS)
    (path,) = segments(FOLDER, disk)
    third = HEAD.size * 2 + 3
    disk.change(path, third + HEAD.size, 0x01)
    disk.change(path, third + HEAD.size + 9, 0x01)
    check = verify(FOLDER, disk)
    assert (check.records, check.byte, check.record) == (2, third, third)


def test_an_unfinished_record_is_no_damage() -> None:
    disk = written(PAYLOADS)
    (path,) = segments(FOLDER, disk)
    disk.put(path, disk.read(path)[:-2])
    check = verify(FOLDER, disk)
    assert (check.whole, check.records, check.torn_bytes) == (True, 5, HEAD.size + 2)


def background(disk: MemoryDisk, end: Position) -> tuple[list[ExternalError | None], int]:
    found: list[ExternalError | None] = []
    check = BackgroundCheck(FOLDER, end, found.append, disk)
    check.wait(10)
    return found, check.records


def test_the_part_before_a_start_is_checked_in_the_background() -> None:
    disk = written(PAYLOADS, segment=60)
    end = end_of(disk)
    assert background(disk, end) == ([None], len(PAYLOADS))
    assert background(disk, START) == ([None], 0)
    first = segments(FOLDER, disk)[0]
    disk.change(first, HEAD.size, 1)
    (error,), records = background(disk, end)
    assert records == 0
    assert f"{first.name} is damaged at byte 0" in str(error)


def test_another_runs_segments_before_a_start_are_found() -> None:
    end = end_of(written(PAYLOADS))
    other = written([b"0ne", *PAYLOADS[1:]])
    (error,), _ = background(other, end)
    assert "is not the one that its snapshots were made from" in str(error)
    (error,), _ = background(written(PAYLOADS[:3]), end)
    assert "is not the one that its snapshots were made from" in str(error)


def test_a_check_can_be_stopped() -> None:
    disk = written([b"x"] * 2_000)
    found: list[ExternalError | None] = []
    check = BackgroundCheck(FOLDER, end_of(disk), found.append, disk)
    check.stop()
    assert len(found) <= 1
