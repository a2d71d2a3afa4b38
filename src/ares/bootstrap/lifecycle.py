"""A model's moves, composed: each is done in the workspace, then MLflow is brought up to date."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ares.bootstrap.mlflow import forget_behind, note_behind, sync_warnings
from ares.bootstrap.running_models import engines_own, handed_over
from ares.bootstrap.training import recipe_rules, training_context
from ares.bootstrap.values import model_paths
from ares.config.workspace import Workspace
from ares.domain.errors import UserError

if TYPE_CHECKING:
    from ares.adapters.model_bundle import Bundle
    from ares.learn.gate.plausible import Attestation
    from ares.runtime.lifecycle.model_import import ImportedModel
    from ares.runtime.lifecycle.model_list import ModelDetails, ModelList
    from ares.runtime.lifecycle.promotion import PromotionResult
    from ares.runtime.validation.pipeline import ValidationResult
    from ares.runtime.validation.verdict_file import SavedVerdict

Now = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def list_models(workspace: Workspace) -> ModelList:
    """Return the models of a workspace; see ``runtime.lifecycle.model_list``."""
    from ares.runtime.lifecycle import model_list

    return model_list.list_models(model_paths(workspace))


def find_model(workspace: Workspace, ref: str) -> ModelDetails:
    """Return one model of a workspace; see ``runtime.lifecycle.model_list``."""
    from ares.runtime.lifecycle import model_list

    return model_list.find_model(model_paths(workspace), ref)


def export_model(workspace: Workspace, ref: str, target: Path) -> Bundle:
    """Write a model to a zip file or a folder; see ``runtime.lifecycle.model_export``."""
    from ares.runtime.lifecycle import model_export

    return model_export.export_model(model_paths(workspace), ref, target)


def promote(
    workspace: Workspace,
    target: str | None,
    to: str,
    force: bool,
    reason: str | None,
    now: Now = utc_now,
) -> PromotionResult:
    """Make ensembles champions, in the engine that runs there too; see
    ``runtime.lifecycle.promotion`` and ``running_models``.
    """
    from ares.bootstrap.validation import validation_config
    from ares.runtime.lifecycle import promotion

    paths, was_behind, has_changed = model_paths(workspace), note_behind(workspace), False
    try:
        result = promotion.promote(
            paths, lambda: validation_config(workspace), target, to, force, reason, now,
            engines_own(workspace, to),
        )  # fmt: skip
        has_changed = bool(result.promoted)
    finally:
        if not has_changed and not was_behind:
            forget_behind(workspace)
    if not has_changed and not was_behind:  # MLflow shows no refusals, its import takes seconds
        return result
    return _synced(workspace, handed_over(workspace, result, undo=True))


def rollback(
    workspace: Workspace,
    symbol: str | None,
    to: str | None,
    environment: str | None,
    reason: str | None = None,
    now: Now = utc_now,
) -> PromotionResult:
    """Make a former champion champion again, in the engine that runs there too; see
    ``runtime.lifecycle.rollback`` and ``running_models``.
    """
    from ares.bootstrap.validation import validation_config
    from ares.runtime.lifecycle import rollback as room

    paths = model_paths(workspace)
    result = room.rollback(
        paths, lambda: validation_config(workspace), symbol, to, environment, reason, now
    )
    return _synced(workspace, handed_over(workspace, result, undo=False))


def archive(
    workspace: Workspace, target: str, reason: str | None = None, now: Now = utc_now
) -> PromotionResult:
    """Archive an ensemble; see ``runtime.lifecycle.archive``."""
    from ares.runtime.lifecycle import archive as room

    return _synced(workspace, room.archive(model_paths(workspace), target, reason, now))


def validate(
    workspace: Workspace,
    target: str,
    environment: str,
    on_progress: Callable[[int, int, str], None] = lambda _done, _total, _what: None,
    attestation: Attestation | None = None,
) -> tuple[ValidationResult, SavedVerdict, tuple[str, ...]]:
    """Validate an ensemble and save the verdict; return both, and the warnings.

    attestation : a person's word for results above the limits of plausibility.
    """
    from ares.bootstrap.validation import save_verdict, validate_model
    from ares.runtime.registry.model_journal import refusals_journaled

    with refusals_journaled(workspace.journal_dir, "validate", target, environment):
        result = validate_model(
            workspace, target, environment, on_progress=on_progress, attestation=attestation
        )
    saved = save_verdict(workspace, result)
    return result, saved, sync_warnings(workspace)


def import_bundle(workspace: Workspace, path: Path) -> tuple[Bundle, tuple[str, ...]]:
    """Store the models of an export; return them, and the warnings."""
    from ares.adapters.model_bundle import read_bundle
    from ares.bootstrap.validation import validation_config
    from ares.runtime.lifecycle.bundle_import import import_models
    from ares.runtime.registry.model_journal import refusals_journaled

    paths = model_paths(workspace)
    with refusals_journaled(paths.journals, "import", str(path)):
        bundle = read_bundle(path)
        import_models(paths, validation_config(workspace), bundle, path.name, verdicts=False)
    return bundle, sync_warnings(workspace)


def import_onnx(
    workspace: Workspace,
    path: Path,
    symbol: str,
    interval: str,
    trained_to_ms: int | None = None,
    now: Now = utc_now,
) -> tuple[ImportedModel, tuple[str, ...]]:
    """Store a user's own ONNX model; return it, and the warnings."""
    from ares.runtime.lifecycle import model_import
    from ares.runtime.registry.model_journal import refusals_journaled

    if not symbol or not interval:
        raise UserError(f"{path}: say what it is a model of: -s BTC/USDT -i 1h")
    settings, paths = workspace.settings, model_paths(workspace)
    with refusals_journaled(paths.journals, "import", str(path)):
        request = model_import.OnnxImport(
            path, symbol, interval, settings.venue, settings.reference_symbol,
            recipe_rules(settings), training_context(workspace), trained_to_ms,
        )  # fmt: skip
        imported = model_import.import_onnx(paths, request, now)
    return imported, sync_warnings(workspace)


def _synced(workspace: Workspace, result: PromotionResult) -> PromotionResult:
    return replace(result, warnings=(*result.warnings, *sync_warnings(workspace)))
