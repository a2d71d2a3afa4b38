"""The journal's files: chained records, appended, synced in groups, verified on reading.

A record is ``length | its complement (4 bytes each, little endian) | hash (16 bytes) | payload``.
Each hash covers the one before it, so that a changed, missing or moved byte is found at its record.
A crash can only leave an unfinished last record, or zeros in its place; opening for writing cuts it
off, because it was never synced. A length counts only with its complement: otherwise a flipped bit
in it would look like an unfinished record, and all that follows would be cut off too.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ares.domain.errors import AresError, ExternalError
from ares.domain.formats import JOURNAL_FORMAT, wrong_format

HEAD = struct.Struct("<II16s")
LENGTH_MASK = 0xFFFFFFFF
SEGMENT_BYTES_MAX = 64 * 1024 * 1024
BUFFER_BYTES_MAX = 256 * 1024


def genesis(version: int) -> bytes:
    """Return the hash before the first record of a journal of this format."""
    return hashlib.blake2b(f"ares journal {version}".encode(), digest_size=16).digest()


GENESIS = genesis(JOURNAL_FORMAT)
FORMATS_KNOWN = 64
"""Formats by whose number a journal of another version is recognised."""


def segments(folder: Path) -> list[Path]:
    """Return the journal's files, oldest first."""
    return sorted(folder.glob("*.journal"))


def chain(before: bytes, payload: bytes) -> bytes:
    """Return the hash of a payload that follows ``before``."""
    return hashlib.blake2b(before + payload, digest_size=16).digest()


def read(folder: Path) -> Iterator[bytes]:
    """Yield every payload, oldest first.

    An unfinished last record ends the journal. Raises ExternalError, with file and offset, where a
    record does not follow from the one before it; UserError for a journal of another format.
    """
    for payload, _, _, _ in _records(folder):
        yield payload


def _records(folder: Path) -> Iterator[tuple[bytes, bytes, Path, int]]:
    """Yield (payload, hash, file, offset of the record's end)."""
    before = GENESIS
    files = segments(folder)
    for number, path in enumerate(files):
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise ExternalError(f"cannot read the journal {path}: {error.strerror}") from error
        at = 0
        while at < len(raw):
            end = at + HEAD.size
            if end <= len(raw):
                length, complement, wanted = HEAD.unpack_from(raw, at)
                if length ^ complement == LENGTH_MASK:
                    end += length
                elif any(raw[at:]):
                    raise _corrupt(path, at)
                else:
                    end = len(raw) + 1  # zeros: space allocated for a record that was not written
            if end > len(raw):
                if number == len(files) - 1:
                    return
                raise _corrupt(path, at)
            payload = raw[at + HEAD.size : end]
            link = chain(before, payload)
            if link != wanted:
                raise _mismatch(path, at, payload, wanted, first=before == GENESIS)
            before = link
            yield payload, before, path, end
            at = end


def _mismatch(path: Path, at: int, payload: bytes, wanted: bytes, *, first: bool) -> AresError:
    """Return what is wrong with a record whose hash is not the expected one."""
    if first:
        for version in range(1, FORMATS_KNOWN):
            if chain(genesis(version), payload) == wanted:
                return wrong_format(f"journal {path.parent}", version, JOURNAL_FORMAT)
    return _corrupt(path, at)


def _corrupt(path: Path, at: int) -> ExternalError:
    return ExternalError(
        f"journal {path} is damaged at byte {at}: restore it from a backup, or move its folder away"
        " to start anew"
    )


class Lock:
    """One writer per folder, held by the operating system until the process ends.

    who, advice : name of the first writer, and advice, in the message to a second one.
    """

    def __init__(
        self,
        folder: Path,
        who: str = "another engine",
        advice: str = "stop it first, or use another --run name",
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = (folder / "lock").open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.seek(0)
            owner = self._file.read().strip() or "unknown"
            self._file.close()
            raise _locked(folder, who, owner, advice) from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Let another writer in."""
        self._file.close()


def require_free(folder: Path, who: str, advice: str) -> None:
    """Raise ExternalError, as a Lock would, where the lock is held; nothing is written.

    Raises OSError where the lock cannot be read.
    """
    try:
        file = (folder / "lock").open()
    except FileNotFoundError:
        return  # it was never held
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _locked(folder, who, file.read().strip() or "unknown", advice) from None


def _locked(folder: Path, who: str, owner: str, advice: str) -> ExternalError:
    return ExternalError(f"{who} (process {owner}) runs in {folder}: {advice}")


class Writer:
    """Appends payloads to the chain; ``sync`` makes them durable.

    sync_ms : appended records are synced at the latest after this long (at the next append).
    segment_bytes_max : a larger file is followed by a new file.
    """

    def __init__(
        self, folder: Path, sync_ms: int = 50, segment_bytes_max: int = SEGMENT_BYTES_MAX
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._sync_s = sync_ms / 1000.0
        self._segment_bytes_max = segment_bytes_max
        self._before = GENESIS
        self._buffer = bytearray()
        self._broken = False
        self.records = 0
        path, end = folder / "000001.journal", 0
        for _, before, file, record_end in _records(folder):
            self._before, path, end = before, file, record_end
            self.records += 1
        files = segments(folder)
        if files and path != files[-1]:  # the newest segment holds no whole record
            path, end = files[-1], 0
        self._open(path, end)
        self._synced_s = time.monotonic()

    def _open(self, path: Path, end: int) -> None:
        try:
            self._file = path.open("ab", buffering=0)
            self._file.truncate(end)
            self._size = end
            directory = os.open(self._folder, os.O_RDONLY)
            os.fsync(directory)
            os.close(directory)
        except OSError as error:
            raise _unwritable(path, error) from error
        self._path = path

    def append(self, payload: bytes) -> None:
        """Append one record, durable after the next ``sync``; ExternalError where it fails."""
        self._before = chain(self._before, payload)
        length = len(payload)
        self._buffer += HEAD.pack(length, length ^ LENGTH_MASK, self._before)
        self._buffer += payload
        self.records += 1
        if time.monotonic() - self._synced_s >= self._sync_s:
            self.sync()
        elif len(self._buffer) > BUFFER_BYTES_MAX:
            self.write()

    def sync(self) -> None:
        """Make everything appended durable. Raises ExternalError where the disk fails."""
        self.write()
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            self._broken = True
            raise _unwritable(self._path, error) from error
        self._synced_s = time.monotonic()
        if self._size > self._segment_bytes_max:
            self._file.close()
            self._open(self._folder / f"{int(self._path.stem) + 1:06d}.journal", 0)

    def write(self) -> None:
        """Hand what is buffered to the operating system.

        Once that failed, nothing is written after the gap.
        """
        if self._broken:
            raise ExternalError(
                f"the journal {self._path} could not be written: free disk space and start again"
            )
        left = memoryview(self._buffer)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            self._broken = True
            raise _unwritable(self._path, error) from error
        finally:
            left.release()
        self._size += len(self._buffer)
        self._buffer.clear()

    @property
    def head(self) -> bytes:
        """Return the chain's newest hash."""
        return self._before

    def close(self) -> None:
        """Sync and close; after a failure only close: its error was raised before."""
        try:
            if not self._broken:
                self.sync()
        finally:
            self._file.close()


def _unwritable(path: Path, error: OSError) -> ExternalError:
    return ExternalError(
        f"cannot write the journal {path}: {error.strerror}; the engine stopped, nothing that"
        " was journaled is lost: free disk space and start again"
    )
