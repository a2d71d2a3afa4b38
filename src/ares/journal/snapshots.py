"""Snapshots of a run's state, each anchored in the journal, with the setup that the run has.

The newest ones are for starts. Of the older ones few are kept: for `ares why`, certifying, tables.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from ares.domain.errors import ExternalError
from ares.domain.run import RunSetup
from ares.journal.disk import OS_DISK, Disk
from ares.journal.log import START, Position, contains

SUFFIX = ".snapshot"
KEPT = "-kept"
NAME_DIGITS = 12
HASH_BYTES = 32

NEWEST_KEPT = 8
STRETCH_EVENTS = 50_000
"""Of older snapshots the first in so many events is kept."""


class StoredSnapshot(msgspec.Struct, frozen=True):
    """A state as bytes.

    seq    : of the newest event in it.
    anchor : where the journal ended then. What follows is stepped.
    setup  : of the run, as far as it was changed by then; None: that of the first record.
    state  : the bytes, see ``core.snapshot``.
    hashes : of the code of the epoch in which it was made; None: written before they were kept.
    restarted : statistics that began anew in it, for the epoch that follows.
    """

    seq: int
    anchor: Position
    setup: RunSetup | None
    state: bytes
    hashes: dict[str, str] | None = None
    restarted: tuple[str, ...] = ()


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(StoredSnapshot).decode


def save_snapshot(
    folder: Path,
    seq: int,
    state: bytes,
    anchor: Position = START,
    setup: RunSetup | None = None,
    disk: Disk = OS_DISK,
    hashes: dict[str, str] | None = None,
    *,
    is_kept: bool = False,
    restarted: tuple[str, ...] = (),
) -> None:
    """Write a snapshot, durable, whole or not at all; remove old ones, see ``thin_out``.

    The journal must be durable up to ``anchor`` before. Raises ExternalError where it cannot be
    written.

    hashes  : of the newest epoch's code; without them the next start reads the whole journal.
    is_kept : never removed: an epoch ends here, from which another version may go on.
    restarted : see ``StoredSnapshot``.
    """
    path = _path(folder, seq, is_kept=is_kept)
    raw = _encode(StoredSnapshot(seq, anchor, setup, state, hashes, restarted))
    try:
        disk.make_folder(path.parent)
        disk.write_whole(path, hashlib.sha256(raw).digest() + raw)
    except OSError as error:
        raise ExternalError(f"cannot write {path}: {error.strerror}: free disk space") from error
    thin_out(folder, disk)


def thin_out(folder: Path, disk: Disk = OS_DISK) -> None:
    """Remove all but the newest snapshots, the first in every stretch of events and those that are
    to be kept.
    """
    stretches = set[int]()
    paths = _paths(folder, disk)
    for path in paths[:-NEWEST_KEPT]:
        stretch = _seq(path) // STRETCH_EVENTS
        if stretch in stretches and not path.stem.endswith(KEPT):
            with suppress(OSError):
                disk.remove(path)
        stretches.add(stretch)


def snapshots(
    folder: Path, seq_max: int | None = None, disk: Disk = OS_DISK
) -> Iterator[StoredSnapshot]:
    """Yield the whole snapshots at or before ``seq_max``, newest first.

    Damaged ones, and those of older formats, are left out: an older snapshot and a longer tail
    give the same state.
    """
    for path in reversed(_paths(folder, disk)):
        if seq_max is not None and _seq(path) > seq_max:
            continue
        found = _read(path, disk)
        if found is not None:
            yield found


def load_snapshot(
    folder: Path, seq_max: int | None = None, disk: Disk = OS_DISK
) -> StoredSnapshot | None:
    """Return the newest whole snapshot (at or before ``seq_max``), wherever it is anchored."""
    return next(snapshots(folder, seq_max, disk), None)


def anchored_snapshot(
    folder: Path, seq_max: int | None = None, disk: Disk = OS_DISK
) -> StoredSnapshot | None:
    """Return the newest whole snapshot (at or before ``seq_max``) that is one of this journal.

    The others are of the future (the journal was restored from a backup), or of another run.
    """
    found = snapshots(folder, seq_max, disk)
    return next((s for s in found if contains(folder, s.anchor, disk)), None)


def delete_snapshots(folder: Path, seq_max: int = -1, disk: Disk = OS_DISK) -> None:
    """Remove the snapshots after ``seq_max``: they belong to another journal."""
    for path in _paths(folder, disk):
        if _seq(path) > seq_max:
            with suppress(OSError):
                disk.remove(path)


def delete_foreign(folder: Path, seq_max: int, disk: Disk = OS_DISK, seq_checked: int = 0) -> None:
    """Remove the snapshots after ``seq_max`` and those that the journal does not contain.

    seq_checked : of one that it does contain: those before are not read.
    """
    delete_snapshots(folder, seq_max, disk)
    for path in _paths(folder, disk):
        found = _read(path, disk) if _seq(path) > seq_checked else None
        if found is not None and not contains(folder, found.anchor, disk):
            with suppress(OSError):
                disk.remove(path)


def count_snapshots(folder: Path, disk: Disk = OS_DISK) -> tuple[int, list[Path]]:
    """Return how many snapshots there are, and those that are damaged or of an older format."""
    paths = _paths(folder, disk)
    return len(paths), [path for path in paths if _read(path, disk) is None]


def _read(path: Path, disk: Disk) -> StoredSnapshot | None:
    try:
        raw = disk.read(path)
    except OSError:
        return None
    if hashlib.sha256(raw[HASH_BYTES:]).digest() != raw[:HASH_BYTES]:
        return None
    try:
        return _decode(raw[HASH_BYTES:])
    except msgspec.DecodeError:
        return None


def _path(folder: Path, seq: int, *, is_kept: bool) -> Path:
    name = f"{seq:0{NAME_DIGITS}d}{KEPT if is_kept else ''}{SUFFIX}"
    return folder / "snapshots" / name


def _seq(path: Path) -> int:
    return int(path.stem[:NAME_DIGITS])


def _paths(folder: Path, disk: Disk) -> list[Path]:
    """Return the snapshot files, oldest first; of one event, that at the end of its epoch last."""
    paths = sorted(disk.files(folder / "snapshots", SUFFIX), key=lambda path: path.stem)
    return [p for p in paths if re.fullmatch(rf"\d{{{NAME_DIGITS}}}({KEPT})?", p.stem)]
