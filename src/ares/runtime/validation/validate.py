"""A first judgement: a stored ensemble is found, checked, counted as a trial, and validated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ares.adapters.model_store import ModelStore
from ares.adapters.worker_pool import WorkerPool
from ares.domain.model import Ensemble
from ares.domain.model_life import VerdictBasis
from ares.domain.package import Package
from ares.domain.trial import ensemble_trial
from ares.learn.gate.plausible import Attestation
from ares.runtime.registry.model_journal import read_registry, record
from ares.runtime.registry.paths import ModelPaths
from ares.runtime.registry.registry_state import RegistryState
from ares.runtime.validation.pipeline import ValidationResult, validate, verdict_basis
from ares.runtime.validation.request import (
    OnProgress,
    ValidationConfig,
    ValidationRequest,
    no_progress,
)
from ares.runtime.validation.stored_models import require_working
from ares.runtime.validation.target import find, require_environment


def validate_model(
    config: ValidationConfig,
    paths: ModelPaths,
    target: str,
    environment: str = "history",
    *,
    on_progress: OnProgress = no_progress,
    pool: WorkerPool | None = None,
    attestation: Attestation | None = None,
) -> ValidationResult:
    """Return the verdict on an ensemble, compared with the champion of ``environment``.

    target      : an ensemble's hash or its beginning, a symbol (its newest), or a package's name.
    attestation : a person's word for results above the limits of plausibility.

    Raises UserError where there is no such model, where it does not work, or where its walk-forward
    cannot be repeated; ExternalError where it is damaged.
    """
    require_environment(environment)
    models, book = ModelStore(paths.models), read_registry(paths.journals)
    ensemble = find(models, target, book.archived)
    packages = require_working(config, ensemble, constant_allowed=True)
    _count_trial(paths, book, ensemble, packages)
    book = read_registry(paths.journals)
    champion_hash = _champion_hash(book, ensemble, environment)
    champion = models.ensemble(champion_hash) if champion_hash else None
    request = ValidationRequest(
        config, environment, ensemble, champion, book.trials, attestation=attestation
    )
    result = validate(request, pool, on_progress)
    if ensemble.hash not in book.archived:
        return result
    note = f"{ensemble.hash[:12]} is archived: no verdict brings it back; train again"
    return replace(result, notes=(*result.notes, note))


def current_basis(
    config: ValidationConfig, book: RegistryState, ensemble: Ensemble, environment: str
) -> VerdictBasis:
    """Return what a verdict on an ensemble would rest on now."""
    champion_hash = _champion_hash(book, ensemble, environment)
    return verdict_basis(config, ensemble, champion_hash, book.trials)


def _champion_hash(book: RegistryState, ensemble: Ensemble, environment: str) -> str:
    """Return the champion that an ensemble is compared with; empty: none, or itself."""
    champion = book.champions(environment).get(ensemble.instrument, "")
    return "" if champion == ensemble.hash else champion


def _count_trial(
    paths: ModelPaths, book: RegistryState, ensemble: Ensemble, packages: Sequence[Package]
) -> None:
    """Count the recipe of an imported model as a trial, now that it is evaluated."""
    if any(trial.recipe_hash == ensemble.recipe_hash for trial in book.trials):
        return
    cards = [package.card for package in packages]
    record(paths.journals, [ensemble_trial(ensemble, cards)])
