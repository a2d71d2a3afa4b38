"""MLflow, composed: brought up to date after each change of a model, and beside a run.

Where a sync fails, a marker file remains in ``models/mlflow``. A later run finds it and catches up
in a process of its own, at the lowest priority, that the run neither waits for nor depends on.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ares.bootstrap.values import model_paths
from ares.config.workspace import Workspace
from ares.domain.errors import AresError, UserError

if TYPE_CHECKING:
    from ares.adapters.mlflow_registry import MlflowRegistry
    from ares.runtime.registry.mlflow_sync import SyncReport
    from ares.runtime.training.report import TrainingReport

BEHIND = "behind"
"""Name of the marker file: the newest sync failed."""

IN_BACKGROUND = (
    "import os, sys; os.nice(19); from ares.cli.main import run; sys.exit(run(['models', 'sync']))"
)


def mlflow_registry(workspace: Workspace) -> MlflowRegistry:
    """Return the MLflow of a workspace; nothing is opened yet."""
    from ares.adapters.mlflow_registry import MlflowRegistry

    return MlflowRegistry(workspace.mlflow_uri, _folder(workspace), workspace.mlflow_experiments)


def note_behind(workspace: Workspace) -> bool:
    """Mark MLflow as behind before a change is journaled: a killed process leaves the mark.

    Returns whether it was behind already.
    """
    marker = _folder(workspace) / BEHIND
    if marker.exists():
        return True
    with suppress(OSError):
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
    return False


def forget_behind(workspace: Workspace) -> None:
    """Take the mark away: nothing was changed."""
    with suppress(OSError):
        (_folder(workspace) / BEHIND).unlink(missing_ok=True)


def sync_models(workspace: Workspace, *, everything: bool = False) -> SyncReport:
    """Bring MLflow up to date; see ``runtime.registry.mlflow_sync``."""
    from ares.runtime.registry.mlflow_sync import sync

    marker = _folder(workspace) / BEHIND
    try:
        report = sync(model_paths(workspace), mlflow_registry(workspace), everything=everything)
    except UserError:  # a workspace that this version refuses: nothing in it is touched
        raise
    except (AresError, OSError):
        with suppress(OSError):
            marker.parent.mkdir(parents=True, exist_ok=True)
            marker.touch()
        raise
    marker.unlink(missing_ok=True)
    return report


def sync_warnings(workspace: Workspace) -> tuple[str, ...]:
    """Bring MLflow up to date after a change that is journaled; a failure is one line, no error."""
    try:
        return sync_models(workspace).corrected
    except (AresError, OSError) as error:
        return (str(error),)


def sync_after_training(workspace: Workspace, report: TrainingReport) -> TrainingReport:
    """Bring MLflow up to date with what a training made; add a warning where that failed."""
    warnings = (*report.warnings, *sync_warnings(workspace))
    return msgspec.structs.replace(report, warnings=warnings)


def sync_in_background(workspace: Workspace) -> subprocess.Popen[bytes] | None:
    """Start a sync in a process of its own where the newest one failed; None: none is needed.

    Its outcome is not reported: where it fails too, the marker remains for the next run.
    """
    if not (_folder(workspace) / BEHIND).exists():
        return None
    with suppress(OSError):
        return subprocess.Popen(
            [sys.executable, "-c", IN_BACKGROUND],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "ARES_WORKSPACE": str(workspace.root.resolve())},
            start_new_session=True,
        )
    return None


def _folder(workspace: Workspace) -> Path:
    return workspace.models_dir / "mlflow"
