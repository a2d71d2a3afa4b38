"""MLflow is told what the journal says of models: statuses, champions, challenger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ares.adapters.mlflow_registry import MlflowRegistry, RegistryStages
from ares.adapters.model_store import ModelStore
from ares.config.workspace import Workspace
from ares.domain.model import Ensemble
from ares.runtime.registry.model_journal import read_registry
from ares.runtime.registry.registry_state import RegistryState
from ares.runtime.registry.training_mirror import ensemble_entry, ensemble_model

MIRRORED = ("paper", "live")
"""A run over history moves no alias in MLflow."""


def tell_mlflow(
    workspace: Workspace, instrument: str, leaving: str = "", also: str = ""
) -> str | None:
    """Bring MLflow to what the journal says of an instrument's models.

    leaving : hash of the ensemble that has just ceased to be champion, if any.
    also    : hash of an ensemble that MLflow must know, beside champions and challenger.
    returns : None, or one line: what it had wrong, or why it could not be told.
    """
    store, book = ModelStore(workspace.models_dir), read_registry(workspace.journal_dir)
    listed = store.listed()
    ensembles = listed.of(instrument)
    if not ensembles:
        return None
    commits = {(card.name, card.version): card.git_commit for card in listed.packages}
    aliases = aliases_of(store, book, instrument)
    statuses = {one.hash: book.status(one.hash) for one in ensembles}
    known = {*aliases.values(), also, *(h for h, s in statuses.items() if s == "production")}
    registry = MlflowRegistry(workspace.mlflow_uri, workspace.models_dir / "mlflow")
    return registry.set_stations(
        RegistryStages(
            ensemble_model(ensembles[0]),
            statuses,
            aliases,
            frozenset({leaving}),
            {
                (member.name, member.package_hash): package_status(
                    book, ensembles, member.package_hash
                )
                for one in ensembles
                for member in one.members
            },
            {
                one.hash: ensemble_entry(store, one, None, _commit(one, commits))
                for one in ensembles
                if one.hash in known
            },
        )
    )


def aliases_of(store: ModelStore, book: RegistryState, instrument: str) -> dict[str, str | None]:
    """Return who has which alias: ``paper-champion``, ``live-champion``, ``challenger``."""
    aliases: dict[str, str | None] = {
        f"{kind}-champion": book.champions(kind).get(instrument) for kind in MIRRORED
    }
    newest = store.newest_candidate(instrument, without=book.archived)
    waiting = newest is not None and book.status(newest.hash) == "candidate"
    aliases["challenger"] = newest.hash if newest is not None and waiting else None
    return aliases


def package_status(
    registry: RegistryState, ensembles: Sequence[Ensemble], package_hash: str
) -> str:
    """Return a package's status: the best of the ensembles that it is in."""
    return registry.best_status(
        [
            ensemble.hash
            for ensemble in ensembles
            if any(member.package_hash == package_hash for member in ensemble.members)
        ]
    )


def _commit(ensemble: Ensemble, commits: Mapping[tuple[str, str], str]) -> str:
    """Return the commit that its members were made by."""
    return next((commits.get((m.name, m.version), "") for m in ensemble.members), "")
