"""The exported graph says what the trained model says; one that does not is always caught."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares.adapters.onnx_model import open_model
from ares.learn.calibration import Platt, fit_platt
from ares.learn.fit import FittedModel, fit
from ares.learn.onnx_graph import floor32, reference_rows, served_threshold, split_points, to_onnx
from ares.learn.parity import Parity
from ares.learn.recipe import Recipe
from ares.learn.rows import Rows

MakeRows = Callable[..., Rows]
ParityOf = Callable[..., Parity]
PLATT = Platt(a=1.7, b=-0.3)


def test_no_row_differs_on_thresholds_nans_and_extremes(
    trained: tuple[Rows, FittedModel], parity_of: ParityOf
) -> None:
    table, fitted = trained
    made = reference_rows(table.x, fitted.trees)
    parity = parity_of(to_onnx(fitted.trees, PLATT), fitted, PLATT, made)
    assert parity.passed
    assert parity.difference_max < 1e-6
    assert len(made) > 3 * len(split_points(fitted.trees)) > 100


def test_nans_that_training_had_none_of_take_the_models_branch(
    rows: MakeRows, recipe: Recipe, parity_of: ParityOf
) -> None:
    table = rows(2000)
    whole = np.nan_to_num(table.x)
    fitted = fit(whole, table, recipe)
    made = whole[:500].copy()
    made[np.random.default_rng(0).random(made.shape) < 0.3] = np.nan
    assert parity_of(to_onnx(fitted.trees, PLATT), fitted, PLATT, made).passed


def test_a_model_that_found_nothing_to_split_on_is_exported_too(
    rows: MakeRows, recipe: Recipe, parity_of: ParityOf
) -> None:
    table = rows(200)
    fitted = fit(np.zeros_like(table.x), table, recipe)
    made = reference_rows(table.x, fitted.trees)
    assert parity_of(to_onnx(fitted.trees, PLATT), fitted, PLATT, made).passed


def test_equal_models_are_equal_bytes(rows: MakeRows, recipe: Recipe) -> None:
    first, second = (rows(1200, seed=3) for _ in range(2))
    graphs = [to_onnx(fit(r.x, r, recipe).trees, PLATT) for r in (first, second)]
    assert graphs[0] == graphs[1]


@settings(deadline=None)
@given(st.floats(width=64, allow_nan=False), st.floats(width=32, allow_nan=False))
def test_the_served_threshold_parts_all_float32_as_lightgbm_does(
    threshold: float, value: float
) -> None:
    tiny = abs(value) <= float(np.float32(1e-35))
    as_lightgbm = (0.0 if tiny else value) <= threshold
    assert bool(np.float32(value) <= served_threshold(threshold)) == as_lightgbm


@settings(deadline=None)
@given(st.floats(width=64, allow_nan=False, allow_infinity=False))
def test_floor32_is_the_nearest_below(value: float) -> None:
    floor = floor32(value)
    assert float(floor) <= value
    with np.errstate(over="ignore"):
        assert float(np.nextafter(floor, np.float32(np.inf))) > value


def test_calibration_lives_in_the_graph(trained: tuple[Rows, FittedModel]) -> None:
    table, fitted = trained
    platt = fit_platt(fitted.raw(table.x), table.won, overlap=1, base_rate=0.5)
    served = open_model(to_onnx(fitted.trees, platt), table.x.shape[1], "test")(table.x)
    assert served == pytest.approx(platt.probability(fitted.raw(table.x)), abs=1e-6)
    assert abs(served.mean() - table.won.mean()) < 0.02
