"""Verifies a whole journal: at once for a person, or in the background of a running engine."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ares.domain.errors import ExternalError
from ares.domain.formats import JOURNAL_FORMATS_READ
from ares.journal.disk import OS_DISK, Disk
from ares.journal.log import (
    HEAD,
    LENGTH_MASK,
    START,
    JournalDamaged,
    Position,
    Reader,
    chain,
    genesis,
    segments,
)

SEARCH_BYTES_MAX = 2_048
"""A longer record is searched for one flipped bit, not for one changed byte."""
BIT_SEARCH_BYTES_MAX = 32_768
PAUSE_RECORDS = 256
PAUSE_S = 0.001
NICE = 19


@dataclass(frozen=True, slots=True)
class JournalCheck:
    """What was found in a journal's files.

    records : verified, up to the damage or the end. segments, bytes: of the whole journal.
    torn_bytes : of an unfinished record at the end, as a crash leaves it.
    file, byte : of the first byte that was changed; where it cannot be told, of its record.
    record  : the byte at which its record begins. None, all three: the journal is whole.
    """

    records: int
    segments: int
    bytes: int
    torn_bytes: int = 0
    file: str | None = None
    byte: int | None = None
    record: int | None = None

    @property
    def whole(self) -> bool:
        """Return whether nothing is damaged."""
        return self.file is None


def verify(folder: Path, disk: Disk = OS_DISK) -> JournalCheck:
    """Verify every record of a journal.

    Raises ExternalError where a file cannot be read, UserError for a format that is not known.
    """
    paths = segments(folder, disk)
    size = sum(disk.size(path) for path in paths)
    reader = Reader(folder, START, disk)
    try:
        for _ in reader:
            pass
    except JournalDamaged as damage:
        changed = changed_byte(damage, reader, disk)
        return JournalCheck(
            reader.records, len(paths), size, 0, damage.path.name, changed, damage.offset
        )
    return JournalCheck(reader.records, len(paths), size, reader.torn_bytes)


def changed_byte(damage: JournalDamaged, reader: Reader, disk: Disk = OS_DISK) -> int:
    """Return the offset of the byte that was changed in a damaged record.

    It is found where exactly one byte of the record differs from what its hash, its length or the
    complement of its length say. Otherwise this is the offset of the record.
    """
    raw = disk.read(damage.path, damage.offset, HEAD.size + BIT_SEARCH_BYTES_MAX)
    if len(raw) < HEAD.size:
        return damage.offset
    befores = [reader.chain] if reader.records else [genesis(v) for v in JOURNAL_FORMATS_READ]
    length, complement, wanted = HEAD.unpack_from(raw)
    if length ^ complement != LENGTH_MASK:
        return damage.offset + _changed_length(raw, befores)
    payload = raw[HEAD.size : HEAD.size + length]
    if len(payload) < length:
        return damage.offset
    for before in befores:
        differing = [k for k in range(16) if chain(before, payload)[k] != wanted[k]]
        if len(differing) == 1:
            return damage.offset + 8 + differing[0]
    for before in befores:
        for k in range(length):
            if any(chain(before, other) == wanted for other in _with_changed(payload, k)):
                return damage.offset + HEAD.size + k
    return damage.offset


def _changed_length(raw: bytes, befores: list[bytes]) -> int:
    """Return the offset of the changed byte in a record whose length and complement disagree."""
    length, complement, wanted = HEAD.unpack_from(raw)
    for right, first in ((complement ^ LENGTH_MASK, 0), (length, 4)):
        payload = raw[HEAD.size : HEAD.size + right]
        if len(payload) == right and any(chain(b, payload) == wanted for b in befores):
            differing = (length ^ complement ^ LENGTH_MASK).to_bytes(4, "little")
            return first + next(k for k in range(4) if differing[k])
    return 0


def _with_changed(payload: bytes, k: int) -> Iterator[bytes]:
    """Yield the payload with byte ``k`` changed: to every other value, or by one bit."""
    every = len(payload) <= SEARCH_BYTES_MAX
    head, tail = payload[:k], payload[k + 1 :]
    for mask in range(1, 256) if every else (1 << bit for bit in range(8)):
        yield head + bytes((payload[k] ^ mask,)) + tail


class BackgroundCheck:
    """Verifies the part of a journal that a start did not read, in a thread of low priority.

    end : where that part ends: the position from which the start read on.
    report : called once, from the thread, with the error if there is one, else None.
    """

    def __init__(
        self,
        folder: Path,
        end: Position,
        report: Callable[[ExternalError | None], None],
        disk: Disk = OS_DISK,
    ) -> None:
        self._folder, self._end, self._report, self._disk = folder, end, report, disk
        self._stopped = threading.Event()
        self.records = 0
        self._thread = threading.Thread(target=self._verify, name="journal-check", daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until it has finished."""
        self._thread.join(timeout_s)

    def stop(self) -> None:
        """End it early; it reports nothing then."""
        self._stopped.set()
        self._thread.join()

    def _verify(self) -> None:
        with suppress(OSError, AttributeError):  # not every system has priorities by thread
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        error: ExternalError | None = None
        try:
            error = self._differing()
        except ExternalError as found:
            error = found
        if not self._stopped.is_set():
            self._report(error)

    def _differing(self) -> ExternalError | None:
        """Return what is wrong; raises it where a record is damaged."""
        if self._end.records == 0:
            return None
        reader = Reader(self._folder, START, self._disk)
        for _ in reader:
            self.records = reader.records
            if reader.records == self._end.records:
                break
            if reader.records % PAUSE_RECORDS == 0:
                if self._stopped.is_set():
                    return None
                time.sleep(PAUSE_S)  # lets the engine's thread run
        if reader.position == self._end:
            return None
        return ExternalError(
            f"journal {self._folder} is not the one that its snapshots were made from: it differs"
            f" before record {self._end.records}; restore it from a backup"
        )
