"""The learning curve of a fit, with the rows from which the scale of its scores is estimated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ares.learn.rows import F32

SCALE_ROWS = 4096
"""Rows from which a model's scale is estimated."""


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """The loss by epoch while the number of epochs was chosen.

    fitted, stopping : log loss after each epoch on the rows fitted and on the stopping slice;
                       empty where there were too few rows for a slice, or nothing is fitted.
    stopping_base    : log loss on that slice of always predicting the base rate.
    epochs           : the number chosen, for which the model was fitted.
    """

    fitted: tuple[float, ...]
    stopping: tuple[float, ...]
    stopping_base: float | None
    epochs: int


def scale_rows(x: F32) -> F32:
    """Return at most SCALE_ROWS of the rows, evenly spread."""
    return x[np.linspace(0, len(x) - 1, min(len(x), SCALE_ROWS)).astype(np.int64)]
