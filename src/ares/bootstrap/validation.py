"""Validation as a command asks for it: values from the settings, then verdicts and comparisons."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ares.config.workspace import Workspace

if TYPE_CHECKING:
    from ares.adapters.worker_pool import WorkerPool
    from ares.learn.gate.plausible import Attestation
    from ares.runtime.validation.compare import EnsembleComparison
    from ares.runtime.validation.pipeline import ValidationResult
    from ares.runtime.validation.request import ValidationConfig
    from ares.runtime.validation.verdict_file import SavedVerdict

OnProgress = Callable[[int, int, str], None]


def _no_progress(_done: int, _total: int, _what: str) -> None:
    """Show no progress."""


def validate_model(
    workspace: Workspace,
    target: str,
    environment: str = "history",
    *,
    on_progress: OnProgress = _no_progress,
    pool: WorkerPool | None = None,
    attestation: Attestation | None = None,
) -> ValidationResult:
    """Return the verdict on an ensemble against the champion of an environment; see the room."""
    from ares.bootstrap.values import model_paths
    from ares.runtime.validation.validate import validate_model as validate

    config, paths = validation_config(workspace), model_paths(workspace)
    return validate(
        config,
        paths,
        target,
        environment,
        on_progress=on_progress,
        pool=pool,
        attestation=attestation,
    )


def save_verdict(
    workspace: Workspace,
    result: ValidationResult,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> SavedVerdict:
    """Save a verdict with its picture and its record in the models' journal."""
    from ares.bootstrap.values import model_paths
    from ares.domain.utc import utc_iso
    from ares.runtime.registry.model_journal import who
    from ares.runtime.validation.verdict_file import save_verdict as save
    from ares.runtime.validation.verdict_picture import picture_of

    return save(model_paths(workspace), result, picture_of(result), utc_iso(now()), who())


def compare_models(
    workspace: Workspace,
    first: str,
    second: str,
    *,
    on_progress: OnProgress = _no_progress,
    pool: WorkerPool | None = None,
) -> EnsembleComparison:
    """Compare two ensembles of one instrument on the same bars."""
    from ares.bootstrap.values import model_paths
    from ares.runtime.validation.compare import compare

    config, paths = validation_config(workspace), model_paths(workspace)
    return compare(config, paths, first, second, on_progress=on_progress, pool=pool)


def validation_config(workspace: Workspace) -> ValidationConfig:
    """Return the values that a validation needs."""
    from ares.bootstrap.trade_rules import rules_of
    from ares.bootstrap.values import data_paths
    from ares.learn.gate.verdict import GateLimits
    from ares.observe.user_features_check import load_features
    from ares.runtime.training.job import UserModule
    from ares.runtime.validation.request import ValidationConfig

    settings = workspace.settings
    module, promotion = settings.features.module, settings.promotion
    user = load_features(module, workspace.root)
    return ValidationConfig(
        models=workspace.models_dir,
        data=data_paths(workspace),
        rules=rules_of(settings),
        cash_quote=settings.account.capital_quote,
        limits=GateLimits(**{n: getattr(promotion, n) for n in GateLimits.__struct_fields__}),
        rule=promotion.rule,
        rows_max=settings.learning.rows_max,
        edge_bps_min=settings.strategy.edge_bps_min,
        user=None
        if user is None or module is None
        else UserModule(module, workspace.root, user.hash),
        workers=settings.learning.workers,
    )
