"""Staging: a folder in the system's temporary folder, in which an install is rehearsed."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ares.config.workspace import Workspace
from ares.journal.log import Lock, require_free
from ares.runtime.registry.model_journal import models_journal
from ares.runtime.validation.verdict_file import FOLDER

DEPLOYING = (
    "another deployment",
    "wait for it, or end it with Ctrl-C; `ares deploy status` says where it stands",
)
"""Who holds the lock, and what whoever meets it is advised."""


@dataclass(frozen=True)
class StagedWorkspace(Workspace):
    """A workspace with its settings and candles, whose models and journals lie in ``staged``."""

    staged: Path

    @property
    def models_dir(self) -> Path:
        """Return the folder of packages and ensembles."""
        return self.staged / "models"

    @property
    def journal_dir(self) -> Path:
        """Return the folder of the journals."""
        return self.staged / "journal"


@contextmanager
def one_at_a_time(workspace: Workspace) -> Iterator[None]:
    """Hold the workspace's deployment alone; raise WorldTrouble, naming the process that has it."""
    lock = Lock(_lock_folder(workspace), *DEPLOYING)
    try:
        yield
    finally:
        lock.release()


def require_none_runs(workspace: Workspace) -> None:
    """Raise WorldTrouble where one runs now; write nothing. OSError: that cannot be told."""
    require_free(_lock_folder(workspace), *DEPLOYING)


@contextmanager
def staging(workspace: Workspace, temporary: Path | None = None) -> Iterator[Path]:
    """Make the folder (only we may read it) and take it away in every case."""
    folder = Path(tempfile.mkdtemp(prefix=_prefix(workspace), dir=temporary))  # mode 0700
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clean_stale(workspace: Workspace, temporary: Path | None = None) -> tuple[Path, ...]:
    """Take away what a killed deployment of this workspace left behind; return what that was.

    Only while its lock is held: then no other deployment of it is alive. A link, or a folder of
    somebody else, is left alone: anybody may write into the temporary folder.
    """
    place = temporary or Path(tempfile.gettempdir())
    gone = []
    for folder in sorted(place.glob(f"{_prefix(workspace)}*")):
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            continue
        shutil.rmtree(folder, ignore_errors=True)
        gone.append(folder)
    return tuple(gone)


def staged_workspace(workspace: Workspace, folder: Path) -> StagedWorkspace:
    """Return the workspace as a rehearsal sees it: journal and verdicts of now, and no models."""
    staged = StagedWorkspace(workspace.root, folder)
    there, here = models_journal(workspace.journal_dir), models_journal(staged.journal_dir)
    here.mkdir(parents=True)
    for path in workspace.journal_dir.glob(f"{there.name}.*"):  # how far it had come: copied first
        shutil.copy(path, staged.journal_dir / path.name)
    for path in sorted(there.glob("*.journal")):
        shutil.copy(path, here / path.name)
    verdicts = staged.models_dir / FOLDER
    verdicts.mkdir(parents=True)
    for path in sorted((workspace.models_dir / FOLDER).glob("*.json")):
        shutil.copy(path, verdicts / path.name)
    return staged


def _lock_folder(workspace: Workspace) -> Path:
    return workspace.models_dir / "deploy"


def _prefix(workspace: Workspace) -> str:
    name = sha256(str(workspace.root.resolve()).encode()).hexdigest()[:12]
    return f"ares-deploy-{name}-"
