"""A journal, its snapshots and a recovery on a disk that crashes at every operation and is full.

Whatever is lost was never durable; what is left recovers to the state of a run that had no crash.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sim.world_setup import SCORERS, START_MS, first_snapshot

from ares.core.models import Models
from ares.core.snapshot import restore, snapshot
from ares.core.state import State
from ares.core.step import step
from ares.domain.errors import ExternalError
from ares.domain.events import BarsClosed, Effect, EngineStarted, Event, RunStarted
from ares.domain.model import Ensemble
from ares.domain.order_events import TimeReached
from ares.domain.timeframe import MINUTE_MS
from ares.journal.log import segments
from ares.journal.run import JournalEntry, RunJournal, entries, setup_of
from ares.journal.snapshots import save_snapshot
from ares.journal.verify import verify
from ares.runtime.engine.recovery import Recovery
from ares.runtime.engine.upgrade import newest_hashes
from ares.sim.memory_disk import MemoryDisk

FOLDER = Path("run")
N_BARS = 18
SNAPSHOT_EVENTS = 5
SEGMENT_BYTES = 2_000


class Served:
    """The models are there."""

    def load(self, ensemble: Ensemble) -> None:
        """Serve an ensemble."""

    def load_all(self, state: State) -> None:
        """Serve all."""

    def release_unused(self, state: State, effects: Sequence[Effect]) -> None:
        """Release none."""


class Crash(BaseException):
    """The process ends here."""


@cache
def events() -> list[Event]:
    draw = Random(3)
    price = 10_000
    found: list[Event] = [RunStarted(first_snapshot(True)[0])]
    for k in range(N_BARS):
        price += draw.randint(-15, 15)
        rows = np.tile([price, price + 6, price - 6, price, 500.0], (2, 1)) / [[100] * 4 + [1]]
        found.append(BarsClosed(START_MS + (k + 1) * MINUTE_MS, rows.tobytes(), b"\1\1", b"\0\0"))
    return found


@cache
def uninterrupted() -> bytes:
    setup, raw = first_snapshot(True)
    state = restore(setup, raw)
    for event in events():
        step(state, event, Models(SCORERS), at_of(event))
    return snapshot(state)


def at_of(event: Event) -> int:
    return getattr(event, "ts_ms", START_MS)


class Run:
    """One start after the other on one disk; ``durable`` is the last seq that was promised."""

    def __init__(self, disk: MemoryDisk) -> None:
        self.disk = disk
        self.durable = 0
        self.steps = 0

    def go(self) -> State:
        """Recover, and run to the end."""
        setup, first = first_snapshot(True)
        models = Models(SCORERS)
        recovery = Recovery(FOLDER, Served(), models, self.disk)
        if setup_of(FOLDER, self.disk) is None:
            assert self.durable == 0, "what was durable is lost"
            recovered = recovery.start(setup, first)
        else:
            recovered = recovery.resume(setup)
        state = recovered.state
        journal = RunJournal(FOLDER, None, self.disk, recovered.end)
        journal._writer._segment_bytes_max = SEGMENT_BYTES
        if recovered.unanswered is not None:
            self._step(state, journal, models, recovered.unanswered)
        assert state.seq >= self.durable, "what was durable is lost"
        for event in events()[state.seq :]:
            entry = JournalEntry(state.seq + 1, event, None, at_of(event))
            journal.event(entry.seq, event, entry.at_ms)
            self._step(state, journal, models, entry)
            if state.seq % SNAPSHOT_EVENTS == 0:
                journal.sync()
                raw = snapshot(state)
                save_snapshot(FOLDER, state.seq, raw, journal.position, setup, self.disk)
        journal.close()
        return state

    def _step(self, state: State, journal: RunJournal, models: Models, entry: JournalEntry) -> None:
        effects = step(state, entry.event, models, entry.at_ms)
        self.steps += 1
        journal.effects(entry.seq, effects)
        if entry.seq % 3 == 0:
            journal.durable(entry.seq).result(0)
            self.durable = entry.seq
        elif entry.seq % 3 == 1:
            journal.write()


def crashing(after: int) -> MemoryDisk:
    """Return a disk whose process ends at its n-th operation."""
    left = iter(range(after))

    def before(_operation: str, _path: Path) -> None:
        if next(left, None) is None:
            raise Crash

    return MemoryDisk(before)


def operations() -> int:
    count = 0

    def before(_operation: str, _path: Path) -> None:
        nonlocal count
        count += 1

    Run(MemoryDisk(before)).go()
    return count


def check(run: Run) -> None:
    """Start again, without a crash; everything is as if there had been none."""
    run.disk.before = lambda _operation, _path: None
    assert snapshot(run.go()) == uninterrupted()
    assert [entry.seq for entry in entries(FOLDER, disk=run.disk)] == list(range(1, N_BARS + 2))
    assert verify(FOLDER, run.disk).whole


def test_the_run_has_what_a_crash_can_hit() -> None:
    disk = MemoryDisk()
    Run(disk).go()
    assert len(segments(FOLDER, disk)) > 3
    assert len(disk.files(FOLDER / "snapshots", ".snapshot")) > 3


@pytest.mark.parametrize("seed", range(3))
def test_a_crash_at_every_operation(seed: int) -> None:
    draw = Random(seed)
    for after in range(operations()):
        run = Run(crashing(after))
        with pytest.raises(Crash):
            run.go()
        run.disk.crash(draw)
        check(run)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=6), st.integers(0, 2**32))
def test_crashes_again_and_again(crashes: list[int], seed: int) -> None:
    """Also while a start recovers from the last one."""
    draw = Random(seed)
    disk = MemoryDisk()
    run = Run(disk)
    for after in crashes:
        disk.before = crashing(after).before
        try:
            run.go()
        except Crash:
            disk.crash(draw)
    check(run)


def test_a_journal_cut_at_every_byte() -> None:
    """A torn write; the snapshots are ahead of what is left, as after a restored backup."""
    disk = MemoryDisk()
    Run(disk).go()
    paths = segments(FOLDER, disk)
    whole = {path: disk.read(path) for path in disk.files(FOLDER / "snapshots", ".snapshot")}
    last = disk.read(paths[-1])
    for size in range(0, len(last), 7):
        run = Run(disk)
        disk.put(paths[-1], last[:size])
        for path, raw in whole.items():
            disk.put(path, raw)
        check(run)


def test_a_full_disk_at_every_write() -> None:
    """One line, and nothing that was durable is lost."""
    total = MemoryDisk(room=10**9)
    Run(total).go()
    assert total.room is not None
    used = 10**9 - total.room
    draw = Random(1)
    for room in range(0, used, used // 150):
        run = Run(MemoryDisk(room=room))
        with pytest.raises(ExternalError, match="free disk space") as raised:
            run.go()
        assert "\n" not in str(raised.value)
        if draw.random() < 0.5:
            run.disk.crash(draw)
        run.disk.room = None
        check(run)


def failing(at: int, operations: tuple[str, ...], fault: dict[str, int | bool]) -> MemoryDisk:
    """Return a disk that has a fault from the n-th of some operations on."""
    left = iter([False] * at + [True])

    def before(operation: str, _path: Path) -> None:
        if operation in operations and next(left, False):
            for name, value in fault.items():
                setattr(disk, name, value)

    disk = MemoryDisk(before)
    return disk


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (("write", "append"), {"room": 0}),
        (("write",), {"room": 11}),
        (("sync", "sync_folder"), {"broken": True}),
    ],
    ids=["full", "full after some bytes", "a sync fails"],
)
def test_a_disk_that_fails_at_every_operation(
    names: tuple[str, ...], fault: dict[str, int | bool]
) -> None:
    """The engine ends with one line, and goes on once the disk works again."""
    done: list[str] = []
    Run(MemoryDisk(lambda operation, _path: done.append(operation))).go()
    n = sum(operation in names for operation in done)
    assert n > 10
    draw = Random(2)
    for at in range(n):
        run = Run(failing(at, names, fault))
        with pytest.raises(ExternalError, match="cannot write") as raised:
            run.go()
        assert "\n" not in str(raised.value)
        if draw.random() < 0.5:
            run.disk.crash(draw)
        run.disk.room, run.disk.broken = None, False
        check(run)


def flipped() -> Iterator[tuple[MemoryDisk, Path, int]]:
    for k in range(0, 400, 13):
        disk = MemoryDisk()
        Run(disk).go()
        path = [p for p in segments(FOLDER, disk) if disk.size(p)][-1]
        offset = min(k, disk.size(path) - 1)
        disk.change(path, offset, 0x20)
        yield disk, path, offset


def test_a_flipped_byte_after_the_anchor_stops_the_start() -> None:
    for disk, path, offset in flipped():
        before = {p: disk.read(p) for p in disk.files(FOLDER, ".journal")}
        with pytest.raises(ExternalError, match=f"{path.name} is damaged at byte"):
            Run(disk).go()
        assert {p: disk.read(p) for p in disk.files(FOLDER, ".journal")} == before
        assert verify(FOLDER, disk).byte == offset


def test_a_flipped_byte_before_the_anchor_is_not_read_at_a_start() -> None:
    disk = MemoryDisk()
    Run(disk).go()
    first = segments(FOLDER, disk)[0]
    disk.change(first, 700, 0x20)
    setup, _ = first_snapshot(True)
    recovered = Recovery(FOLDER, Served(), Models(SCORERS), disk).resume(setup)
    assert recovered.read_from.records > 0
    assert snapshot(recovered.state) == uninterrupted()
    assert verify(FOLDER, disk).byte == 700


def test_no_snapshot_of_this_journal_is_one_line() -> None:
    disk = MemoryDisk()
    Run(disk).go()
    for path in disk.files(FOLDER / "snapshots", ".snapshot"):
        disk.remove(path)
    setup, _ = first_snapshot(True)
    with pytest.raises(ExternalError, match="no whole snapshot belongs to this journal"):
        Recovery(FOLDER, Served(), Models(SCORERS), disk).resume(setup)


def test_another_runs_segment_stops_the_start() -> None:
    disk = MemoryDisk()
    Run(disk).go()
    paths = segments(FOLDER, disk)
    disk.put(paths[-1], disk.read(paths[-2]))
    setup, _ = first_snapshot(True)
    with pytest.raises(ExternalError, match="is damaged at byte 0"):
        Recovery(FOLDER, Served(), Models(SCORERS), disk).resume(setup)


def test_a_run_is_stopped_its_state_gets_a_field_and_the_run_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The old version stopped cleanly, with a snapshot at the journal's end."""
    from tests.core.test_migration import without

    from ares.core import migration

    setup, first = first_snapshot(True)
    disk = MemoryDisk()
    recovery = Recovery(FOLDER, Served(), Models(SCORERS), disk)
    state = recovery.start(setup, first).state
    journal = RunJournal(FOLDER, None, disk)
    for event in events()[:10]:
        journal.event(state.seq + 1, event, at_of(event))
        journal.effects(state.seq, step(state, event, Models(SCORERS), at_of(event)))
    journal.sync()
    old = without(snapshot(state), "trade.book.arm_trades", "review_due")
    save_snapshot(FOLDER, state.seq, old, journal.position, setup, disk)
    journal.close()
    with pytest.raises(ExternalError, match="is not in it"):
        recovery.resume(setup)
    monkeypatch.setattr(migration, "ADDED", {"trade.book.arm_trades": 0, "review_due": False})
    recovered = recovery.resume(setup)
    assert recovered.state.seq == 10
    run = Run(disk)
    assert run.go().seq == N_BARS + 1
    assert run.steps == N_BARS + 1 - 10, "the past is not decided again"


