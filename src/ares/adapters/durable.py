"""Writes files and folders atomically: complete or not at all, also after a power cut."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

_NAME = 40
"""Characters of a file's name in that of its draft, so that a long name fits with its suffix."""


def write_file(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file: to a temporary name, synced, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:_NAME]}.")
    except OSError as error:
        error.filename = str(path)  # the caller's name, not the draft's
        raise
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            _fill(file, content)
        draft.chmod(mode)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(path.parent)


def write_folder(path: Path, files: Mapping[str, bytes]) -> bool:
    """Write a new folder of files in one step; return False where ``path`` exists already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name[:_NAME]}."))
    try:
        for name, content in files.items():
            with (draft / name).open("wb") as file:
                _fill(file, content)
        _sync_folder(draft)
        draft.chmod(0o755)
        try:
            draft.rename(path)  # fails on a folder that is not empty
        except OSError:
            if path.exists():
                return False
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    _sync_folder(path.parent)
    return True


def _fill(file: IO[bytes], content: bytes) -> None:
    file.write(content)
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
