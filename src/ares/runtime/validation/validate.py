"""A first judgement: a stored ensemble is found, checked, counted as a trial, and validated."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from ares.adapters.model_choice import choose_model
from ares.adapters.model_store import ModelStore
from ares.adapters.worker_pool import WorkerPool
from ares.domain.errors import UserError
from ares.domain.instrument import is_called
from ares.domain.model import Ensemble
from ares.domain.model_life import ENVIRONMENTS, VerdictBasis, is_environment
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


def require_environment(environment: str) -> None:
    """Raise UserError where there is no such environment."""
    if not is_environment(environment):
        raise UserError(
            f"unknown environment '{environment}': use {', '.join(ENVIRONMENTS)} or rehearsal/NAME"
        )


def find(models: ModelStore, target: str, without: Collection[str] = ()) -> Ensemble:
    """Return the ensemble that ``target`` names; of a package, the ensemble of it alone.

    That one is stored when it is validated, promoted or archived; finding it changes nothing.

    without : hashes that an instrument's name does not mean while it has others.
    """
    keys = {ensemble.instrument for ensemble in models.listed().ensembles}
    named = sorted(key for key in keys if is_called(key, target))
    if len(named) > 1:
        raise UserError(f"'{target}' is on more than one venue: name one of {', '.join(named)}")
    newest = choose_model(models.listed(), named[0], without=without) if named else None
    if newest is not None:
        return newest.ensemble
    found = models.resolve(target)
    if isinstance(found, Ensemble):
        return found
    card = found.card
    if len(card.instruments) != 1:
        raise UserError(
            f"{card.ref} was made for {len(card.instruments)} instruments: name one of their "
            "ensembles (`ares models list`)"
        )
    return found.alone(card.instruments[0], card.created_at)


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
