"""Starting is recovering: the newest snapshot, then the journal's tail, stepped and compared.

The chain is verified from the snapshot's anchor on, so that a start does not take longer as the
journal grows; ``journal.verify.BackgroundCheck`` verifies what lies before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ares.core.models import Models
from ares.core.snapshot import restore, snapshot
from ares.core.state import State
from ares.core.step import step
from ares.domain.errors import ExternalError
from ares.domain.events import Effect, EngineStarted, RunStarted
from ares.domain.formats import JOURNAL_FORMAT, require_format
from ares.domain.model import Ensemble
from ares.domain.model_events import ModelPublished
from ares.domain.run import RunSetup
from ares.journal.disk import OS_DISK, Disk
from ares.journal.log import START, Position, contains
from ares.journal.run import JournalEntry, RunReader, encode_effects
from ares.journal.snapshots import (
    StoredSnapshot,
    anchored_snapshot,
    delete_foreign,
    delete_snapshots,
    load_snapshot,
    save_snapshot,
)
from ares.runtime.engine.upgrade import Upgrade

InputCheck = Callable[[JournalEntry, State], None]
"""Called with every journaled entry before it is stepped; raises where its input is not right."""


class Served(Protocol):
    """The models that a run serves."""

    def load(self, ensemble: Ensemble) -> None:
        """Serve an ensemble."""
        ...

    def load_all(self, state: State) -> None:
        """Serve every ensemble that a state needs."""
        ...

    def release_unused(self, state: State, effects: Sequence[Effect]) -> None:
        """Release what no lane needs any more."""
        ...


@dataclass(frozen=True, slots=True)
class RecoveredRun:
    """The point from which a run continues.

    end        : of the journal. read_from: where reading began; before that nothing was verified.
    unanswered : the last event, where a crash came before its effects were journaled.
    upgrade    : how the state of another version was taken over; None: it was of this one.
    hashes     : of the code in the newest epoch; None: neither snapshot nor tail says.
    foreign_seq : of a newer snapshot that is not of this journal; 0: there was none.
    """

    state: State
    end: Position = START
    read_from: Position = START
    unanswered: JournalEntry | None = None
    upgrade: Upgrade | None = None
    hashes: dict[str, str] | None = None
    foreign_seq: int = 0

    @property
    def at_ms(self) -> int:
        """Return the engine's time at the journal's end, before which no clock is set."""
        return max(self.state.at_ms, 0 if self.unanswered is None else self.unanswered.at_ms)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return what a person should know of this start, a line each."""
        remarks = () if self.upgrade is None else (self.upgrade.remark,)
        if not self.foreign_seq:
            return remarks
        foreign = (
            f"a snapshot of event {self.foreign_seq} is not of this journal and was passed over:"
            " if the journal came from a backup, what was done since then is unknown here"
        )
        return (foreign, *remarks)


@dataclass(frozen=True, slots=True)
class _Tail:
    """What was read: its last seq with effects, and the event after it where there is one.

    answered_end : of the effects of that seq.
    hashes   : of the code in the newest epoch; None: neither the snapshot nor what was read says.
    """

    answered: int
    answered_end: Position
    end: Position
    hashes: dict[str, str] | None
    unanswered: JournalEntry | None = None


