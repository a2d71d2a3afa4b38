"""The journal of one run: events with their effects by seq, and snapshots of the state."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ares.domain.errors import ExternalError
from ares.domain.events import Effect, Event, RunStarted
from ares.domain.run import RunSetup
from ares.journal.log import Writer, read

EVENT = b"E"
EFFECTS = b"F"
_encode = msgspec.msgpack.Encoder().encode
_event = msgspec.msgpack.Decoder(tuple[int, Event])
_effects = msgspec.msgpack.Decoder(tuple[int, list[Effect]])


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One journaled event, and the bytes of its effects (None: a crash came before them)."""

    seq: int
    event: Event
    effects_raw: bytes | None

    @property
    def effects(self) -> list[Effect]:
        """Return the effects."""
        return [] if self.effects_raw is None else decode_effects(self.effects_raw)


def encode_effects(seq: int, effects: list[Effect]) -> bytes:
    """Return the canonical bytes of an event's effects."""
    return _encode((seq, effects))


def decode_effects(raw: bytes) -> list[Effect]:
    """Return the effects of ``encode_effects``; raises ExternalError where they are unknown."""
    try:
        return _effects.decode(raw)[1]
    except msgspec.DecodeError as error:
        raise ExternalError(
            f"the journal holds effects that this version of Ares does not know ({error}): use the"
            " version that wrote it"
        ) from error


def entries(folder: Path) -> Iterator[JournalEntry]:
    """Yield the entries of a run, verified; raises ExternalError where the journal is damaged."""
    pending: tuple[int, Event] | None = None
    for payload in read(folder):
        kind, body = payload[:1], payload[1:]
        if kind == EVENT and pending is None:
            pending = _decode_event(folder, body)
        elif kind == EFFECTS and pending is not None:
            yield JournalEntry(pending[0], pending[1], body)
            pending = None
        else:
            where = "begins" if pending is None else f"continues after event {pending[0]}"
            raise ExternalError(
                f"journal {folder} {where} with a record of the wrong kind: restore it from"
                " a backup"
            )
    if pending is not None:
        yield JournalEntry(pending[0], pending[1], None)


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


def _decode_event(folder: Path, body: bytes) -> tuple[int, Event]:
    try:
        return _event.decode(body)
    except msgspec.DecodeError as error:
        raise ExternalError(
            f"journal {folder} holds an event that this version of Ares does not know ({error}):"
            " use the version that wrote it"
        ) from error


def setup_of(folder: Path) -> RunSetup | None:
    """Return the setup of a run, or None where nothing was journaled yet."""
    for entry in entries(folder):
        if isinstance(entry.event, RunStarted):
            return entry.event.setup
        raise ExternalError(
            f"journal {folder} does not begin with RunStarted: move its folder away"
        )
    return None


class RunJournal:
    """Writes a run: each event before it is stepped, its effects after, both under one seq."""

    def __init__(self, folder: Path, sync_ms: int = 50) -> None:
        self._writer = Writer(folder, sync_ms)

    def event(self, seq: int, event: Event) -> None:
        """Append an event."""
        self._writer.append(EVENT + _encode((seq, event)))

    def effects(self, seq: int, effects: list[Effect]) -> None:
        """Append an event's effects; an empty list too, which marks the step as finished."""
        self._writer.append(EFFECTS + _encode((seq, effects)))

    def write(self) -> None:
        """Write to the operating system: a killed process loses nothing."""
        self._writer.write()

    def sync(self) -> None:
        """Make everything durable."""
        self._writer.sync()

    def close(self) -> None:
        """Sync and close."""
        self._writer.close()


def save_snapshot(folder: Path, seq: int, raw: bytes) -> str:
    """Write a snapshot, whole or not at all; return its SHA-256."""
    target = folder / "snapshots"
    target.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(raw).digest()
    path = target / f"{seq:012d}.snapshot"
    part = path.with_suffix(".part")
    try:
        with part.open("wb") as file:
            file.write(digest + raw)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ExternalError(f"cannot write {path}: {error.strerror}: free disk space") from error
    return digest.hex()


def delete_snapshots(folder: Path, seq_max: int = -1) -> None:
    """Remove the snapshots after ``seq_max``: they belong to another journal."""
    for path in _snapshots(folder):
        if int(path.stem) > seq_max:
            path.unlink()


def load_snapshot(folder: Path, seq_max: int | None = None) -> tuple[int, bytes] | None:
    """Return the newest whole snapshot (at or before ``seq_max``) and its seq.

    A damaged one is skipped: an older one and a longer tail give the same state.
    """
    for path in reversed(_snapshots(folder)):
        seq = int(path.stem)
        if seq_max is not None and seq > seq_max:
            continue
        try:
            raw = path.read_bytes()
        except OSError:
            continue
        if hashlib.sha256(raw[32:]).digest() == raw[:32]:
            return seq, raw[32:]
    return None


def _snapshots(folder: Path) -> list[Path]:
    """Return the snapshot files, oldest first."""
    return sorted((folder / "snapshots").glob(12 * "[0-9]" + ".snapshot"))
