"""Staging: a folder in the system's temporary folder, in which an install is rehearsed."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from ares.journal.lock import Lock, require_free
from ares.runtime.registry.model_journal import models_journal
from ares.runtime.registry.paths import ModelPaths

DEPLOYING = (
    "another deployment",
    "wait for it, or end it with Ctrl-C; `ares deploy status` shows how far it is",
)
"""Who holds the lock, and the advice to the process that finds it taken."""


@contextmanager
def one_at_a_time(paths: ModelPaths) -> Iterator[None]:
    """Hold the lock of a workspace's deployments; raise ExternalError, naming the process that has
    it.
    """
    lock = Lock(_lock_folder(paths), *DEPLOYING)
    try:
        yield
    finally:
        lock.release()


def require_none_runs(paths: ModelPaths) -> None:
    """Raise ExternalError where a deployment runs now; write nothing. OSError: it is unknown."""
    require_free(_lock_folder(paths), *DEPLOYING)


@contextmanager
def staging(paths: ModelPaths, temporary: Path | None = None) -> Iterator[Path]:
    """Make the folder, readable only by its owner, and remove it in every case."""
    folder = Path(tempfile.mkdtemp(prefix=_prefix(paths), dir=temporary))  # mode 0700
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clean_stale(paths: ModelPaths, temporary: Path | None = None) -> tuple[Path, ...]:
    """Remove the folders that killed deployments of this workspace left, and return them.

    Only while its lock is held: then no other deployment of it is running. A link, or a folder of
    another user, is left alone: anybody may write into the temporary folder.
    """
    removed = []
    parent = temporary or Path(tempfile.gettempdir())
    for folder in sorted(parent.glob(f"{_prefix(paths)}*")):
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            continue
        shutil.rmtree(folder, ignore_errors=True)
        removed.append(folder)
    return tuple(removed)


def staged_paths(paths: ModelPaths, folder: Path) -> ModelPaths:
    """Return the paths of a rehearsal: journal and verdicts copied into ``folder``, no models."""
    staged = ModelPaths(paths.root, folder / "models", folder / "journal")
    source, target = models_journal(paths.journals), models_journal(staged.journals)
    target.mkdir(parents=True)
    for path in paths.journals.glob(f"{source.name}.*"):  # the journal's head: copied first
        shutil.copy(path, staged.journals / path.name)
    for path in sorted(source.glob("*.journal")):
        shutil.copy(path, target / path.name)
    staged.verdicts.mkdir(parents=True)
    for path in sorted(paths.verdicts.glob("*.json")):
        shutil.copy(path, staged.verdicts / path.name)
    return staged


def _lock_folder(paths: ModelPaths) -> Path:
    return paths.models / "deploy"


def _prefix(paths: ModelPaths) -> str:
    name = sha256(str(paths.root.resolve()).encode()).hexdigest()[:12]
    return f"ares-deploy-{name}-"
