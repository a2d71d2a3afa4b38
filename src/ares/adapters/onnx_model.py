"""ONNX Runtime behind a plain function: float32 rows in, probabilities out, one thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ares.config.telemetry import switch_off
from ares.domain.errors import UserMistake

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

INPUT, OUTPUT = "features", "probability"

Scorer = Callable[[F32], F64]
"""From ``(n, n_features)`` float32 rows to ``(n,)`` probabilities."""


def open_model(graph: bytes, n_features: int, where: str) -> Scorer:
    """Return the scorer of an ONNX graph that keeps the contract.

    The contract: one input ``features`` float32 (n, n_features), an output ``probability`` float32
    (n, 1). One thread: with two, rows differ in their last bits from run to run.

    where : how a message names the model, e.g. its file.

    Raises UserMistake where the graph is no model, or one with another contract.
    """
    session = _session(graph, where)
    _check_contract(session, n_features, where)

    def score(rows: F32) -> F64:
        out = session.run([OUTPUT], {INPUT: np.ascontiguousarray(rows, np.float32)})[0]
        return np.asarray(out, np.float64).reshape(-1)

    return score


def check_answers(scorer: Scorer, rows: F32, where: str, *, constant_allowed: bool = False) -> F64:
    """Return the model's probabilities on ``rows``, or raise UserMistake where they are none.

    Refused: NaN, anything outside [0, 1], and unless allowed one and the same answer to every row.
    """
    try:
        p = scorer(rows)
    except Exception as error:
        raise UserMistake(f"{where}: cannot score rows ({_first_line(error)})") from error
    if p.shape != (len(rows),):
        raise UserMistake(f"{where}: gives {p.size} numbers for {len(rows)} rows; wanted one each")
    if np.isnan(p).any():
        raise UserMistake(f"{where}: gives NaN for {int(np.isnan(p).sum())} of {len(rows)} rows")
    if p.min() < 0.0 or p.max() > 1.0:
        raise UserMistake(
            f"{where}: gives values from {p.min():.4g} to {p.max():.4g}; "
            "a probability lies in [0, 1]: add a Sigmoid as the last node"
        )
    if p.max() - p.min() < 1e-9 and not constant_allowed:
        raise UserMistake(f"{where}: gives {p[0]:.6g} for every row; a constant is no model")
    return p


def _session(graph: bytes, where: str) -> Any:
    switch_off()  # ONNX Runtime reads its switch while it is imported
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise UserMistake(
            f"{where}: is no ONNX model that can be opened ({_first_line(error)})"
        ) from error


def _check_contract(session: Any, n_features: int, where: str) -> None:
    inputs = {item.name: item for item in session.get_inputs()}
    outputs = {item.name: item for item in session.get_outputs()}
    if list(inputs) != [INPUT]:
        raise UserMistake(f"{where}: its inputs are {sorted(inputs)}; wanted one called '{INPUT}'")
    if OUTPUT not in outputs:
        raise UserMistake(f"{where}: its outputs are {sorted(outputs)}; one must be '{OUTPUT}'")
    if inputs[INPUT].type != "tensor(float)" or outputs[OUTPUT].type != "tensor(float)":
        raise UserMistake(f"{where}: '{INPUT}' and '{OUTPUT}' must be tensors of float32")
    shape = inputs[INPUT].shape
    if len(shape) != 2 or isinstance(shape[0], int):
        raise UserMistake(f"{where}: '{INPUT}' has shape {shape}; wanted (any, {n_features})")
    if isinstance(shape[1], int) and shape[1] != n_features:
        raise UserMistake(
            f"{where}: was made for {shape[1]} features; this version of Ares has {n_features}"
        )


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
