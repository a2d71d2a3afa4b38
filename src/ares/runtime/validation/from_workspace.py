"""The values of a validation from a workspace, for callers that still take one."""

from __future__ import annotations

from pathlib import Path

from ares.config.workspace import Workspace
from ares.learn.gate.verdict import GateLimits
from ares.observe.user_features_check import load_features
from ares.runtime.registry.paths import DataPaths, ModelPaths
from ares.runtime.trade_rules import rules_of
from ares.runtime.training.job import UserModule
from ares.runtime.validation.request import ValidationConfig


def validation_config(workspace: Workspace, run_models: Path | None = None) -> ValidationConfig:
    """Return the values that a validation needs; ``run_models``: a run's own models."""
    settings = workspace.settings
    module = settings.features.module
    user = load_features(module, workspace.root)
    return ValidationConfig(
        models=workspace.models_dir,
        data=DataPaths(workspace.db_url, workspace.cache_dir),
        rules=rules_of(settings),
        cash_quote=settings.account.capital_quote,
        limits=gate_limits(workspace),
        rule=settings.promotion.rule,
        rows_max=settings.learning.rows_max,
        edge_bps_min=settings.strategy.edge_bps_min,
        user=None
        if user is None or module is None
        else UserModule(module, workspace.root, user.hash),
        run_models=run_models,
        workers=settings.learning.workers,
    )


def gate_limits(workspace: Workspace) -> GateLimits:
    """Return the gate's limits from the settings."""
    promotion = workspace.settings.promotion
    return GateLimits(**{name: getattr(promotion, name) for name in GateLimits.__struct_fields__})


def paths_of(workspace: Workspace) -> ModelPaths:
    """Return where a workspace keeps its models and journals."""
    return ModelPaths(workspace.root, workspace.models_dir, workspace.journal_dir)
