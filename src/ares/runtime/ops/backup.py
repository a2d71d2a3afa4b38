"""Backup of a workspace while it works: database, journals, models, settings; hash-checked.

A backup is a folder with a manifest. It is made under another name and renamed when it is complete.
What can be made again is not in it, nor is any key.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ares.domain.errors import ExternalError, UserError
from ares.store.sqlite_copy import copy_sqlite, sqlite_problem

MANIFEST = "manifest.json"
DATABASE = "ares.db"
FORMAT = 1
FOLDERS = ("journal", "models")
FILES = ("ares.yaml",)
LEFT_OUT = ("lock", "tables.db", "tables.db-wal", "tables.db-shm")
"""Of a journal's folder: what belongs to a process, and what is made again."""

BLOCK = 1 << 20


class BackupFile(msgspec.Struct, frozen=True):
    """A file of a backup."""

    sha256: str
    size: int


class BackupManifest(msgspec.Struct, frozen=True):
    """What is in a backup.

    has_database : the workspace's own; that of a server is backed up by the server's tools.
    """

    format: int
    version: str
    made_ms: int
    has_database: bool
    files: dict[str, BackupFile]

    @property
    def size(self) -> int:
        """Return the bytes of all files."""
        return sum(file.size for file in self.files.values())


def make_backup(
    root: Path, target: Path, version: str, now_ms: int, database: Path | None
) -> BackupManifest:
    """Back a workspace up into a new folder; whoever writes to it goes on.

    database : its SQLite file; None: it has none of its own.

    The database is copied before the journals, and snapshots before the records that they are
    anchored in: what is behind catches up at the next start.

    Raises UserError where the target exists, ExternalError where something cannot be copied.
    """
    if target.exists():
        raise UserError(f"{target} exists: name a folder that does not")
    draft = target.with_name(f".{target.name}.partial")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True)
        if database is not None:
            copy_sqlite(database, draft / DATABASE)
        files = {} if database is None else {DATABASE: _described(draft / DATABASE)}
        for name in _to_copy(root):
            files[name] = _copy(root / name, draft / name)
        manifest = BackupManifest(FORMAT, version, now_ms, database is not None, files)
        _write(draft / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
        _sync_folders(draft)
        draft.rename(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise ExternalError(f"the backup failed ({error.strerror}): nothing was kept") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return manifest


def check_backup(folder: Path) -> BackupManifest:
    """Return the manifest of a backup of which every file is as it was made.

    Raises UserError where the folder is no backup, ExternalError where a file is missing, changed,
    or not in the manifest.
    """
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=BackupManifest)
    except (OSError, msgspec.DecodeError):
        raise UserError(f"{folder} is no backup: it has no {MANIFEST} that can be read") from None
    if manifest.format != FORMAT:
        raise UserError(f"{folder} is a backup of another version (format {manifest.format})")
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    for name, file in manifest.files.items():
        if name not in present:
            raise ExternalError(f"{folder}: {name} is missing")
        if _described(folder / name) != file:
            raise ExternalError(f"{folder}: {name} is not as it was backed up")
    for name in sorted(present - manifest.files.keys() - {MANIFEST}):
        raise ExternalError(f"{folder}: {name} is not in the manifest")
    return manifest


def restore_backup(folder: Path, root: Path) -> BackupManifest:
    """Restore a backup as a new workspace; complete or not at all.

    Raises UserError where ``root`` is not empty, and as ``check_backup``.
    """
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UserError(f"{root} is not empty: a backup is restored elsewhere, into a new folder")
    manifest = check_backup(folder)
    draft = root.with_name(f".{root.name}.partial")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        for name, file in manifest.files.items():
            if _copy(folder / name, draft / name) != file:
                raise ExternalError(f"{name} changed while it was restored")
        problem = sqlite_problem(draft / DATABASE) if manifest.has_database else ""
        if problem:
            raise ExternalError(f"{DATABASE} of the backup is damaged ({problem})")
        _sync_folders(draft)
        if root.exists():
            root.rmdir()
        draft.rename(root)
        _sync_folder(root.parent)
    except OSError as error:
        raise ExternalError(f"the restore failed ({error.strerror}): nothing was kept") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return manifest


def _to_copy(root: Path) -> Iterator[str]:
    """Yield what is copied of a workspace, snapshots before records."""
    for name in FILES:
        if (root / name).is_file():
            yield name
    found = [path for folder in FOLDERS for path in (root / folder).rglob("*") if path.is_file()]
    kept = [path for path in found if path.name not in LEFT_OUT and not _is_draft(path)]
    for path in sorted(kept, key=lambda path: (path.suffix == ".journal", path)):
        yield path.relative_to(root).as_posix()


def _is_draft(path: Path) -> bool:
    """Return whether a file is being written under a name of its own."""
    return path.name.startswith(".")


def _copy(source: Path, target: Path) -> BackupFile:
    """Copy a file as it is now; return what was copied. One that is gone meanwhile raises."""
    target.parent.mkdir(parents=True, exist_ok=True)
    hasher, size = hashlib.sha256(), 0
    left = source.stat().st_size  # what is appended later is of later
    with source.open("rb") as reading, target.open("wb") as writing:
        while left and (block := reading.read(min(BLOCK, left))):
            hasher.update(block)
            writing.write(block)
            size, left = size + len(block), left - len(block)
        writing.flush()
        os.fsync(writing.fileno())
    return BackupFile(hasher.hexdigest(), size)


def _described(path: Path) -> BackupFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return BackupFile(digest, path.stat().st_size)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folders(root: Path) -> None:
    for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
        _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
