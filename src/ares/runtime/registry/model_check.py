"""Whether a model works: verified, opened, and scored on rows before anything depends on it.

The one check of a promotion, a validation, an import and a hot swap: they differ in the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ares.adapters.onnx_model import (
    F32,
    F64,
    SINGLE_DIFFERENCE_MAX,
    Scorer,
    check_outputs,
    is_constant,
    open_model,
)
from ares.adapters.strategy_file import columns_of_package
from ares.domain.errors import ExternalError, UserError
from ares.domain.model import Ensemble, Member
from ares.domain.package import Package
from ares.kernel.features.columns import column_names, require_same_columns
from ares.kernel.features.user import UserFeatures

SYNTHETIC_ROWS = 256


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """A model that can score rows; ``ref`` names it in messages."""

    ref: str
    scorer: Scorer


def open_graph(package: Package) -> Scorer:
    """Return the scorer of a package's graph, as it is stored."""
    return open_model(package.graph, len(package.card.features), package.card.ref)


def load_packages(
    ensemble: Ensemble, load: Callable[[Member], Package], user: UserFeatures | None
) -> tuple[Package, ...]:
    """Return the packages of an ensemble, with verified hashes and matching columns.

    load : loads a package and verifies its hashes.     user : the user's features there are now.

    Raises UserError or ExternalError, naming the package, where one is missing, damaged, or made
    for other features or another instrument.
    """
    if not ensemble.members:
        raise UserError(f"ensemble {ensemble.hash[:12]} has no members: train again")
    packages = []
    for member in ensemble.members:
        try:
            package = load(member)
        except UserError:
            raise ExternalError(
                f"{member.name}/{member.version} is missing: restore it from an export, or train "
                "again"
            ) from None
        require_fitting(package, ensemble.instrument, user)
        packages.append(package)
    return tuple(packages)


def require_fitting(package: Package, instrument: str, user: UserFeatures | None) -> None:
    """Raise UserError where a package was made for other features or another instrument."""
    card, user = package.card, columns_of_package(package, user)
    require_same_columns(card.ref, card.features, card.features_hash, user, card.series)
    if tuple(card.features) != column_names(user, card.series):
        raise UserError(f"{card.ref} names other columns than those of its hash: train again")
    if card.instruments and instrument not in card.instruments:
        raise UserError(
            f"{card.ref} was made for {', '.join(card.instruments)}, not for {instrument}: train "
            "one for it"
        )


def check_scores(
    models: Sequence[OpenedModel],
    rows: Sequence[F32],
    *,
    constant_allowed: bool = False,
    more_rows: bool = False,
    difference_max: float = SINGLE_DIFFERENCE_MAX,
) -> list[F64]:
    """Return each model's probabilities on its rows.

    rows             : (n, n_features) for each model.
    constant_allowed : whether no model needs to vary its output.
    more_rows        : a model whose output is constant on its rows also scores synthetic rows, wide
                       around them: one of few trees may be constant over some calm days.
    difference_max   : between the score of a row in a batch and by itself.

    Raises UserError, naming the model, where one cannot score rows or gives anything but
    probabilities, and where no model varies its output.
    """
    scores, varies = [], []
    for model, own in zip(models, rows, strict=True):
        p = _probabilities(model, own, difference_max)
        scores.append(p)
        if more_rows and is_constant(p):
            p = np.concatenate([p, _probabilities(model, synthetic_rows(own), difference_max)])
        varies.append(not is_constant(p))
    if not constant_allowed and not any(varies):
        names = ", ".join(model.ref for model in models)
        raise UserError(f"{names}: gives {scores[0][0]:.6g} for every row; a constant is no model")
    return scores


def synthetic_rows(rows: F32, n_rows: int = SYNTHETIC_ROWS) -> F32:
    """Return rows drawn wide around those given; always the same ones.

    rows : (n, n_features), NaN counts as 0; where there are none, the draws are around 0.
    """
    draw = np.random.default_rng(0).standard_normal((n_rows, rows.shape[1]))
    known = np.where(np.isfinite(rows), rows, 0.0).astype(np.float64)
    if not len(known):
        known = np.zeros((1, rows.shape[1]))
    mean, deviation = known.mean(axis=0), known.std(axis=0)
    wide: F32 = (mean + draw * (1.0 + np.abs(mean) + 5.0 * deviation)).astype(np.float32)
    return wide


def _probabilities(model: OpenedModel, rows: F32, difference_max: float) -> F64:
    return check_outputs(
        model.scorer, rows, model.ref, constant_allowed=True, difference_max=difference_max
    )
