"""The stored models, all or one, with their history in the journal and what is missing."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ares.adapters.layered_store import FOLDER
from ares.adapters.model_choice import choose_by_symbol
from ares.adapters.model_store import ModelStore, StoredModels
from ares.domain.errors import UserError
from ares.domain.model import Ensemble
from ares.domain.package import Package
from ares.runtime.lifecycle.served_champions import (
    ServedChampion,
    run_environments,
    served_champions,
)
from ares.runtime.registry.model_journal import read_registry
from ares.runtime.registry.paths import ModelPaths
from ares.runtime.registry.registry_state import RegistryState
from ares.runtime.validation.verdict_file import unknown_verdicts


@dataclass(frozen=True, slots=True)
class ModelList:
    """The stored models and their history in the journal.

    served   : where the run of an environment has another champion than the registry.
    problems : a line for each model that is damaged, each champion that is missing, and each run
               that cannot be read.
    remark   : where there are verdicts here that the journal does not have; None: it has all.
    """

    stored: StoredModels
    registry: RegistryState
    served: tuple[ServedChampion, ...]
    problems: tuple[str, ...]
    remark: str | None


def list_models(paths: ModelPaths) -> ModelList:
    """Return the models of a workspace; raise ExternalError where the journal is damaged."""
    stored, registry = ModelStore(paths.models).listed(), read_registry(paths.journals)
    served, unreadable = served_champions(paths.journals, registry)
    problems = (*stored.problems, *missing_champions(stored, registry), *unreadable)
    return ModelList(stored, registry, served, problems, unknown_verdicts(paths, registry))


def missing_champions(stored: StoredModels, registry: RegistryState) -> list[str]:
    """Return a line for each champion whose ensemble is not stored here, or cannot be read."""
    hashes = {ensemble.hash for ensemble in stored.ensembles}
    return [
        f"{champion[:12]} is champion of {instrument} in {environment}, and is not stored here: "
        "restore it from an export (`ares models import FILE.zip`)"
        for environment in registry.environments
        for instrument, champion in registry.champions(environment).items()
        if champion not in hashes
    ]


@dataclass(frozen=True, slots=True)
class ModelDetails:
    """One model and its history in the journal.

    folder : of a package; None for an ensemble.
    served : where the run of an environment has another champion than the registry.
    choice : which ensemble was taken for a symbol, and why; empty: it was named.
    """

    model: Package | Ensemble
    folder: Path | None
    stored: StoredModels
    registry: RegistryState
    served: tuple[ServedChampion, ...] = ()
    choice: str = ""


def find_model(paths: ModelPaths, ref: str) -> ModelDetails:
    """Return a model by its name, ``name/version``, hash or symbol: of the workspace, else of a
    run whose learner made it.

    Raises UserError where the reference fits none or several, ExternalError where it is damaged.
    """
    registry = read_registry(paths.journals)
    served, _ = served_champions(paths.journals, registry)
    listed = ModelStore(paths.models).listed()
    choice = choose_by_symbol(listed, ref, registry.judged, registry.archived)
    if choice is not None:
        return ModelDetails(choice.ensemble, None, listed, registry, served, choice.reason)
    store, model = _resolved(paths, ref)
    folder = store.folder(model.card) if isinstance(model, Package) else None
    return ModelDetails(model, folder, store.listed(), registry, served)


def _resolved(paths: ModelPaths, ref: str) -> tuple[ModelStore, Package | Ensemble]:
    """Return a model, and the store that has it."""
    store = ModelStore(paths.models)
    try:
        return store, store.resolve(ref)
    except UserError:
        for environment in run_environments(paths.journals):
            own = ModelStore(paths.journals / environment / FOLDER)
            with suppress(UserError):
                return own, own.resolve(ref)
        raise