@dataclass(frozen=True, slots=True)
class Recovery:
    """Finds the state from which a run continues.

    served : the models that the run serves; models : the same, as ``step`` takes them.
    """

    folder: Path
    served: Served
    models: Models
    disk: Disk = OS_DISK

    def start(self, setup: RunSetup, first_state: bytes) -> RecoveredRun:
        """Return the first state of a run without a journal.

        Raises ExternalError where a later snapshot shows that a journal was lost.
        """
        folder, disk = self.folder, self.disk
        later = load_snapshot(folder, disk=disk)
        if later is not None and later.seq > 0:
            raise ExternalError(
                f"journal {folder} is empty, but there is a snapshot of event {later.seq}: restore"
                " the journal from a backup, or move the folder away to start anew"
            )
        delete_snapshots(folder, disk=disk)
        save_snapshot(folder, 0, first_state, START, setup, disk, setup.hashes)
        return RecoveredRun(restore(setup, first_state), hashes=setup.hashes)

    def resume(
        self,
        setup: RunSetup,
        first_state: bytes | None = None,
        check: Callable[[], InputCheck] | None = None,
        changed: Sequence[str] = (),
    ) -> RecoveredRun:
        """Return the state at the journal's end.

        setup : of the first record. first_state: taken where there is no snapshot.
        check : makes a check of all entries; with it the journal is read from its first record.
        changed : parts of Ares that have changed since the newest epoch: its tail is folded.

        Raises ExternalError where the tail is damaged or does not reproduce, or where no snapshot
        can be used.
        """
        newest = load_snapshot(self.folder, disk=self.disk)
        found = newest
        if newest is not None and not contains(self.folder, newest.anchor, self.disk):
            found = anchored_snapshot(self.folder, disk=self.disk)
        foreign_seq = newest.seq if newest is not None and newest is not found else 0
        if found is None:
            found = self._first(setup, first_state)
        upgrade = Upgrade(changed, self.models) if changed else None
        try:
            state = self._restored(found, setup)
        except ExternalError:
            if upgrade is None or first_state is None:
                raise
            found = self._first(setup, first_state)  # everything is folded
            state = self._restored(found, setup)
        self.served.load_all(state)
        # An input check needs the journal from its first record.
        start = found if check is None else StoredSnapshot(0, START, None, b"")
        tail = self._replay(state, start, None if check is None else check(), upgrade)
        delete_foreign(self.folder, tail.answered, self.disk, found.seq)
        if upgrade is not None and not upgrade.finish():
            upgrade.restarted = found.restarted  # a crash came after it had been folded
        elif upgrade is not None:
            save_snapshot(
                self.folder, state.seq, snapshot(state), tail.answered_end, state.setup,
                self.disk, tail.hashes, is_kept=True, restarted=upgrade.restarted,
            )  # fmt: skip
        return RecoveredRun(
            state, tail.end, start.anchor, tail.unanswered, upgrade, tail.hashes, foreign_seq
        )

    def _first(self, setup: RunSetup, first_state: bytes | None) -> StoredSnapshot:
        if first_state is None:
            raise ExternalError(
                f"{self.folder}: no whole snapshot belongs to this journal: restore the folder from"
                " a backup"
            )
        return StoredSnapshot(0, START, setup, first_state)

    def _restored(self, found: StoredSnapshot, setup: RunSetup) -> State:
        try:
            return restore(found.setup or setup, found.state)
        except ValueError as error:
            raise ExternalError(f"{self.folder.name}: {error}: use that version") from error

    def _replay(
        self,
        state: State,
        start: StoredSnapshot,
        check: InputCheck | None,
        upgrade: Upgrade | None,
    ) -> _Tail:
        """Step (or fold) the entries after the state's seq."""
        answered, answered_end, hashes = start.seq, start.anchor, start.hashes
        reader = RunReader(self.folder, start.anchor, self.disk)
        for entry in reader:
            require_format(f"journal {self.folder}", reader.version, JOURNAL_FORMAT)
            if check is not None:
                check(entry, state)
            if isinstance(entry.event, RunStarted | EngineStarted):
                hashes = _hashes_of(entry.event)
            is_new = entry.seq > state.seq
            if is_new and isinstance(entry.event, ModelPublished):
                self.served.load(entry.event.ensemble)
            if entry.effects_raw is None:
                return _Tail(answered, answered_end, reader.position, hashes, entry)
            answered, answered_end = entry.seq, reader.position
            if is_new and upgrade is not None:
                upgrade.take(self.folder, state, entry)
            elif is_new:
                self._step(state, entry)
        return _Tail(answered, answered_end, reader.position, hashes)

    def _step(self, state: State, entry: JournalEntry) -> None:
        effects = step(state, entry.event, self.models, entry.at_ms)
        if encode_effects(entry.seq, effects) != entry.effects_raw:
            raise ExternalError(
                f"journal {self.folder}: event {entry.seq} steps to effects that are not the"
                " journaled ones: run `ares restep` to see them; nothing was changed"
            )
        self.served.release_unused(state, effects)


def _hashes_of(event: RunStarted | EngineStarted) -> dict[str, str]:
    return event.setup.hashes if isinstance(event, RunStarted) else event.hashes
