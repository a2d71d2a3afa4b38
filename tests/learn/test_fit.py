"""Fitting: deterministic, stopped early, with scores of one scale."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from ares.learn.fit import LearningCurve, fit, importance_of
from ares.learn.recipe import Recipe
from ares.learn.rows import Rows, blanked

MakeRows = Callable[..., Rows]


def test_fitting_the_same_rows_gives_the_same_trees(rows: MakeRows, recipe: Recipe) -> None:
    table = rows(1500)
    first, second = fit(table.x, table, recipe), fit(table.x.copy(), table, recipe)
    assert first.trees == second.trees
    assert first.curve == second.curve


def test_fitting_stops_early_and_keeps_the_best_epoch(rows: MakeRows, recipe: Recipe) -> None:
    table = rows(4000, skill=0.3)
    curve = fit(table.x, table, recipe).curve
    assert curve.epochs == int(np.argmin(curve.stopping)) + 1
    assert len(curve.stopping) <= curve.epochs + recipe.boost.patience
    assert curve.stopping_base is not None
    assert min(curve.stopping) < curve.stopping_base


def test_the_target_confidence_ends_the_patience(rows: MakeRows, recipe: Recipe) -> None:
    table = rows(4000, skill=0.3)

    def curve_at(target: float) -> LearningCurve:
        boost = msgspec.structs.replace(recipe.boost, target_confidence=target)
        return fit(table.x, table, msgspec.structs.replace(recipe, boost=boost)).curve

    reached, never = curve_at(0.0), curve_at(1.0)
    assert len(reached.stopping) == reached.epochs + 1
    assert len(never.stopping) == never.epochs + recipe.boost.patience


def test_scores_of_a_short_and_a_long_fit_have_one_scale(rows: MakeRows, recipe: Recipe) -> None:
    table = rows(4000, skill=0.8)
    deviations = []
    for epochs in (1, 20):
        boost = msgspec.structs.replace(recipe.boost, epochs_max=epochs)
        fitted = fit(table.x, table, msgspec.structs.replace(recipe, boost=boost))
        deviations.append((fitted.raw(table.x).std(), fitted.score(table.x).std()))
    (short_raw, short_score), (long_raw, long_score) = deviations
    assert long_raw > 1.5 * short_raw
    assert short_score == pytest.approx(1.0, abs=0.05)
    assert long_score == pytest.approx(1.0, abs=0.05)


def test_the_importance_is_the_share_of_the_gain(rows: MakeRows, recipe: Recipe) -> None:
    made = rows(4000, skill=0.3)
    model = fit(made.x, made, recipe)
    names = [f"column {k}" for k in range(made.x.shape[1])]
    found = importance_of(model, names)
    gain = np.asarray(model.booster.feature_importance(importance_type="gain"))
    shares = [share for _, share in found]
    assert shares == sorted(shares, reverse=True)
    assert found[0][0] == names[int(np.argmax(gain))]
    assert sum(share for _, share in importance_of(model, names, 10**6)) == pytest.approx(1.0)


def test_blanked_columns_are_never_split_on(rows: MakeRows, recipe: Recipe) -> None:
    table = rows(3000)
    learned = recipe.features[1:]
    x = blanked(table.x, recipe.features, learned)
    assert x.shape == table.x.shape
    assert fit(x, table, recipe).trees["feature_importances"].get("Column_0", 0) == 0
    assert table.x[:, 0].any()
