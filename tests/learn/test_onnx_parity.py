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
from ares.learn.parity import ConversionWrongError, Parity, compare, require_parity
from ares.learn.recipe import Recipe
from ares.learn.rows import Rows

MakeRows = Callable[..., Rows]
PLATT = Platt(a=1.7, b=-0.3)


@pytest.fixture(scope="module")
def trained(rows: MakeRows, recipe: Recipe) -> tuple[Rows, FittedModel]:
    table = rows(3000)
    return table, fit(table.x, table, recipe)


def parity_of(graph: bytes, fitted: FittedModel, platt: Platt, table: np.ndarray) -> Parity:
    expected = platt.probability(fitted.raw(table))
    return compare(expected, open_model(graph, table.shape[1], "test"), table)


def test_no_row_differs_not_even_on_thresholds_holes_and_extremes(
    trained: tuple[Rows, FittedModel],
) -> None:
    table, fitted = trained
    made = reference_rows(table.x, fitted.trees)
    parity = parity_of(to_onnx(fitted.trees, PLATT), fitted, PLATT, made)
    assert parity.passed
    assert parity.difference_max < 1e-6
    assert len(made) > 3 * len(split_points(fitted.trees)) > 100


def test_holes_that_training_never_saw_are_read_as_the_model_reads_them(
    rows: MakeRows, recipe: Recipe
) -> None:
    table = rows(2000)
    whole = np.nan_to_num(table.x)
    fitted = fit(whole, table, recipe)
    made = whole[:500].copy()
    made[np.random.default_rng(0).random(made.shape) < 0.3] = np.nan
    assert parity_of(to_onnx(fitted.trees, PLATT), fitted, PLATT, made).passed


def test_a_model_that_found_nothing_to_split_on_is_exported_too(
    rows: MakeRows, recipe: Recipe
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


def test_a_swapped_calibration_is_caught(trained: tuple[Rows, FittedModel]) -> None:
    table, fitted = trained
    swapped = to_onnx(fitted.trees, Platt(a=PLATT.b, b=PLATT.a))
    parity = parity_of(swapped, fitted, PLATT, reference_rows(table.x, fitted.trees))
    assert not parity.passed
    with pytest.raises(ConversionWrongError, match="differs from the trained model by up to"):
        require_parity(parity)


@pytest.mark.parametrize("attribute", ["nodes_values", "nodes_missing_value_tracks_true"])
def test_a_wrong_branch_is_caught(trained: tuple[Rows, FittedModel], attribute: str) -> None:
    """Round one threshold to nearest, or turn one hole: what a library's converter does."""
    import onnx

    table, fitted = trained
    model = onnx.load_from_string(to_onnx(fitted.trees, PLATT))
    tree = model.graph.node[0]
    found = {item.name: item for item in tree.attribute}
    modes = found["nodes_modes"].strings
    place = next(k for k, mode in enumerate(modes) if mode == b"BRANCH_LEQ")
    if attribute == "nodes_values":
        value = np.float32(found[attribute].floats[place])
        found[attribute].floats[place] = float(np.nextafter(value, np.float32(np.inf)))
    else:
        found[attribute].ints[place] ^= 1
    made = reference_rows(table.x, fitted.trees)
    assert not parity_of(model.SerializeToString(), fitted, PLATT, made).passed


def test_scikit_learns_calibrated_classifier_converts_wrongly_and_is_caught(
    trained: tuple[Rows, FittedModel],
) -> None:
    """The known silent error: the wrapper's converter calibrates probabilities, not log-odds."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lightgbm import LGBMClassifier
        from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
        from skl2onnx import convert_sklearn, update_registered_converter
        from skl2onnx.common.data_types import FloatTensorType
        from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
        from sklearn.calibration import CalibratedClassifierCV

        table, _ = trained
        model = CalibratedClassifierCV(
            LGBMClassifier(n_estimators=30, num_leaves=7, num_threads=1, verbosity=-1), cv=2
        ).fit(table.x, table.won)
        update_registered_converter(
            LGBMClassifier,
            "Lgbm",
            calculate_linear_classifier_output_shapes,
            convert_lightgbm,
            options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
        )
        graph = convert_sklearn(
            model,
            initial_types=[("features", FloatTensorType([None, table.x.shape[1]]))],
            options={id(model): {"zipmap": False}},
            target_opset={"": 15, "ai.onnx.ml": 3},
        ).SerializeToString()
        expected = np.asarray(model.predict_proba(table.x)[:, 1])

    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    parity = compare(
        expected,
        lambda made: np.asarray(session.run(["probabilities"], {"features": made})[0])[:, 1],
        table.x,
    )
    assert not parity.passed
    assert parity.difference_max > 0.01


def test_answers_of_another_shape_or_nan_do_not_pass() -> None:
    made = np.zeros((3, 2), np.float32)
    expected = np.array([0.1, 0.2, 0.3])
    assert not compare(expected, lambda _: np.array([0.1, 0.2]), made).passed
    assert not compare(expected, lambda _: np.array([0.1, np.nan, 0.3]), made).passed
    assert compare(expected, lambda _: expected, made).passed


def test_calibration_lives_in_the_graph(trained: tuple[Rows, FittedModel]) -> None:
    table, fitted = trained
    platt = fit_platt(fitted.raw(table.x), table.won, overlap=1, base_rate=0.5)
    served = open_model(to_onnx(fitted.trees, platt), table.x.shape[1], "test")(table.x)
    assert served == pytest.approx(platt.probability(fitted.raw(table.x)), abs=1e-6)
    assert abs(served.mean() - table.won.mean()) < 0.02
