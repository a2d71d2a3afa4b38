"""The models of a run, opened from our own disk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ares.adapters.layered_store import FOLDER, LayeredModelStore
from ares.adapters.model_store import ModelStore
from ares.adapters.onnx_model import open_model, within
from ares.adapters.strategy_file import with_strategies
from ares.core.models import Scorer, Scorers
from ares.domain.errors import UserError
from ares.domain.model import Ensemble
from ares.domain.package import Package
from ares.domain.run import RunSetup
from ares.kernel.features import FEATURE_NAMES
from ares.kernel.features.series import column_names_of
from ares.kernel.features.user import UserFeatures
from ares.runtime.engine.code_version import USER_HASH
from ares.runtime.engine.hot_swap import Opener
from ares.runtime.registry.model_check import load_packages


def scorers_of(models_dir: Path, setup: RunSetup) -> Scorers:
    """Return the scorers of a run's packages, each loaded from our own disk and verified."""
    models = ModelStore(models_dir)
    members = {
        member.package_hash: member
        for lane in setup.instruments
        if lane.ensemble is not None
        for member in lane.ensemble.members
    }
    return {
        package_hash: _served(models.member(member), setup)
        for package_hash, member in members.items()
    }


def opener_of(models_dir: Path, folder: Path, user: UserFeatures | None, setup: RunSetup) -> Opener:
    """Return the function that opens an ensemble published during a run: from the run's folder,
    else from ``models_dir``.

    user  : the user's own features; None: there are none.
    setup : the run's, with the external series that its rows have.
    """
    models = LayeredModelStore(folder / FOLDER, models_dir)

    def open_ensemble(ensemble: Ensemble) -> Scorers:
        packages = load_packages(ensemble, models.member, user)
        return {package.hash: _served(package, setup) for package in packages}

    return open_ensemble


def _served(package: Package, setup: RunSetup) -> Scorer:
    """Return the scorer of a package for the rows of a run, of which it takes its own columns.

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
    names = [*FEATURE_NAMES, *setup.user_features]
    names += [name for spec in setup.series for name in column_names_of(spec)]
    if list(card.features) == names:
        return scorer
    missing = [name for name in card.features if name not in names]
    if missing:
        raise UserError(
            f"{card.ref} needs the column {missing[0]}, which the run does not have: begin a run "
            "with this model"
        )
    columns = [names.index(name) for name in card.features]
    return lambda rows: scorer(rows[:, columns])


def run_features(
    models: ModelStore, ensembles: Iterable[Ensemble | None], user: UserFeatures | None
) -> UserFeatures | None:
    """Return the user's columns of a run that serves these ensembles: those of the module, then the
    scores of the ensembles' strategies.
    """
    members = dict.fromkeys(
        member for ensemble in ensembles if ensemble is not None for member in ensemble.members
    )
    return with_strategies(user, [models.member(member) for member in members])


def features_of_run(
    models_dir: Path, user: UserFeatures | None, setup: RunSetup
) -> UserFeatures | None:
    """Return the user's own columns where a run was made with them; None: it was made without.

    user : of the module that the settings name; None: they name none.
    Raises UserError where there is no such module, or it has changed since.
    """
    if not setup.user_features:
        return None
    ensembles = [e for lane in setup.instruments for e in (lane.ensemble, lane.previous)]
    strategies = run_features(ModelStore(models_dir), ensembles, None)
    scores = () if strategies is None else strategies.names
    own = [name for name in setup.user_features if name not in scores]
    if own and user is None:
        raise UserError(
            f"{setup.environment} was made with features of your own ({', '.join(own)}): set"
            " features.module to their module"
        )
    found = run_features(ModelStore(models_dir), ensembles, user if own else None)
    if found is None or found.hash != setup.hashes[USER_HASH]:
        path = "its strategy" if user is None else user.path
        raise UserError(
            f"{path} is not what {setup.environment} was made with: restore that version"
        )
    return found
