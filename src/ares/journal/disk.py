"""The disk as journals and snapshots use it, so that a test can take its place with another."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol


class DiskFile(Protocol):
    """A file to which bytes are appended. Every method may raise OSError."""

    def write(self, raw: bytes | memoryview) -> int:
        """Append bytes; return how many were taken, which may be fewer."""
        ...

    def sync(self) -> None:
        """Make the file's bytes durable."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class Disk(Protocol):
    """What journals and snapshots need of a disk. Every method may raise OSError."""

    def make_folder(self, folder: Path) -> None:
        """Make a folder and those above it, where they are not there."""
        ...

    def files(self, folder: Path, suffix: str) -> list[Path]:
        """Return the files of a folder with a suffix, by name; none where there is no folder."""
        ...

    def size(self, path: Path) -> int:
        """Return a file's size in bytes."""
        ...

    def read(self, path: Path, offset: int = 0, size: int = -1) -> bytes:
        """Return up to ``size`` bytes from ``offset`` on; -1: all."""
        ...

    def append(self, path: Path, size: int) -> DiskFile:
        """Open a file for appending, made where it is not there, cut to ``size`` bytes; durable
        in its folder.
        """
        ...

    def write_whole(self, path: Path, raw: bytes) -> None:
        """Write a durable file, whole or not at all, in place of an older one."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file."""
        ...


class _OsFile:
    """A file of the operating system."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.write = lambda raw: os.write(descriptor, raw)
        self.sync = lambda: os.fsync(descriptor)

    def close(self) -> None:
        """Close it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


class OsDisk:
    """The disk of the operating system."""

    def make_folder(self, folder: Path) -> None:
        """Make a folder and those above it, where they are not there."""
        folder.mkdir(parents=True, exist_ok=True)

    def files(self, folder: Path, suffix: str) -> list[Path]:
        """Return the files of a folder with a suffix, by name."""
        return sorted(folder.glob(f"*{suffix}"))

    def size(self, path: Path) -> int:
        """Return a file's size in bytes."""
        return path.stat().st_size

    def read(self, path: Path, offset: int = 0, size: int = -1) -> bytes:
        """Return up to ``size`` bytes from ``offset`` on; -1: all."""
        with path.open("rb", buffering=0) as file:
            file.seek(offset)
            return file.read(size)

    def append(self, path: Path, size: int) -> DiskFile:
        """Open a file for appending, cut to ``size`` bytes; durable in its folder."""
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            os.ftruncate(descriptor, size)
            _sync_folder(path.parent)
        except OSError:
            os.close(descriptor)
            raise
        return _OsFile(descriptor)

    def write_whole(self, path: Path, raw: bytes) -> None:
        """Write a durable file, whole or not at all, in place of an older one."""
        part = path.with_suffix(".part")
        try:
            with part.open("wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            _sync_folder(path.parent)
        except OSError:
            part.unlink(missing_ok=True)
            raise

    def remove(self, path: Path) -> None:
        """Remove a file."""
        path.unlink()


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


OS_DISK = OsDisk()
