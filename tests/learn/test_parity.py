"""Parity: a wrong graph is detected before it is registered."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ares.learn.calibration import Platt
from ares.learn.fit import FittedModel
from ares.learn.onnx_graph import reference_rows, to_onnx
from ares.learn.parity import ConversionWrongError, Parity, compare, require_parity
from ares.learn.rows import Rows

MakeRows = Callable[..., Rows]
ParityOf = Callable[..., Parity]
PLATT = Platt(a=1.7, b=-0.3)


def test_a_swapped_calibration_is_caught(
    trained: tuple[Rows, FittedModel], parity_of: ParityOf
) -> None:
    table, fitted = trained
    swapped = to_onnx(fitted.trees, Platt(a=PLATT.b, b=PLATT.a))
    parity = parity_of(swapped, fitted, PLATT, reference_rows(table.x, fitted.trees))
    assert not parity.passed
    with pytest.raises(ConversionWrongError, match="differs from the trained model by up to"):
        require_parity(parity)


@pytest.mark.parametrize("attribute", ["nodes_values", "nodes_missing_value_tracks_true"])
def test_a_wrong_branch_is_caught(
    trained: tuple[Rows, FittedModel], attribute: str, parity_of: ParityOf
) -> None:
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


def test_outputs_of_another_shape_or_nan_do_not_pass() -> None:
    made = np.zeros((3, 2), np.float32)
    expected = np.array([0.1, 0.2, 0.3])
    assert not compare(expected, lambda _: np.array([0.1, 0.2]), made).passed
    assert not compare(expected, lambda _: np.array([0.1, np.nan, 0.3]), made).passed
    assert compare(expected, lambda _: expected, made).passed
