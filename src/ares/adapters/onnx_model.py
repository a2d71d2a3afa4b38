"""A package's scorer behind a function: float32 rows in, probabilities out, one thread.

An ONNX graph is run by ONNX Runtime; a strategy's calibration is one line per row.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from threading import Lock
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ares.config.telemetry import switch_off
from ares.domain.errors import UserError
from ares.domain.strategy import Calibration

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

INPUT, OUTPUT = "features", "probability"
ROWS_ALONE = 9
SINGLE_DIFFERENCE_MAX = 1e-5
"""As for a graph against its model: a matrix product may round otherwise by batch size."""

OPSET_WANTED = re.compile(r"Opset (\d+) is under .*domain (\S+) is till opset (\d+)")
IR_KNOWN = re.compile(r"model IR version: (\d+), max supported IR version: (\d+)")
RUNTIME_PLACE = re.compile(r"/\S+\.(?:h|cc):\d+ ")

Scorer = Callable[[F32], F64]
"""From ``(n, n_features)`` float32 rows to ``(n,)`` probabilities."""


def open_model(graph: bytes, n_features: int, where: str) -> Scorer:
    """Return the scorer of an ONNX graph that keeps the contract, or of a strategy's calibration.

    The contract: one input ``features`` float32 (n, n_features), an output ``probability`` float32
    (n, 1). One thread: with two, rows differ in their last bits from run to run.

    where : how a message names the model, e.g. its file.

    Raises UserError where the graph is no model, or has another contract.
    """
    if graph.startswith(b"{"):
        return open_calibration(graph, n_features, where)
    session = _session(graph, where)
    _check_contract(session, n_features, where)
    return _OpenModel(session, n_features).score


def open_calibration(content: bytes, n_features: int, where: str) -> Scorer:
    """Return the scorer of a strategy's ``calibration.json``; raise UserError where it is none.

    Each row by itself, by the C library: a row has the same bits in a batch of any size.
    """
    try:
        found = msgspec.json.decode(content, type=Calibration)
    except msgspec.DecodeError as error:
        raise UserError(f"{where}: is not a strategy's calibration ({error})") from None
    if found.n_features != n_features or not 0 <= found.column < n_features:
        raise UserError(
            f"{where}: was made for {found.n_features} columns; its card names {n_features}"
        )
    a, b, column = found.a, found.b, found.column

    def score(rows: F32) -> F64:
        scores = rows[:, column].tolist()
        return np.array([0.5 + 0.5 * math.tanh(0.5 * (a * x + b)) for x in scores])

    return score


class _OpenModel:
    """A session, and one row bound to it.

    A live bar is scored row by row. ``session.run`` takes 20 us for a row, of which 8 are spent on
    finding and allocating input and output; with both bound once they are saved. The lock keeps
    two threads from writing to the same row.
    """

    def __init__(self, session: Any, n_features: int) -> None:
        self._session = session
        self._row = np.zeros((1, n_features), np.float32)
        self._output: F32 = np.zeros(0, np.float32)
        self._binding: Any = None
        self._lock = Lock()

    def score(self, rows: F32) -> F64:
        """Return the probabilities of rows."""
        if self._binding is not None and rows.shape == self._row.shape:
            with self._lock:
                self._row[...] = rows
                self._session.run_with_iobinding(self._binding)
                return self._output.astype(np.float64)
        out = self._session.run([OUTPUT], {INPUT: np.ascontiguousarray(rows, np.float32)})[0]
        if out.shape not in ((len(rows), 1), (len(rows),)):
            raise ValueError(
                f"'{OUTPUT}' has shape {out.shape} for {len(rows)} rows; wanted (n, 1)"
            )
        if rows.shape == self._row.shape:
            self._bind(out.shape)
        return np.asarray(out, np.float64).reshape(-1)

    def _bind(self, shape: tuple[int, ...]) -> None:
        """Bind one row, after a first one has shown the shape of its output."""
        binding, self._output = self._session.io_binding(), np.zeros(1, np.float32)
        binding.bind_input(INPUT, "cpu", 0, np.float32, self._row.shape, self._row.ctypes.data)
        binding.bind_output(OUTPUT, "cpu", 0, np.float32, shape, self._output.ctypes.data)
        self._binding = binding


def check_outputs(
    scorer: Scorer,
    rows: F32,
    where: str,
    *,
    constant_allowed: bool = False,
    difference_max: float = SINGLE_DIFFERENCE_MAX,
) -> F64:
    """Return the model's probabilities on ``rows``, or raise UserError where they are invalid.

    Refused: NaN, values outside [0, 1], outputs that depend on the other rows of the batch, and,
    unless allowed, the same output for every row.
    """
    try:
        p = scorer(rows)
    except Exception as error:
        raise UserError(f"{where}: cannot score rows ({_first_line(error)})") from error
    if p.shape != (len(rows),):
        raise UserError(f"{where}: gives {p.size} numbers for {len(rows)} rows; wanted one each")
    if np.isnan(p).any():
        raise UserError(f"{where}: gives NaN for {int(np.isnan(p).sum())} of {len(rows)} rows")
    if p.min() < 0.0 or p.max() > 1.0:
        raise UserError(
            f"{where}: gives values from {p.min():.4g} to {p.max():.4g}; "
            "a probability lies in [0, 1]: add a Sigmoid as the last node"
        )
    _check_single_rows(scorer, rows, p, where, difference_max)
    if is_constant(p) and not constant_allowed:
        raise UserError(f"{where}: gives {p[0]:.6g} for every row; a constant is no model")
    return p


def within(scorer: Scorer) -> Scorer:
    """Return a scorer that gives NaN wherever its graph gives no probability.

    For imported graphs: the few hundred rows of their test do not show the output for all others,
    and a 1.7 would be traded as the most certain win.
    """

    def score(rows: F32) -> F64:
        p = scorer(rows)
        return np.where((p >= 0.0) & (p <= 1.0), p, np.nan)

    return score


def is_constant(p: F64) -> bool:
    """Return whether all outputs are equal."""
    return bool(p.max() - p.min() < 1e-9)


def _check_single_rows(
    scorer: Scorer, rows: F32, p: F64, where: str, difference_max: float
) -> None:
    """Raise UserError where the output of a row depends on the other rows of its batch.

    The engine scores row by row, a backtest all rows at once. A graph that uses the other rows of
    the batch (a softmax or a mean over it) uses bars that have not closed yet.
    """
    numbers = np.unique(np.linspace(0, len(rows) - 1, ROWS_ALONE).astype(int))
    try:
        alone = np.concatenate([scorer(rows[n : n + 1]) for n in numbers])
    except Exception as error:
        raise UserError(f"{where}: cannot score one row ({_first_line(error)})") from error
    difference = np.abs(alone - p[numbers])
    if not difference.max() <= difference_max:
        raise UserError(
            f"{where}: the output of a row depends on the other rows of its batch (by up to "
            f"{difference.max():.3g}): each row must be scored by itself"
        )


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
        newer = IR_KNOWN.search(str(error))
        if newer:
            raise UserError(
                f"{where}: is written in ONNX IR version {newer[1]}, and onnxruntime "
                f"{onnxruntime.__version__} reads those up to {newer[2]}: export it in one of them"
            ) from error
        wanted = OPSET_WANTED.search(" ".join(str(error).split()))
        if wanted:
            opset, domain, known = wanted.groups()
            raise UserError(
                f"{where}: was made for opset {opset} of {domain}, and onnxruntime "
                f"{onnxruntime.__version__} knows those up to {known}: export it for one of them"
            ) from error
        raise UserError(
            f"{where}: is no ONNX model that can be opened ({_first_line(error)})"
        ) from error


def _check_contract(session: Any, n_features: int, where: str) -> None:
    inputs = {item.name: item for item in session.get_inputs()}
    outputs = {item.name: item for item in session.get_outputs()}
    if list(inputs) != [INPUT]:
        raise UserError(f"{where}: its inputs are {sorted(inputs)}; wanted one called '{INPUT}'")
    if OUTPUT not in outputs:
        raise UserError(f"{where}: its outputs are {sorted(outputs)}; one must be '{OUTPUT}'")
    if inputs[INPUT].type != "tensor(float)" or outputs[OUTPUT].type != "tensor(float)":
        raise UserError(f"{where}: '{INPUT}' and '{OUTPUT}' must be tensors of float32")
    shape = inputs[INPUT].shape
    if len(shape) != 2 or isinstance(shape[0], int):
        raise UserError(f"{where}: '{INPUT}' has shape {shape}; wanted (any, {n_features})")
    if isinstance(shape[1], int) and shape[1] != n_features:
        raise UserError(
            f"{where}: was made for {shape[1]} features; this version of Ares has {n_features}"
        )


def _first_line(error: Exception) -> str:
    text = RUNTIME_PLACE.sub("", " ".join(str(error).split()))
    return text[:200] or type(error).__name__
