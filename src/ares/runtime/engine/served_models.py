"""The models of a run, opened from our own disk as the engine serves them."""

from __future__ import annotations

from pathlib import Path

from ares.adapters.layered_store import FOLDER, LayeredModelStore
from ares.adapters.model_store import ModelStore
from ares.adapters.onnx_model import open_model, within
from ares.config.workspace import Workspace
from ares.core.state import Scorer, Scorers
from ares.domain.errors import UserError
from ares.domain.model import Ensemble
from ares.domain.package import Package
from ares.domain.run import RunSetup
from ares.kernel.features import N_FEATURES
from ares.kernel.features.columns import require_same_columns
from ares.kernel.features.series import column_names_of
from ares.kernel.features.user import UserFeatures
from ares.observe.user_features_check import load_features
from ares.runtime.engine.hot_swap import Opener
from ares.runtime.engine.plan import USER_HASH


def scorers_of(workspace: Workspace, setup: RunSetup) -> Scorers:
    """Return a scorer per package of a run, each loaded from our own disk and verified."""
    models = ModelStore(workspace.models_dir)
    members = {
        member.package_hash: member
        for one in setup.instruments
        if one.ensemble is not None
        for member in one.ensemble.members
    }
    return {
        package_hash: _served(models.member(member), setup)
        for package_hash, member in members.items()
    }


def opener_of(workspace: Workspace, folder: Path, setup: RunSetup) -> Opener:
    """Return what opens an ensemble that a run publishes: of its own folder, else of ours.

    setup : the run's, with the external series that its rows have.
    """
    models = LayeredModelStore(folder / FOLDER, workspace.models_dir)
    user = features_of_user(workspace)

    def open_ensemble(ensemble: Ensemble) -> Scorers:
        opened: Scorers = {}
        for member in ensemble.members:
            package = models.member(member)
            card = package.card
            require_same_columns(card.ref, card.features, card.features_hash, user, card.series)
            if card.instruments and ensemble.instrument not in card.instruments:
                raise UserError(
                    f"{card.ref} was made for {', '.join(card.instruments)}, not for"
                    f" {ensemble.instrument}"
                )
            opened[member.package_hash] = _served(package, setup)
        return opened

    return open_ensemble


def _served(package: Package, setup: RunSetup) -> Scorer:
    """Return the scorer of a package for the rows of a run: it is given its own columns of them.

    Raises UserError where the package was trained with series that the run does not have, or has
    with other settings.
    """
    card = package.card
    specs = {spec.name: spec for spec in setup.series}
    for spec in card.series:
        if specs.get(spec.name) != spec:
            how = "with other settings" if spec.name in specs else "not"
            raise UserError(f"{card.ref} was trained with {spec.name}, which the run has {how}")
    scorer = open_model(package.graph, len(card.features), card.ref)
    if card.origin != "trained":
        scorer = within(scorer)
    if card.series == setup.series:
        return scorer
    n_own = N_FEATURES + len(setup.user_features)
    names = [name for spec in setup.series for name in column_names_of(spec)]
    chosen = [n_own + names.index(name) for spec in card.series for name in column_names_of(spec)]
    if not chosen:
        return lambda rows: scorer(rows[:, :n_own])
    columns = [*range(n_own), *chosen]
    return lambda rows: scorer(rows[:, columns])


def features_of_user(workspace: Workspace) -> UserFeatures | None:
    """Return the features of the module that the settings name, if any; they are not tried yet."""
    return load_features(workspace.settings.features.module, workspace.root)


def features_of_run(workspace: Workspace, setup: RunSetup) -> UserFeatures | None:
    """Return the user's features that a run was made with, if any.

    Raises UserError where the settings name no module, or one that has changed since.
    """
    if not setup.user_features:
        return None
    user = features_of_user(workspace)
    if user is None:
        names = ", ".join(setup.user_features)
        raise UserError(
            f"{setup.environment} was made with features of your own ({names}): set"
            " features.module to their module"
        )
    if user.hash != setup.hashes[USER_HASH]:
        raise UserError(
            f"{user.path} is not what {setup.environment} was made with: put that version back"
        )
    return user
