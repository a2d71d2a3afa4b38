"""The values that runtime's rooms take, made of a workspace and its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ares.config.workspace import Workspace
from ares.runtime.registry.paths import DataPaths, ModelPaths

if TYPE_CHECKING:
    from ares.kernel.features.user import UserFeatures


def model_paths(workspace: Workspace) -> ModelPaths:
    """Return where a workspace keeps its models and journals."""
    return ModelPaths(workspace.root, workspace.models_dir, workspace.journal_dir)


def data_paths(workspace: Workspace) -> DataPaths:
    """Return where a workspace keeps candles and news."""
    return DataPaths(workspace.db_url, workspace.cache_dir)


def user_features(workspace: Workspace) -> UserFeatures | None:
    """Return the features of the module that the settings name, not tried yet; None: they name
    none.
    """
    from ares.observe.user_features_check import load_features

    return load_features(workspace.settings.features.module, workspace.root)
