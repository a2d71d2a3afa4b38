"""The journal of one run: events with their effects by seq."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ares.domain.errors import ExternalError
from ares.domain.events import Effect, EngineStarted, Event, RunStarted
from ares.domain.formats import JOURNAL_FORMAT, require_format
from ares.domain.run import RunSetup
from ares.domain.stretch import BarsStretch
from ares.journal.disk import OS_DISK, Disk
from ares.journal.log import START, Position, Reader, segment_path, segments
from ares.journal.snapshots import load_snapshot
from ares.journal.writer import Writer

if TYPE_CHECKING:
    from ares.journal.upcast import EventRecord, Upcast

EVENT = b"E"
EFFECTS = b"F"
STRETCH = b"S"
_encode = msgspec.msgpack.Encoder().encode
_event = msgspec.msgpack.Decoder(tuple[int, int, int, int, Event])
_effects = msgspec.msgpack.Decoder(tuple[int, list[Effect]])
_stretch = msgspec.msgpack.Decoder(BarsStretch)


class JournalEntry(msgspec.Struct, frozen=True, gc=False):
    """One journaled event, and the bytes of its effects (None: a crash came before them).

    at_ms       : the engine's clock when it was journaled.
    causation   : seq of the event whose order it reports on; 0: it reports on none.
    correlation : seq of the decision that opened the trade of that order; 0: none.
    """

    seq: int
    event: Event
    effects_raw: bytes | None
    at_ms: int = 0
    causation: int = 0
    correlation: int = 0

    @property
    def effects(self) -> list[Effect]:
        """Return the effects."""
        return [] if self.effects_raw is None else decode_effects(self.effects_raw)


@dataclass(frozen=True, slots=True)
class Epoch:
    """A stretch of a run between two starts of the engine.

    first_seq : of the event that opened it.
    hashes    : of code, settings and the user's features in it. nonce: of its client ids.
    """

    first_seq: int
    hashes: dict[str, str]
    nonce: str


def encode_effects(seq: int, effects: list[Effect]) -> bytes:
    """Return the canonical bytes of an event's effects."""
    return _encode((seq, effects))


def decode_effects(raw: bytes) -> list[Effect]:
    """Return the effects of ``encode_effects``; raises ExternalError where they are unknown."""
    try:
        return _effects.decode(raw)[1]
    except msgspec.DecodeError as error:
        raise _unknown_effects(error) from error


def _unknown_effects(error: msgspec.DecodeError) -> ExternalError:
    return ExternalError(
        f"the journal holds effects that this version of Ares does not know ({error}): use the"
        " version that wrote it"
    )


def _upcast_of(version: int) -> Upcast:
    """Return what reads an older format; few journals need it, and its decoders take 10 ms."""
    from ares.journal.upcast import upcast_of

    return upcast_of(version)


def _upcast(upcast: Upcast, raw: bytes) -> bytes:
    """Return the bytes of an older event's effects as this version writes them."""
    try:
        return upcast.effects(raw)
    except msgspec.DecodeError as error:
        raise _unknown_effects(error) from error


class RunReader:
    """Reads the entries of a run after a position, verified from there.

    Iterating raises ExternalError where the journal is damaged. A journal of an older format gives
    the entries that this version would have written, as far as they can be derived.
    """

    def __init__(self, folder: Path, start: Position = START, disk: Disk = OS_DISK) -> None:
        self._folder = folder
        self._reader = Reader(folder, start, disk)

    @property
    def position(self) -> Position:
        """Return the end of the newest record read: of a whole stretch at each of its entries."""
        return self._reader.position

    @property
    def version(self) -> int:
        """Return the journal's format, known once a record was read."""
        return self._reader.version

    def __iter__(self) -> Iterator[JournalEntry]:
        """Yield the entries, oldest first; those of a stretch one by one."""
        for part in self.parts():
            if isinstance(part, BarsStretch):
                yield from entries_of(part)
            else:
                yield part

    def parts(self) -> Iterator[JournalEntry | BarsStretch]:
        """Yield the entries and the stretches as they are recorded, oldest first."""
        upcast: Upcast | None = None
        pending: EventRecord | None = None
        for payload in self._reader:
            kind, body = payload[:1], payload[1:]
            if kind == EVENT and pending is None:
                if self._reader.version != JOURNAL_FORMAT:
                    upcast = upcast or _upcast_of(self._reader.version)
                pending = self._event(body, upcast)
            elif kind == EFFECTS and pending is not None:
                yield _entry(pending, body if upcast is None else _upcast(upcast, body))
                pending = None
            elif kind == STRETCH and pending is None:
                yield self._stretch(body)
            else:
                where = "begins" if pending is None else f"continues after event {pending[0]}"
                raise ExternalError(
                    f"journal {self._folder} {where} with a record of the wrong kind: restore it"
                    " from a backup"
                )
        if pending is not None:
            yield _entry(pending, None)

    def _event(self, body: bytes, upcast: Upcast | None) -> EventRecord:
        try:
            return _event.decode(body) if upcast is None else upcast.event(body)
        except msgspec.DecodeError as error:
            raise self._unknown(error) from error

    def _stretch(self, body: bytes) -> BarsStretch:
        try:
            return _stretch.decode(body)
        except msgspec.DecodeError as error:
            raise self._unknown(error) from error

    def _unknown(self, error: msgspec.DecodeError) -> ExternalError:
        return ExternalError(
            f"journal {self._folder} holds an event that this version of Ares does not know"
            f" ({error}): use the version that wrote it"
        )


