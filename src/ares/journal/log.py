"""The journal's files: chained records, verified on reading, from any position on.

A record is ``length | its complement (4 bytes each, little endian) | hash (16 bytes) | payload``.
Each hash covers the one before it, so that a changed, missing or moved byte is found at its record.
A crash can only leave an unfinished last record, or zeros from some sector on; opening for writing
cuts it off, because it was never synced. A length counts only with its complement: otherwise a
flipped bit in it would look like an unfinished record, and all that follows would be cut off too.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ares.domain.errors import AresError, ExternalError
from ares.domain.formats import JOURNAL_FORMAT, JOURNAL_FORMATS_READ, wrong_format
from ares.journal.disk import OS_DISK, Disk

_blake2b = hashlib.blake2b
HEAD = struct.Struct("<II16s")
LENGTH_MASK = 0xFFFFFFFF
CHUNK_BYTES = 1024 * 1024
SUFFIX = ".journal"
SECTOR_BYTES = 512


def genesis(version: int) -> bytes:
    """Return the hash before the first record of a journal of this format."""
    return hashlib.blake2b(f"ares journal {version}".encode(), digest_size=16).digest()


GENESIS = genesis(JOURNAL_FORMAT)
FORMATS_KNOWN = 64
"""Formats by whose number a journal of another version is recognised."""


class Position(msgspec.Struct, frozen=True):
    """A place in a journal: the end of a record.

    segment, offset : number of the file, and the byte at which the record ends.
    chain   : the record's hash; empty before the first record.
    records : how many there are up to it.
    length  : of its payload.
    """

    segment: int = 1
    offset: int = 0
    chain: bytes = b""
    records: int = 0
    length: int = 0


START = Position()


def segment_path(folder: Path, number: int) -> Path:
    """Return the path of a journal's file."""
    return folder / f"{number:06d}{SUFFIX}"


def segments(folder: Path, disk: Disk = OS_DISK) -> list[Path]:
    """Return the journal's files, oldest first."""
    return disk.files(folder, SUFFIX)


def chain(before: bytes, payload: bytes) -> bytes:
    """Return the hash of a payload that follows ``before``."""
    return _blake2b(before + payload, digest_size=16).digest()


def contains(folder: Path, position: Position, disk: Disk = OS_DISK) -> bool:
    """Return whether the journal has the record that ends at a position, by its hash.

    Whether that hash is right is not verified.
    """
    if position.records == 0:
        return True
    head = position.offset - position.length - HEAD.size
    path = segment_path(folder, position.segment)
    try:
        if disk.size(path) < position.offset:
            return False
        raw = disk.read(path, head, HEAD.size)
    except OSError:
        return False
    length, wanted = position.length, position.chain
    return raw == HEAD.pack(length, length ^ LENGTH_MASK, wanted)


def read(folder: Path, start: Position = START, disk: Disk = OS_DISK) -> Iterator[bytes]:
    """Yield every payload after ``start``, oldest first; see ``Reader``."""
    return iter(Reader(folder, start, disk))


