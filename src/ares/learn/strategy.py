"""A user's strategy as a fitted model: its score is the last column, nothing is fitted to it."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from ares.domain.strategy import CALIBRATION_FILE, Calibration
from ares.kernel.bars import F64
from ares.learn.calibration import Platt
from ares.learn.fit_result import LearningCurve, scale_rows
from ares.learn.rows import F32

REFERENCE_ROWS = 2_000
"""Rows on which the stored calibration is compared with the fitted one."""


NOTHING_FITTED = LearningCurve((), (), None, 0)


@dataclass(frozen=True, slots=True)
class FittedStrategy:
    """The scale of a strategy's scores on the rows before a fold.

    column : of its score among the model's input; centre, spread : mean and standard deviation.
    """

    column: int
    n_features: int
    centre: float
    spread: float
    curve: LearningCurve = NOTHING_FITTED
    file_name: str = CALIBRATION_FILE

    def raw(self, x: F32) -> F64:
        """Return the strategy's scores, ``(n,)``."""
        return x[:, self.column].astype(np.float64)

    def score(self, x: F32) -> F64:
        """Return the scores in standard deviations from their mean, ``(n,)``."""
        return (self.raw(x) - self.centre) / self.spread

    def exported(self, platt: Platt) -> bytes:
        """Return the calibration of the raw score as JSON, the same bytes for the same numbers."""
        calibration = Calibration(self.column, self.n_features, platt.a, platt.b)
        return msgspec.json.format(msgspec.json.encode(calibration, order="sorted")) + b"\n"

    def reference_rows(self, x: F32) -> F32:
        """Return real rows, evenly spread: a line has no threshold at which to look closer."""
        numbers = np.linspace(0, len(x) - 1, min(len(x), REFERENCE_ROWS)).astype(np.int64)
        return x[np.unique(numbers)]


def fit_strategy(x: F32) -> FittedStrategy:
    """Return the scale of the scores in the last column of these rows."""
    raw = scale_rows(x)[:, -1].astype(np.float64)
    spread = float(raw.std())
    return FittedStrategy(
        x.shape[1] - 1, x.shape[1], float(raw.mean()), spread if spread > 1e-9 else 1.0
    )
