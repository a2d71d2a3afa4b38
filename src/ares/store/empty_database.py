"""A new database file as a copy of an empty one: the migrations take half a second to make it.

The empty one is made once for each version of the migrations, in the user's cache folder. Every
history run has a database of its own, beside its journal.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

MIGRATIONS = Path(__file__).parent / "migrations"


def put_empty_database(path: Path, make: Callable[[Path], None], cache: Path | None = None) -> None:
    """Put an empty database of the newest schema where there is no file yet.

    make  : makes one from nothing.
    cache : folder of the copy; default: the user's cache folder.

    Does nothing where the copy cannot be kept, or the file not be written: whoever opens it next
    makes it, or says why that is not possible.
    """
    with suppress(OSError):
        if path.exists():
            return
        kept = _kept(cache)
        if not kept.exists():
            _keep(kept, make)
        _put(kept, path)


def copy_empty_database(path: Path, cache: Path | None = None) -> None:
    """Put an empty database as ``put_empty_database`` does, where one was made before."""
    with suppress(OSError):
        if not path.exists():
            _put(_kept(cache), path)


def _kept(cache: Path | None) -> Path:
    return (cache or Path.home() / ".cache" / "ares") / f"schema-{_version()}.db"


def _keep(kept: Path, make: Callable[[Path], None]) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        made = Path(folder) / kept.name
        make(made)
        made.replace(kept)


def _put(kept: Path, path: Path) -> None:
    """Copy the file to its place; one that another process has put there meanwhile stays."""
    copy = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        shutil.copyfile(kept, copy)
        with suppress(FileExistsError):
            os.link(copy, path)
    finally:
        copy.unlink(missing_ok=True)


def _version() -> str:
    digest = hashlib.sha256(_library())
    for path in sorted(MIGRATIONS.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _library() -> bytes:
    """Return what identifies the version of SQLAlchemy, which is not loaded for that."""
    found = importlib.util.find_spec("sqlalchemy")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).read_bytes()
