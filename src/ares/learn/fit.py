"""Fitting: gradient boosting with early stopping, the same bytes for the same rows.

One thread, deterministic, the seed out of the recipe. Boosting goes in epochs; how many is
chosen on the newest slice of the training part itself (purged), never on the fold that
calibrates or tests, and the model is then fitted on the whole training part for that long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ares.domain.package import GRAPH_FILE
from ares.kernel.bars import F64, I64, Bools
from ares.learn.calibration import Platt
from ares.learn.fit_result import LearningCurve, scale_rows
from ares.learn.onnx_graph import reference_rows, to_onnx
from ares.learn.recipe import BoostRecipe, Recipe
from ares.learn.rows import F32, Rows
from ares.learn.series import fitted_on
from ares.learn.splits import stopping_slice
from ares.learn.strategy import FittedStrategy, fit_strategy

__all__ = ["Fitted", "FittedModel", "LearningCurve", "fit", "fit_recipe"]

BINNED_ROWS = 5_000
"""Rows from which the bins of a feature are made."""


@dataclass(frozen=True, slots=True)
class FittedModel:
    """A trained model as plain trees, with its learning curve and the scale of its scores.

    trees : LightGBM's own description of the model (``Booster.dump_model``).
    centre, spread : mean and standard deviation of its log-odds over rows it was fitted on.
    """

    booster: Any
    trees: dict[str, Any]
    curve: LearningCurve
    centre: float
    spread: float
    file_name: str = GRAPH_FILE

    def raw(self, x: F32) -> F64:
        """Return the log-odds of ``(n, n_features)`` rows, ``(n,)``."""
        if len(x) == 0:
            return np.empty(0)
        return _raw(self.booster, x)

    def score(self, x: F32) -> F64:
        """Return the log-odds in standard deviations from their mean, ``(n,)``.

        The log-odds of ten trees spread less than those of a hundred: only standardised do the
        scores of several models have one scale, and one calibration.
        """
        return (self.raw(x) - self.centre) / self.spread

    def exported(self, platt: Platt) -> bytes:
        """Return the ONNX graph of the trees and their calibration."""
        return to_onnx(self.trees, platt)

    def reference_rows(self, x: F32) -> F32:
        """Return rows on which a graph that is wrong anywhere differs, see ``onnx_graph``."""
        return reference_rows(x, self.trees)


Fitted = FittedModel | FittedStrategy
"""What a recipe's algorithm makes of rows."""


def fit_recipe(x: F32, rows: Rows, recipe: Recipe) -> Fitted:
    """Return what the recipe's algorithm makes of these rows, see ``fit``."""
    return fit_strategy(x) if recipe.strategy is not None else fit(x, rows, recipe)


def fit(x: F32, rows: Rows, recipe: Recipe) -> FittedModel:
    """Return the model of these rows; the same rows give the same trees to the bit.

    x    : (n, n_features) float32 rows, blanked where the recipe may not use them.
    rows : the same rows with their times and outcomes.
    """
    won = rows.won
    data = _dataset(fitted_on(x, rows, recipe), won, recipe)
    head, tail = stopping_slice(rows.decided_ms, rows.ends_ms, recipe.embargo_ms)
    curve = _choose_epochs(data, won, head, tail, recipe)
    booster = _boost(data, recipe, len(rows), curve.epochs)
    raw = _raw(booster, scale_rows(x))
    spread = float(raw.std())
    scale = spread if spread > 1e-9 else 1.0
    return FittedModel(booster, booster.dump_model(), curve, float(raw.mean()), scale)


def importance_of(
    model: FittedModel, columns: Sequence[str], shown: int = 10
) -> tuple[tuple[str, float], ...]:
    """Return the columns with the largest share of the gain of all splits, the largest first."""
    gain = np.asarray(model.booster.feature_importance(importance_type="gain"), np.float64)
    total = float(gain.sum())
    if total <= 0.0:
        return ()
    order = np.argsort(-gain, kind="stable")[:shown]
    return tuple((columns[k], float(gain[k] / total)) for k in order if gain[k] > 0.0)


def _raw(booster: Any, x: F32) -> F64:
    return np.asarray(booster.predict(x, raw_score=True, num_threads=1), np.float64)


def _choose_epochs(data: Any, won: Bools, head: I64, tail: I64, recipe: Recipe) -> LearningCurve:
    """Fit the head until the tail's loss has not improved for ``patience`` epochs."""
    boost = recipe.boost
    if len(tail) == 0 or won[head].all() or not won[head].any():
        return LearningCurve((), (), None, max(1, boost.epochs_max // 4))
    booster = _booster(data.subset(head), recipe, len(head))
    booster.add_valid(data.subset(tail), "stopping")
    fitted: list[float] = []
    stopping: list[float] = []
    best = 0
    for epoch in range(boost.epochs_max):
        if _add_epoch(booster, boost):
            break
        loss, confidence = (float(result[2]) for result in booster.eval_valid())
        fitted.append(float(booster.eval_train()[0][2]))
        stopping.append(loss)
        if loss < stopping[best]:
            best = epoch
        separates = confidence >= boost.target_confidence
        if epoch - best >= (1 if separates else boost.patience):
            break
    base = float(-np.log(np.where(won[tail], won[head].mean(), 1.0 - won[head].mean())).mean())
    return LearningCurve(tuple(fitted), tuple(stopping), base, best + 1)


def _boost(data: Any, recipe: Recipe, n: int, epochs: int) -> Any:
    booster = _booster(data, recipe, n)
    for _ in range(epochs):
        if _add_epoch(booster, recipe.boost):
            break
    return booster


def _add_epoch(booster: Any, boost: BoostRecipe) -> bool:
    """Add an epoch's trees; return True when no further split is possible."""
    return any(booster.update() for _ in range(boost.rounds_per_epoch))


def _booster(data: Any, recipe: Recipe, n: int) -> Any:
    import lightgbm

    return lightgbm.Booster(_parameters(recipe, n), data)


def _dataset(x: F32, won: Bools, recipe: Recipe) -> Any:
    import lightgbm

    data = lightgbm.Dataset(x, won.astype(np.float32), params=_parameters(recipe, len(x)))
    return data.construct()


def _parameters(recipe: Recipe, n: int) -> dict[str, Any]:
    """Return LightGBM's parameters; one thread: two are slower under load and give other bits."""
    boost = recipe.boost
    return {
        "objective": "binary",
        "metric": ["binary_logloss", "auc"],
        "num_leaves": boost.leaves,
        "learning_rate": boost.learning_rate,
        "min_data_in_leaf": max(boost.leaf_rows_min, int(boost.leaf_share_min * n)),
        "feature_fraction": boost.feature_share,
        "lambda_l2": boost.l2,
        "max_bin": boost.bins,
        "bin_construct_sample_cnt": BINNED_ROWS,
        "seed": recipe.seed,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "feature_pre_filter": False,
        "verbosity": -1,
    }