class CountingDisk(MemoryDisk):
    """Counts what is read."""

    bytes_read = 0

    def read(self, path: Path, offset: int = 0, size: int = -1) -> bytes:
        raw = super().read(path, offset, size)
        self.bytes_read += len(raw)
        return raw


def started_after(n_events: int) -> tuple[int, int]:
    """Return the bytes that are read at a start after so many events, and those of the journal."""
    setup, first = first_snapshot(True)
    models, disk = Models(SCORERS), CountingDisk()
    recovery = Recovery(FOLDER, Served(), models, disk)
    state = recovery.start(setup, first).state
    journal = RunJournal(FOLDER, None, disk)
    journal._writer._segment_bytes_max = 20_000
    hashes = {"engine": "first"}
    for k in range(n_events):
        restart = EngineStarted({"engine": f"e{k}"}, k, f"nonce {k}")
        event: Event = restart if k % 50 == 49 else TimeReached(START_MS + k)
        hashes = restart.hashes if event is restart else hashes
        event = RunStarted(setup) if k == 0 else event
        journal.event(state.seq + 1, event, START_MS + k)
        journal.effects(state.seq + 1, step(state, event, models, START_MS + k))
        if k % 60 == 40:
            journal.sync()
            raw = snapshot(state)
            save_snapshot(FOLDER, state.seq, raw, journal.position, setup, disk, hashes)
    journal.close()
    disk.bytes_read = 0
    assert setup_of(FOLDER, disk) == setup
    assert newest_hashes(FOLDER, setup, disk) == hashes
    recovered = recovery.resume(setup)
    assert snapshot(recovered.state) == snapshot(state)
    assert recovered.hashes == hashes
    RunJournal(FOLDER, None, disk, recovered.end).close()
    size = sum(disk.size(path) for path in segments(FOLDER, disk))
    return disk.bytes_read, size


def test_what_is_read_at_a_start_does_not_grow_with_the_journal() -> None:
    read, size = started_after(600)
    read_later, size_later = started_after(6_000)
    assert size_later > 9 * size
    assert read_later < 1.2 * read