def entries(folder: Path, start: Position = START, disk: Disk = OS_DISK) -> Iterator[JournalEntry]:
    """Yield the entries of a run after a position; see ``RunReader``."""
    return iter(RunReader(folder, start, disk))


def entries_of(stretch: BarsStretch) -> Iterator[JournalEntry]:
    """Yield the entries that one event after another would have written."""
    for seq, event, effects in stretch.entries():
        yield JournalEntry(seq, event, encode_effects(seq, effects), event.ts_ms)


def _entry(head: EventRecord, effects_raw: bytes | None) -> JournalEntry:
    seq, at_ms, causation, correlation, event = head
    return JournalEntry(seq, event, effects_raw, at_ms, causation, correlation)


@dataclass(frozen=True, slots=True)
class JournalReader:
    """The entries of a run up to a seq, read again at each iteration: a journal may be larger than
    memory.
    """

    folder: Path
    seq_max: int

    def __iter__(self) -> Iterator[JournalEntry]:
        """Yield the entries, as ``entries`` does."""
        for entry in entries(self.folder):
            if entry.seq > self.seq_max:
                return
            yield entry


def journaled_now(folder: Path) -> JournalReader:
    """Return the entries that a run's journal has now, whatever is appended meanwhile."""
    seq = 0
    for entry in entries(folder):
        seq = entry.seq
    return JournalReader(folder, seq)


def setup_of(folder: Path, disk: Disk = OS_DISK) -> RunSetup | None:
    """Return the setup with which a run was started, or None where nothing was journaled yet.

    It stands in the first record; where the first file is gone, in the snapshots.
    """
    paths = segments(folder, disk)
    if paths and paths[0] != segment_path(folder, START.segment):
        found = load_snapshot(folder, disk=disk)
        if found is not None and found.setup is not None:
            return found.setup
    for entry in entries(folder, START, disk):
        if isinstance(entry.event, RunStarted):
            return entry.event.setup
        raise ExternalError(
            f"journal {folder} does not begin with RunStarted: move its folder away"
        )
    return None


def epochs(folder: Path, disk: Disk = OS_DISK) -> Iterator[Epoch]:
    """Yield the epochs of a run, oldest first: every start of the engine opens one."""
    for entry in entries(folder, START, disk):
        if isinstance(entry.event, RunStarted):
            setup = entry.event.setup
            yield Epoch(entry.seq, setup.hashes, setup.nonce)
        elif isinstance(entry.event, EngineStarted):
            yield Epoch(entry.seq, entry.event.hashes, entry.event.nonce)


class RunJournal:
    """Writes a run: each event before it is stepped, its effects after, both under one seq; a
    stretch, of which nothing leaves the process, as one record after it was stepped.

    sync_ms : see ``Writer``. end : where the journal ends, if known; otherwise all of it is read.
    """

    def __init__(
        self,
        folder: Path,
        sync_ms: int | None = 50,
        disk: Disk = OS_DISK,
        end: Position | None = None,
    ) -> None:
        if end is None:
            reader = RunReader(folder, START, disk)
            for _ in reader:
                pass
            end = reader.position
            require_format(f"journal {folder}", reader.version, JOURNAL_FORMAT)
        self._writer = Writer(folder, sync_ms, disk=disk, end=end)
        self._seq = self._records = 0  # of the newest effects
        self._stretch_seq = self._stretch_records = 0  # of the end of the newest stretch

    def event(
        self, seq: int, event: Event, at_ms: int = 0, causation: int = 0, correlation: int = 0
    ) -> None:
        """Append an event; see ``JournalEntry``."""
        self._writer.append(EVENT + _encode((seq, at_ms, causation, correlation, event)))

    def effects(self, seq: int, effects: list[Effect]) -> None:
        """Append an event's effects; an empty list too, which marks the step as finished."""
        self._writer.append(EFFECTS + _encode((seq, effects)))
        self._seq, self._records = seq, self._writer.records

    def stretch(self, stretch: BarsStretch) -> None:
        """Append many closing instants with their effects."""
        self._writer.append(STRETCH + _encode(stretch))
        self._seq, self._records = stretch.last_seq, self._writer.records
        self._stretch_seq, self._stretch_records = self._seq, self._records

    def durable(self, seq: int) -> Future[None]:
        """Return a future that is done once an event and its effects are on disk; both must have
        been appended.

        Its result raises ExternalError where the disk fails before. A live loop awaits it
        (``asyncio.wrap_future``); ``result()`` blocks.
        """
        if seq <= self._stretch_seq:
            return self._writer.durable(self._stretch_records)
        return self._writer.durable(self._records - 2 * (self._seq - seq))

    def write(self) -> None:
        """Write to the operating system: a killed process loses nothing."""
        self._writer.write()

    def sync(self) -> None:
        """Make everything durable."""
        self._writer.sync()

    @property
    def position(self) -> Position:
        """Return the end of the newest record: the anchor of a snapshot."""
        return self._writer.position

    def close(self) -> None:
        """Sync and close."""
        self._writer.close()
