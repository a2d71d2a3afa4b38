"""Group commit: appending never waits for the disk; what fails, fails in one line and for good."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.domain.errors import ExternalError
from ares.domain.events import BarsClosed
from ares.journal.log import START, Position, Reader, contains, read, segments
from ares.journal.run import RunJournal, entries
from ares.journal.writer import Writer
from ares.sim.memory_disk import MemoryDisk

FOLDER = Path("run")


class SlowDisk(MemoryDisk):
    """Its syncs wait until they are let through."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.syncs = 0
        self.before = self._wait

    def _wait(self, operation: str, _: Path) -> None:
        if operation == "sync":
            self.syncs += 1
            assert self.gate.wait(10)


def test_appending_never_waits_for_a_sync() -> None:
    disk = SlowDisk()
    writer = Writer(FOLDER, sync_ms=0, segment_bytes_max=100, disk=disk)
    for _ in range(10_000):  # many times what a buffer and a file hold
        writer.append(bytes(100))
    future = writer.durable(writer.records)
    assert not future.done()
    disk.gate.set()
    future.result(10)
    writer.close()
    assert len(list(read(FOLDER, disk=disk))) == 10_000
    assert disk.syncs < 100, "in groups"


def test_a_waiter_is_answered_when_its_record_is_on_disk_and_not_before() -> None:
    disk = SlowDisk()
    writer = Writer(FOLDER, sync_ms=10**9, disk=disk)
    writer.append(b"one")
    first = writer.durable(1)
    while disk.syncs == 0:
        time.sleep(0.001)
    writer.append(b"two")
    second = writer.durable(2)
    assert not first.done()
    disk.gate.set()
    first.result(10)
    second.result(10)
    assert writer.durable(1).done()
    writer.close()


def test_a_quiet_journal_is_synced_in_time() -> None:
    disk = MemoryDisk()
    writer = Writer(FOLDER, sync_ms=20, disk=disk)
    writer.append(b"one")
    begun_s = time.monotonic()
    while not writer.durable(0).done() or writer._synced < 1:
        assert time.monotonic() < begun_s + 10
        time.sleep(0.001)
    assert time.monotonic() - begun_s > 0.015, "others may join the group"
    writer.close()


def test_a_live_loop_awaits_an_event_and_its_effects(tmp_path: Path) -> None:
    journal = RunJournal(tmp_path, sync_ms=10**9)
    for seq in range(1, 5):
        journal.event(seq, BarsClosed(seq, b"", b"", b""))
        journal.effects(seq, [])

    async def wait() -> int:
        await asyncio.wrap_future(journal.durable(3))
        return len(list(entries(tmp_path)))

    assert asyncio.run(wait()) >= 3
    journal.durable(4).result(10)
    journal.event(5, BarsClosed(5, b"", b"", b""))
    assert journal.durable(4).done()
    journal.close()


def test_a_failed_sync_ends_everything_that_waits_and_all_that_comes() -> None:
    disk = MemoryDisk()
    writer = Writer(FOLDER, sync_ms=10**9, disk=disk)
    writer.append(b"one")
    writer.durable(1).result(10)
    disk.broken = True
    writer.append(b"two")
    with pytest.raises(ExternalError, match="cannot write the journal") as raised:
        writer.durable(2).result(10)
    assert "\n" not in str(raised.value)
    disk.broken = False  # what was not synced may be lost even so: nothing follows it
    with pytest.raises(ExternalError, match="free disk space and start again"):
        writer.append(b"three")
    with pytest.raises(ExternalError):
        writer.durable(2).result(10)
    with pytest.raises(ExternalError):
        writer.sync()
    writer.close()


def test_without_a_thread_waiting_syncs_at_once() -> None:
    disk = MemoryDisk()
    writer = Writer(FOLDER, disk=disk)
    writer.append(b"one")
    assert writer.durable(1).done()
    disk.broken = True
    writer.append(b"two")
    with pytest.raises(ExternalError):
        writer.durable(2).result(0)
    writer.close()


@given(st.lists(st.binary(max_size=80), max_size=30), st.integers(1, 300), st.data())
def test_a_writer_that_knows_the_end_reads_nothing(
    payloads: list[bytes], segment: int, data: st.DataObject
) -> None:
    disk = MemoryDisk()
    end = START
    k = 0
    while k < len(payloads):
        n = data.draw(st.integers(1, len(payloads) - k))
        writer = Writer(FOLDER, segment_bytes_max=segment, disk=disk, end=end)
        for payload in payloads[k : k + n]:
            writer.append(payload)
            if data.draw(st.booleans()):
                writer.sync()
        end = writer.position
        writer.close()
        k += n
    assert list(read(FOLDER, disk=disk)) == payloads
    reader = Reader(FOLDER, START, disk)
    for _ in reader:
        position = reader.position
        assert contains(FOLDER, position, disk)
        assert list(read(FOLDER, position, disk)) == payloads[position.records :]
    assert reader.position == end


def test_a_position_of_the_future_or_of_another_journal_is_not_contained() -> None:
    disk = MemoryDisk()
    for name, payload in (("a", b"one"), ("b", b"two")):
        writer = Writer(Path(name), disk=disk)
        writer.append(payload)
        writer.close()
    reader = Reader(Path("a"), START, disk)
    list(reader)
    position = reader.position
    assert contains(Path("a"), position, disk)
    assert not contains(Path("b"), position, disk)
    assert not contains(Path("none"), position, disk)
    later = Position(1, position.offset + 40, position.chain, 2, 16)
    assert not contains(Path("a"), later, disk)
    assert contains(Path("none"), START, disk)


def test_a_closed_writer_leaves_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    writer = Writer(tmp_path, sync_ms=1)
    writer.append(b"one")
    writer.close()
    assert threading.active_count() == before
    assert len(segments(tmp_path)) == 1
