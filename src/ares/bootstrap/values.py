"""The values that runtime's rooms take, made of a workspace and its settings."""

from __future__ import annotations

from ares.config.workspace import Workspace
from ares.runtime.registry.paths import DataPaths, ModelPaths


def model_paths(workspace: Workspace) -> ModelPaths:
    """Return where a workspace keeps its models and journals."""
    return ModelPaths(workspace.root, workspace.models_dir, workspace.journal_dir)


def data_paths(workspace: Workspace) -> DataPaths:
    """Return where a workspace keeps candles and news."""
    return DataPaths(workspace.db_url, workspace.cache_dir)
