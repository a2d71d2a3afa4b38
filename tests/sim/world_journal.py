"""Where a world's engine is journaled: a list of records, or real files on a disk in memory.

Both end the engine at any write, if the seed says so, and lose what was not durable. The list is
quick; with the files the engine's journal, snapshots, recovery and upgrades are the real ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tests.sim.finding import Finding

from ares.core.money_facts import JournaledFacts
from ares.core.snapshot import restore, snapshot
from ares.core.state import State
from ares.core.step import step
from ares.domain.events import Effect, Event
from ares.domain.model_events import ModelPublished
from ares.domain.run import RunSetup
from ares.domain.stretch import BarsStretch
from ares.journal.log import segments
from ares.journal.run import JournalEntry, RunJournal, decode_effects, encode_effects, entries
from ares.journal.run import setup_of as journaled_setup
from ares.journal.snapshots import save_snapshot, snapshots
from ares.runtime.engine.recovery import Recovery
from ares.runtime.engine.upgrade import newest_hashes
from ares.sim.memory_disk import MemoryDisk

if TYPE_CHECKING:
    from tests.sim.world import World

FOLDER = Path("run")
ROOM_MAX = 3_000
"""Bytes that a disk may still take before it is full."""


class Crash(BaseException):
    """The process ends here."""


class Recovered(NamedTuple):
    """Where an engine goes on.

    is_new : nothing was journaled yet. restarted: what began anew after a crash and an upgrade;
             None: no facts were folded, the tail was stepped.
    """

    state: State
    is_new: bool
    unanswered: JournalEntry | None = None
    restarted: tuple[str, ...] | None = None

    @property
    def at_ms(self) -> int:
        """Return the engine's time at the journal's end."""
        return max(self.state.at_ms, 0 if self.unanswered is None else self.unanswered.at_ms)


class WorldJournal(Protocol):
    """The journal of the loop, and what a world does with it."""

    def event(
        self, seq: int, event: Event, at_ms: int = 0, causation: int = 0, correlation: int = 0
    ) -> None: ...
    def effects(self, seq: int, effects: list[Effect]) -> None: ...
    def stretch(self, stretch: BarsStretch) -> None: ...
    def sync(self) -> None: ...
    def write(self) -> None: ...

    def save(self, state: State, setup: RunSetup, *, is_kept: bool = False) -> None:
        """Save a snapshot; is_kept: at a clean stop."""

    def lose(self, draw: Random) -> None:
        """Lose a part of what is not durable: the engine has ended."""

    def recover(self, version: int) -> Recovered:
        """Return the state from which this version of the engine goes on."""

    def saved(self) -> list[tuple[int, RunSetup, bytes]]:
        """Return the snapshots, oldest first: seq, setup, bytes of the state."""

    def facts(self) -> Iterator[JournaledFacts]:
        """Yield what was journaled."""

    def is_stepped(self) -> bool:
        """Return whether the effects of the newest event are in it."""

    def digest(self) -> str:
        """Return the hash of everything in it."""


class Records:
    """A list of records: those that were not synced may be lost in a crash."""

    def __init__(self, world: World, setup: RunSetup, first: bytes) -> None:
        self._world = world
        self._records: list[tuple[bytes, JournalEntry | None]] = []
        self._synced = 0
        self._saved = [(0, setup, first)]
        self._saved_at = [0]  # records before each

    def event(
        self, seq: int, event: Event, at_ms: int = 0, causation: int = 0, correlation: int = 0
    ) -> None:
        entry = JournalEntry(seq, event, None, at_ms, causation, correlation)
        self._write(repr((at_ms, event)).encode(), entry)

    def effects(self, seq: int, effects: list[Effect]) -> None:
        self._write(encode_effects(seq, effects), None)

    def stretch(self, stretch: BarsStretch) -> None:
        raise NotImplementedError

    def _write(self, raw: bytes, entry: JournalEntry | None) -> None:
        self._world.may_crash()
        if self._world.is_full():
            raise Crash  # what cannot be journaled must not be done: the engine ends
        self._records.append((raw, entry))

    def sync(self) -> None:
        self._world.may_crash()
        self._synced = len(self._records)
        self._world.may_crash()

    def write(self) -> None:
        return

    def save(self, state: State, setup: RunSetup, *, is_kept: bool = False) -> None:
        self._synced = len(self._records)
        self._saved.append((state.seq, setup, snapshot(state)))
        self._saved_at.append(self._synced)

    def lose(self, draw: Random) -> None:
        del self._records[draw.randint(self._synced, len(self._records)) :]
        self._synced = len(self._records)

    def recover(self, version: int) -> Recovered:
        _, setup, raw = self._saved[-1]
        state, pending = restore(setup, raw), None
        served = self._world.served
        served.swap.load_all(state)
        for raw, entry in self._records[self._saved_at[-1] :]:
            if entry is not None:
                pending = entry
                if isinstance(entry.event, ModelPublished):
                    served.swap.load(entry.event.ensemble)
                continue
            assert pending is not None
            effects = step(state, pending.event, served.models, pending.at_ms)
            if encode_effects(pending.seq, effects) != raw:
                raise Finding(f"recovery of event {pending.seq} gives other effects")
            served.swap.release_unused(state, effects)
            pending = None
        return Recovered(state, not self._records, pending)

    def saved(self) -> list[tuple[int, RunSetup, bytes]]:
        return self._saved

    def facts(self) -> Iterator[JournaledFacts]:
        pending = None
        for raw, entry in self._records:
            if entry is not None:
                pending = entry
                continue
            assert pending is not None
            yield JournaledFacts(pending.seq, pending.at_ms, pending.event, decode_effects(raw))

    def is_stepped(self) -> bool:
        return bool(self._records) and self._records[-1][1] is None

    def digest(self) -> str:
        return hashlib.sha256(b"".join(raw for raw, _ in self._records)).hexdigest()


class Files:
    """The files of a run on a disk that crashes at any operation, tears writes and fills up."""

    def __init__(self, world: World, setup: RunSetup, first: bytes) -> None:
        self._world, self._setup, self._first = world, setup, first
        self._disk = MemoryDisk(self._before)
        self._version = 0
        self._journal: RunJournal

    def _before(self, operation: str, _path: Path) -> None:
        self._world.may_crash()
        if operation == "write" and self._world.is_full():
            self._disk.room = self._world.draw.randint(0, ROOM_MAX)

    @property
    def disk(self) -> MemoryDisk:
        """Return the disk, as other processes see it."""
        return self._disk

    def event(
        self, seq: int, event: Event, at_ms: int = 0, causation: int = 0, correlation: int = 0
    ) -> None:
        self._journal.event(seq, event, at_ms, causation, correlation)

    def effects(self, seq: int, effects: list[Effect]) -> None:
        self._journal.effects(seq, effects)

    def stretch(self, stretch: BarsStretch) -> None:
        self._journal.stretch(stretch)

    def sync(self) -> None:
        self._journal.sync()

    def write(self) -> None:
        self._journal.write()

    def save(self, state: State, setup: RunSetup, *, is_kept: bool = False) -> None:
        self._journal.sync()
        raw, hashes = snapshot(state), {"engine": f"v{self._version}"}
        save_snapshot(
            FOLDER, state.seq, raw, self._journal.position, setup, self._disk, hashes,
            is_kept=is_kept,
        )  # fmt: skip

    def lose(self, draw: Random) -> None:
        self._disk.crash(draw)

    def recover(self, version: int) -> Recovered:
        served = self._world.served
        recovery = Recovery(FOLDER, served.swap, served.models, self._disk)
        setup = journaled_setup(FOLDER, self._disk)
        if setup is None:
            found, self._version = recovery.start(self._setup, self._first), version
            served.swap.load_all(found.state)
        else:
            of_journal = newest_hashes(FOLDER, setup, self._disk).get("engine", "v0")
            changed = ["engine"] if of_journal != f"v{version}" else []
            self._version = int(of_journal[1:])  # until an epoch of this one has begun
            found = recovery.resume(setup, changed=changed)
            self._version = version
        self._journal = RunJournal(FOLDER, None, self._disk, found.end)
        restarted = found.upgrade.restarted if found.upgrade is not None else ()
        return Recovered(found.state, setup is None, found.unanswered, restarted or None)

    def saved(self) -> list[tuple[int, RunSetup, bytes]]:
        found = reversed(list(snapshots(FOLDER, disk=self._disk)))
        return [(each.seq, each.setup or self._setup, each.state) for each in found]

    def facts(self) -> Iterator[JournaledFacts]:
        self._journal.write()
        for entry in entries(FOLDER, disk=self._disk):
            if entry.effects_raw is not None:
                yield JournaledFacts(entry.seq, entry.at_ms, entry.event, entry.effects)

    def is_stepped(self) -> bool:
        return True  # events and their effects are written together

    def digest(self) -> str:
        self._journal.write()
        paths = segments(FOLDER, self._disk)
        return hashlib.sha256(b"".join(self._disk.read(path) for path in paths)).hexdigest()
