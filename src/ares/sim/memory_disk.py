"""A disk in memory that loses what was not synced, tears writes at any byte, and can be full.

A crash keeps what was synced, and of what was not a prefix: of each file's bytes, and of the names
in its folders. The sectors after that prefix may be zeros: allocated, and not written.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from random import Random

SECTOR_BYTES = 512

Operation = Callable[[str, Path], None]
"""Called before every operation with its name and file; may raise to end the process there."""


def _nothing(_operation: str, _path: Path) -> None:
    return


class _Content:
    """A file's bytes; the first ``synced`` of them survive every crash."""

    def __init__(self) -> None:
        self.raw = bytearray()
        self.synced = 0


class MemoryFile:
    """A file of a ``MemoryDisk``, open for appending."""

    def __init__(self, disk: MemoryDisk, path: Path, content: _Content) -> None:
        self._disk, self._path, self._content = disk, path, content

    def write(self, raw: bytes | memoryview) -> int:
        """Append what there is room for; OSError where there is none."""
        self._disk.before("write", self._path)
        taken = self._disk.take(len(raw))
        self._content.raw += raw[:taken]
        return taken

    def sync(self) -> None:
        """Make its bytes durable."""
        self._disk.before("sync", self._path)
        self._disk.require_working()
        self._content.synced = len(self._content.raw)

    def close(self) -> None:
        """Close it."""


class MemoryDisk:
    """A disk as ``journal.disk.Disk`` describes it.

    before : called before every operation.
    room   : bytes that can still be written; None: without end.
    broken : every sync fails.
    """

    def __init__(self, before: Operation = _nothing, room: int | None = None) -> None:
        self.before = before
        self.room = room
        self.broken = False
        self._files: dict[Path, _Content] = {}
        self._durable: dict[Path, _Content] = {}
        self._changes: list[tuple[Path, _Content | None]] = []

    # --- what a journal uses -------------------------------------------------------------------

    def make_folder(self, folder: Path) -> None:
        """Do nothing: folders are there."""

    def files(self, folder: Path, suffix: str) -> list[Path]:
        """Return the files of a folder with a suffix, by name."""
        return sorted(p for p in self._files if p.parent == folder and p.suffix == suffix)

    def size(self, path: Path) -> int:
        """Return a file's size in bytes."""
        return len(self._content(path).raw)

    def read(self, path: Path, offset: int = 0, size: int = -1) -> bytes:
        """Return up to ``size`` bytes from ``offset`` on; -1: all."""
        raw = self._content(path).raw
        return bytes(raw[offset:] if size < 0 else raw[offset : offset + size])

    def append(self, path: Path, size: int) -> MemoryFile:
        """Open a file for appending, cut to ``size`` bytes; durable in its folder."""
        self.before("append", path)
        content = self._files.get(path)
        if content is None:
            self.take(0)
            content = _Content()
            self._name(path, content)
        del content.raw[size:]
        content.synced = min(content.synced, size)
        self._sync_names(path)
        return MemoryFile(self, path, content)

    def write_whole(self, path: Path, raw: bytes) -> None:
        """Write a durable file, whole or not at all, in place of an older one."""
        self.before("write", path)
        if self.take(len(raw)) < len(raw):
            raise _full(path)
        self.before("sync", path)
        self.require_working()
        content = _Content()
        content.raw += raw
        content.synced = len(raw)
        self.before("replace", path)
        self._name(path, content)
        self._sync_names(path)

    def remove(self, path: Path) -> None:
        """Remove a file."""
        self.before("remove", path)
        self._content(path)
        self._name(path, None)

    # --- what a test does with it --------------------------------------------------------------

    def crash(self, draw: Random) -> None:
        """Lose a part of what was not synced; the disk works again, with room."""
        files = dict(self._durable)
        for path, content in self._changes[: draw.randint(0, len(self._changes))]:
            _apply(files, path, content)
        for content in {id(c): c for c in files.values()}.values():
            size = len(content.raw)
            kept = draw.randint(content.synced, size)
            sector = -(-kept // SECTOR_BYTES) * SECTOR_BYTES
            if draw.random() < 0.25 and size > sector:
                content.raw[sector:] = bytes(size - sector)
            else:
                del content.raw[kept:]
            content.synced = len(content.raw)
        self._files, self._durable, self._changes = files, dict(files), []
        self.room, self.broken = None, False

    def change(self, path: Path, offset: int, mask: int) -> None:
        """Change the bits of ``mask`` in one byte of a file."""
        self._content(path).raw[offset] ^= mask

    def put(self, path: Path, raw: bytes) -> None:
        """Have a durable file with these bytes."""
        content = _Content()
        content.raw += raw
        content.synced = len(raw)
        self._files[path] = self._durable[path] = content

    def take(self, size: int) -> int:
        """Return how many of ``size`` bytes there is room for; OSError where there is none."""
        if self.room is None:
            return size
        if self.room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = min(size, self.room)
        self.room -= taken
        return taken

    def require_working(self) -> None:
        """Raise OSError where the disk is broken."""
        if self.broken:
            raise OSError(errno.EIO, "Input/output error")

    def _content(self, path: Path) -> _Content:
        if path not in self._files:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        return self._files[path]

    def _name(self, path: Path, content: _Content | None) -> None:
        """Change what a name stands for; durable with the next sync of its folder."""
        self._changes.append((path, content))
        _apply(self._files, path, content)

    def _sync_names(self, path: Path) -> None:
        self.before("sync_folder", path.parent)
        self.require_working()
        for changed, content in self._changes:
            _apply(self._durable, changed, content)
        self._changes = []


def _apply(files: dict[Path, _Content], path: Path, content: _Content | None) -> None:
    if content is None:
        files.pop(path, None)
    else:
        files[path] = content


def _full(path: Path) -> OSError:
    return OSError(errno.ENOSPC, "No space left on device", str(path))
