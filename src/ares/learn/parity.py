"""Parity: the exported graph against the trained model, row by row, before it may be registered.

The graph takes the same branch as the model on every float32 row (see ``onnx_graph``), so no row
is exempt: what remains is the rounding of sums in float32, far below the limit.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from ares.kernel.bars import F64
from ares.learn.rows import F32

LIMIT = 1e-5

Scorer = Callable[[F32], F64]
"""From ``(n, n_features)`` float32 rows to ``(n,)`` probabilities."""


class Parity(msgspec.Struct, frozen=True):
    """The largest difference in probability over ``rows`` rows, and whether it is allowed."""

    rows: int
    difference_max: float
    limit: float
    passed: bool


class ConversionWrongError(Exception):
    """The exported graph gives other probabilities than the trained model: it is not registered."""


def compare(expected: F64, scorer: Scorer, rows: F32, limit: float = LIMIT) -> Parity:
    """Return how far a served graph is from the model.

    expected : (n,) the trained model's calibrated probabilities on ``rows``.
    """
    served = np.asarray(scorer(rows), np.float64)
    difference = np.abs(served - expected) if served.shape == expected.shape else np.array([np.inf])
    largest = float(np.max(np.where(np.isnan(difference), np.inf, difference)))
    return Parity(len(rows), largest, limit, largest <= limit)


def require_parity(parity: Parity) -> Parity:
    """Return ``parity``, or raise ConversionWrongError when it is not within its limit."""
    if not parity.passed:
        raise ConversionWrongError(
            f"the exported graph differs from the trained model by up to "
            f"{parity.difference_max:.2g} in probability (limit {parity.limit:g})"
        )
    return parity
