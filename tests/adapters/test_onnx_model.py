"""Models from outside keep the contract, or are refused in one line that says why."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import lightgbm
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from ares.adapters.onnx_model import check_outputs, open_model, within
from ares.domain.errors import UserError
from ares.learn.calibration import Platt
from ares.learn.onnx_graph import to_onnx

N = 4


def graph(
    *,
    kind: str = "Sigmoid",
    input_name: str = "features",
    output_name: str = "probability",
    columns: int | None = N,
    weights: list[float] | None = None,
    dtype: int = TensorProto.FLOAT,
) -> bytes:
    """Return a linear model: ``kind`` applied to features times weights."""
    numpy_type = np.float32 if dtype == TensorProto.FLOAT else np.float64
    values = np.array(weights or [0.5, -0.5, 0.1, 0.0], numpy_type)
    nodes = [
        helper.make_node("MatMul", [input_name, "weights"], ["raw"]),
        helper.make_node(kind, ["raw"], [output_name]),
    ]
    made = helper.make_graph(
        nodes,
        "user",
        [helper.make_tensor_value_info(input_name, dtype, [None, columns])],
        [helper.make_tensor_value_info(output_name, dtype, [None, 1])],
        [helper.make_tensor("weights", dtype, [N, 1], values.tolist())],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    return bytes(model.SerializeToString())


ROWS = np.random.default_rng(0).normal(size=(50, N)).astype(np.float32)


def test_a_good_model_scores_rows_as_float64_probabilities() -> None:
    score = open_model(graph(), N, "mine.onnx")
    p = check_outputs(score, ROWS, "mine.onnx")
    assert p.shape == (50,)
    assert p.dtype == np.float64
    assert p == pytest.approx(1 / (1 + np.exp(-(ROWS @ [0.5, -0.5, 0.1, 0.0]))), abs=1e-6)


def test_a_batch_and_its_rows_alone_give_the_same_bits() -> None:
    score = open_model(graph(), N, "mine.onnx")
    alone = np.concatenate([score(ROWS[place : place + 1]) for place in range(50)])
    assert np.array_equal(score(ROWS), alone)


@pytest.mark.parametrize("output", [[None, 1], [None]])
def test_rows_through_bound_memory_have_the_bits_of_session_run(output: list[int | None]) -> None:
    made = boosted_graph() if len(output) == 2 else flat_graph()
    score = open_model(made, N, "mine.onnx")
    wanted = session_run(made, ROWS)
    kept = [score(ROWS[k : k + 1]) for k in range(50)]  # the first one binds the memory
    assert np.concatenate(kept).tobytes() == wanted.tobytes()  # no score is overwritten later
    alone = [session_run(made, ROWS[k : k + 1]) for k in range(50)]
    assert np.concatenate(kept).tobytes() == np.concatenate(alone).tobytes()
    for n_rows in (0, 1, 2, 7, 50):
        p = score(ROWS[:n_rows])
        assert p.shape == (n_rows,)
        assert p.tobytes() == wanted[:n_rows].tobytes()
    assert score(ROWS[::2][3:4]).tobytes() == wanted[6:7].tobytes()  # rows that are not contiguous
    assert score(np.asfortranarray(ROWS)[9:10]).tobytes() == wanted[9:10].tobytes()


def test_a_row_of_another_width_is_refused_after_the_memory_is_bound() -> None:
    score = open_model(graph(), N, "mine.onnx")
    score(ROWS[:1])
    for width in (1, N - 1):
        with pytest.raises(Exception, match="Got invalid dimensions"):
            score(ROWS[:1, :width])


def test_two_threads_share_a_model() -> None:
    score = open_model(graph(), N, "mine.onnx")
    wanted = score(ROWS)

    def all_alone(_n: int) -> bytes:
        scores = [score(ROWS[k : k + 1]) for _ in range(50) for k in range(50)]
        return np.concatenate(scores[-50:]).tobytes()

    with ThreadPoolExecutor(2) as threads:
        assert set(threads.map(all_alone, range(4))) == {wanted.tobytes()}


def session_run(made: bytes, rows: np.ndarray) -> np.ndarray:
    """Return the outputs of a plain session, as float64."""
    session = onnxruntime.InferenceSession(made, providers=["CPUExecutionProvider"])
    found = session.run(["probability"], {"features": np.ascontiguousarray(rows)})[0]
    return np.asarray(found, np.float64).reshape(-1)


def boosted_graph() -> bytes:
    """Return boosted trees with calibration, as a training exports them."""
    data = lightgbm.Dataset(np.tile(ROWS, (8, 1)), np.tile((ROWS[:, 0] > 0).astype(np.float32), 8))
    settings = {"objective": "binary", "num_leaves": 7, "num_threads": 1, "verbosity": -1}
    trees = lightgbm.train(settings, data, num_boost_round=20).dump_model()
    return to_onnx(trees, Platt(0.5, 0.1))


def flat_graph() -> bytes:
    """Return the linear model with an output of shape (n,)."""
    model = onnx.load_from_string(graph())
    model.graph.node[1].output[0] = "column"
    model.graph.initializer.append(helper.make_tensor("shape", TensorProto.INT64, [1], [-1]))
    model.graph.node.append(helper.make_node("Reshape", ["column", "shape"], ["probability"]))
    del model.graph.output[:]
    output = helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None])
    model.graph.output.append(output)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (b"", "is no ONNX model"),
        (b"not a model at all", "is no ONNX model"),
        (graph()[:-40], "is no ONNX model"),
        (graph(input_name="x"), r"its inputs are \['x'\]; wanted one called 'features'"),
        (graph(output_name="label"), r"its outputs are \['label'\]; one must be 'probability'"),
        (graph(columns=N, dtype=TensorProto.DOUBLE), "must be tensors of float32"),
    ],
)
def test_a_graph_without_the_contract_is_refused(made: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        open_model(made, N, "mine.onnx")
    assert str(caught.value).startswith("mine.onnx: ")
    assert "\n" not in str(caught.value)


def test_another_number_of_features_is_refused() -> None:
    with pytest.raises(UserError, match="was made for 4 features; this version of Ares has 9"):
        open_model(graph(), 9, "mine.onnx")


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (graph(kind="Identity"), r"gives values from .*; a probability lies in \[0, 1\]"),
        (graph(kind="Log"), "gives NaN for [0-9]+ of 50 rows"),
        (graph(weights=[0.0, 0.0, 0.0, 0.0]), "gives 0.5 for every row; a constant is no model"),
    ],
)
def test_answers_that_are_no_probabilities_are_refused(made: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_outputs(open_model(made, N, "mine.onnx"), ROWS, "mine.onnx")


def test_a_graph_that_looks_at_its_neighbours_is_refused() -> None:
    """Asked all at once it would see bars that have not closed when the engine asks."""
    made = onnx.load_from_string(graph(kind="Softmax"))
    made.graph.node[1].attribute.append(helper.make_attribute("axis", 0))
    with pytest.raises(
        UserError, match="the output of a row depends on the other rows of its batch"
    ):
        check_outputs(open_model(bytes(made.SerializeToString()), N, "mine.onnx"), ROWS, "mine")


def test_another_opset_is_named() -> None:
    for domain in ("", "ai.onnx.ml"):
        made = onnx.load_from_string(graph())
        del made.opset_import[:]
        made.opset_import.extend([helper.make_opsetid("", 15), helper.make_opsetid(domain, 99)])
        with pytest.raises(UserError, match=r"was made for opset 99 of .* knows those up to"):
            open_model(bytes(made.SerializeToString()), N, "mine.onnx")


def test_another_ir_version_is_named() -> None:
    made = onnx.load_from_string(graph())
    made.ir_version = 99
    with pytest.raises(UserError, match="is written in ONNX IR version 99, and onnxruntime"):
        open_model(bytes(made.SerializeToString()), N, "mine.onnx")


def test_what_is_no_probability_is_no_answer() -> None:
    score = within(lambda rows: rows[:, 0].astype(np.float64))
    scores = score(np.array([[0.0], [1.0], [0.4], [1.7], [-0.1], [np.nan], [np.inf]], np.float32))
    assert scores.tolist()[:2] == [0.0, 1.0]
    assert scores[2] == pytest.approx(0.4)
    assert np.isnan(scores[3:]).all()


def test_a_model_that_breaks_on_rows_is_refused() -> None:
    def broken(_: Any) -> Any:
        raise RuntimeError("two\nlines")

    with pytest.raises(UserError, match="mine: cannot score rows"):
        check_outputs(broken, ROWS, "mine")
    with pytest.raises(UserError, match="gives 100 numbers for 50 rows"):
        check_outputs(lambda _: np.zeros(100), ROWS, "mine")


def test_telemetry_is_off_before_the_runtime_is_imported() -> None:
    code = (
        "import os, sys; os.environ.pop('ORT_DISABLE_TELEMETRY', None)\n"
        "from ares.adapters.onnx_model import open_model\n"
        "assert 'onnxruntime' not in sys.modules\n"
        "try: open_model(b'', 1, 'x')\n"
        "except Exception: pass\n"
        "assert 'onnxruntime' in sys.modules and os.environ['ORT_DISABLE_TELEMETRY'] == '1'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