def _ends_in_zeros(raw: bytes, at: int, base: int, end: int) -> bool:
    """Return whether a file ends in zeros, from a sector within a record on: a crash came before
    they were written. Fewer than ``ZEROS_MIN`` of them may be content.

    raw : to the end of the file; base : offset of its first byte. at, end : of the record in it.
    """
    first_zero = base + len(raw.rstrip(b"\0"))
    sector = -(-max(first_zero, base + at) // SECTOR_BYTES) * SECTOR_BYTES
    return sector < base + min(end, len(raw))


class Reader:
    """Reads a journal's payloads from a position on, and verifies the chain from there.

    An unfinished last record ends the journal. Iterating raises ExternalError, with file and
    offset, where a record does not follow from the one before it; UserError for a journal of a
    format that this version does not read.

    version : format of the journal, known once a record was read.
    torn_bytes : of the unfinished record at the end, once that was reached.
    """

    def __init__(self, folder: Path, start: Position = START, disk: Disk = OS_DISK) -> None:
        self._folder = folder
        self._disk = disk
        self._segment, self._offset = start.segment, start.offset
        self._length = start.length
        self.chain = start.chain or GENESIS
        self.records = start.records
        self.version = JOURNAL_FORMAT
        self.torn_bytes = 0

    @property
    def position(self) -> Position:
        """Return the end of the newest record read."""
        if self.records == 0:
            return START
        return Position(self._segment, self._offset, self.chain, self.records, self._length)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the payloads, oldest first."""
        paths = [p for p in segments(self._folder, self._disk) if number_of(p) >= self._segment]
        for path in paths:
            offset = self._offset if number_of(path) == self._segment else 0
            yield from self._payloads(path, offset, is_last=path == paths[-1])

    def _payloads(self, path: Path, base: int, *, is_last: bool) -> Iterator[bytes]:
        """Yield the payloads of a file; ``base`` is the offset of the bytes in memory."""
        number, size, unpack = number_of(path), HEAD.size, HEAD.unpack_from
        raw, at, ended = self._bytes(path, base, CHUNK_BYTES), 0, False
        while True:
            end = at + size
            if end <= len(raw):
                length, complement, wanted = unpack(raw, at)
                if length ^ complement == LENGTH_MASK:
                    end += length
                elif (
                    ended
                    and any(memoryview(raw)[at:])
                    and not (is_last and _ends_in_zeros(raw, at, base, end))
                ):
                    raise JournalDamaged(path, base + at)
                else:
                    end = len(raw) + 1  # zeros: space allocated for a record that was not written
            if end > len(raw):
                if ended:
                    break
                more = self._bytes(path, base + len(raw), max(CHUNK_BYTES, end - len(raw)))
                base, raw, at, ended = base + at, raw[at:] + more, 0, not more
                continue
            payload = raw[at + size : end]
            link = chain(self.chain, payload)
            if link != wanted:
                if is_last and payload[-1:] == b"\0":
                    raw += self._bytes(path, base + len(raw), -1)
                    if _ends_in_zeros(raw, at, base, end):
                        break
                link = self._other_format(path, base + at, payload, wanted)
            self.chain, self._segment, self._offset, self._length = (
                link, number, base + end, length,
            )  # fmt: skip
            self.records += 1
            yield payload
            at = end
        if at < len(raw) and not is_last:
            raise JournalDamaged(path, base + at)
        self.torn_bytes = len(raw) - at

    def _bytes(self, path: Path, offset: int, size: int) -> bytes:
        try:
            return self._disk.read(path, offset, size)
        except OSError as error:
            raise ExternalError(f"cannot read the journal {path}: {error.strerror}") from error

    def _other_format(self, path: Path, at: int, payload: bytes, wanted: bytes) -> bytes:
        """Return the hash of the first record of a journal of an older format.

        Raises what is wrong with any other record whose hash is not the expected one.
        """
        if self.records == 0:
            for version in range(1, FORMATS_KNOWN):
                if chain(genesis(version), payload) == wanted:
                    if version not in JOURNAL_FORMATS_READ:
                        raise _refused(self._folder, version)
                    self.version = version
                    return wanted
        raise JournalDamaged(path, at)


def _refused(folder: Path, version: int) -> AresError:
    return wrong_format(f"journal {folder}", version, JOURNAL_FORMAT)


def number_of(path: Path) -> int:
    """Return the number of a journal's file."""
    return int(path.stem) if path.stem.isdigit() else 0


class JournalDamaged(ExternalError):
    """A record does not follow from the one before it.

    path, offset : file, and the byte at which the record begins.
    """

    def __init__(self, path: Path, offset: int) -> None:
        super().__init__(
            f"journal {path} is damaged at byte {offset}: restore it from a backup, or move its"
            " folder away to start anew"
        )
        self.path, self.offset = path, offset
