"""The journal of one run: events with their effects by seq, and snapshots of the state."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ares.domain.errors import WorldTrouble
from ares.domain.events import Effect, Event, RunStarted
from ares.domain.run import RunSetup
from ares.journal.log import Writer, read, segments

EVENT = b"E"
EFFECTS = b"F"
_encode = msgspec.msgpack.Encoder().encode
_event = msgspec.msgpack.Decoder(tuple[int, Event])
_effects = msgspec.msgpack.Decoder(tuple[int, list[Effect]])


@dataclass(frozen=True, slots=True)
class Entry:
    """One journaled event, and the bytes of what ``step`` answered (None: the crash came first)."""

    seq: int
    event: Event
    effects_raw: bytes | None

    @property
    def effects(self) -> list[Effect]:
        """Return the effects."""
        return [] if self.effects_raw is None else _effects.decode(self.effects_raw)[1]


def encode_effects(seq: int, effects: list[Effect]) -> bytes:
    """Return the canonical bytes of an event's effects."""
    return _encode((seq, effects))


def entries(folder: Path) -> Iterator[Entry]:
    """Yield the entries of a run, verified; raises WorldTrouble where the journal is damaged."""
    pending: tuple[int, Event] | None = None
    for payload in read(folder):
        kind, body = payload[:1], payload[1:]
        if kind == EVENT:
            if pending is not None:
                raise WorldTrouble(f"journal {folder}: event {pending[0]} has no effects")
            pending = _event.decode(body)
        elif pending is not None:
            yield Entry(pending[0], pending[1], body)
            pending = None
    if pending is not None:
        yield Entry(pending[0], pending[1], None)


def setup_of(folder: Path) -> RunSetup | None:
    """Return what a run is made of, or None where nothing was journaled yet."""
    if not segments(folder):
        return None
    for entry in entries(folder):
        if isinstance(entry.event, RunStarted):
            return entry.event.setup
        break
    return None


class RunJournal:
    """Writes a run: the event before it is stepped, its effects after, both under one seq."""

    def __init__(self, folder: Path, sync_ms: int = 50) -> None:
        self._writer = Writer(folder, sync_ms)

    def event(self, seq: int, event: Event) -> None:
        """Append an event."""
        self._writer.append(EVENT + _encode((seq, event)))

    def effects(self, seq: int, effects: list[Effect]) -> None:
        """Append what the event led to (an empty list too: it says that the step was finished)."""
        self._writer.append(EFFECTS + _encode((seq, effects)))

    def sync(self) -> None:
        """Make everything durable: before any command leaves."""
        self._writer.sync()

    def close(self) -> None:
        """Sync and close."""
        self._writer.close()


def save_snapshot(folder: Path, seq: int, raw: bytes) -> str:
    """Write a snapshot so that it is there whole or not at all; return its SHA-256."""
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
    except OSError as trouble:
        raise WorldTrouble(f"cannot write {path}: {trouble.strerror}: make room") from trouble
    return digest.hex()


def load_snapshot(folder: Path, seq_max: int | None = None) -> tuple[int, bytes] | None:
    """Return the newest whole snapshot (at or before ``seq_max``) and its seq.

    A damaged one is passed over: an older one and a longer tail give the same state.
    """
    for path in sorted((folder / "snapshots").glob("*.snapshot"), reverse=True):
        seq = int(path.stem)
        if seq_max is not None and seq > seq_max:
            continue
        raw = path.read_bytes()
        if hashlib.sha256(raw[32:]).digest() == raw[:32]:
            return seq, raw[32:]
    return None
