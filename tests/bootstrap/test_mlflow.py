"""A sync that failed leaves a marker, and the next run catches up in the background."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares.adapters.mlflow_registry import MlflowUnavailable
from ares.bootstrap.mlflow import BEHIND, sync_in_background, sync_models, sync_warnings
from ares.config.workspace import Workspace
from ares.domain.model_life import EnsembleArchived
from ares.runtime.registry.model_journal import record


def test_a_failed_sync_is_one_line_and_is_caught_up_in_the_background(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    workspace, _ = Workspace.init(tmp_path)
    marker = workspace.models_dir / "mlflow" / BEHIND
    record(workspace.journal_dir, [EnsembleArchived("e", "at", "me", "why")])
    assert sync_in_background(workspace) is None
    workspace.mlflow_path.write_bytes(b"no database" * 300)
    (line,) = sync_warnings(workspace)
    assert "was not brought up to date" in line
    assert marker.exists()
    with pytest.raises(MlflowUnavailable):
        sync_models(workspace)
    workspace.mlflow_path.unlink()
    process = sync_in_background(workspace)
    assert process is not None
    assert process.wait(300) == 0
    assert not marker.exists()
    assert sync_models(workspace).new_records == 0
    assert sync_in_background(workspace) is None


def test_a_background_sync_that_fails_too_leaves_the_marker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    workspace, _ = Workspace.init(tmp_path)
    record(workspace.journal_dir, [EnsembleArchived("e", "at", "me", "why")])
    assert len(sync_warnings(workspace)) == 1
    process = sync_in_background(workspace)
    assert process is not None
    assert process.wait(300) == 3
    assert (workspace.models_dir / "mlflow" / BEHIND).exists()
