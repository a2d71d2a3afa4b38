"""Quality of probabilities: calibration error with its limit, Brier skill, constant output.

A constant base rate is perfectly calibrated and has no skill; a few rows of a perfect model look
badly calibrated. So the calibration error is compared with its 95% quantile under perfect
calibration, beside the Brier skill score and the share of the output that does not vary.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ares.kernel.bars import F64, Bools
from ares.learn.calibration_error import calibration_error, error_limit
from ares.learn.rows import I32

DRAWS, SEED = 2_000, 0
"""Of the limit. With 200 draws it is off by 4 to 7% (one standard deviation, 20,000 rows), with
these by 2%. One seed for all models: with a seed per model, training again would draw another limit
until one is wide enough."""

SPREAD_MIN = 1e-4
"""Probabilities closer together than this count as equal: no decision depends on the difference."""


class CalibrationQuality(msgspec.Struct, frozen=True):
    """Quality of the probabilities of ``rows`` rows.

    error, limit   : expected calibration error, and its 95% quantile under perfect calibration.
    brier          : mean squared error of the probabilities.
    brier_skill    : Brier skill score against the base rate; None with one outcome only.
    constant_share : share of the rows in folds whose output does not vary.
    """

    rows: int
    error: float
    limit: float
    brier: float
    brier_skill: float | None
    constant_share: float


def calibration_quality(
    p: F64,
    won: Bools,
    *,
    lane: I32,
    overlap: int,
    fold: NDArray[np.integer[Any]] | None = None,
    draws: int = DRAWS,
) -> CalibrationQuality | None:
    """Return the quality of probabilities against outcomes, or None without rows.

    p, won  : (n,) probabilities out of sample, and outcomes.
    lane    : (n,) instrument of each row; consecutive rows of a lane are not independent.
    overlap : rows that a trade lasts on average (``Rows.overlap``).
    fold    : (n,) which fitted model each row is from; None: all from one.

    Raises ValueError where a value is no probability.
    """
    if len(p) == 0:
        return None
    if not (np.isfinite(p).all() and p.min() >= 0.0 and p.max() <= 1.0):
        raise ValueError("probabilities must be numbers in [0, 1]")
    error, _ = calibration_error(p, won)
    return CalibrationQuality(
        rows=len(p),
        error=error,
        limit=error_limit(p, lane, overlap, SEED, draws),
        brier=float(np.mean((p - won) ** 2)),
        brier_skill=brier_skill(p, won),
        constant_share=constant_share(p, fold),
    )


def brier_skill(p: F64, won: Bools) -> float | None:
    """Return 1 - Brier score / Brier score of always predicting the base rate of the same rows.

    Brier 1950; Murphy 1973. The base rate of the same rows is known only afterwards: it is harder
    to beat than any that could have been predicted.

    >>> brier_skill(np.array([0.5, 0.5]), np.array([True, False]))
    0.0
    """
    base = float(won.mean()) if len(won) else 0.0
    if not 0.0 < base < 1.0:
        return None
    return 1.0 - float(np.mean((p - won) ** 2)) / (base * (1.0 - base))


def constant_share(p: F64, fold: NDArray[np.integer[Any]] | None = None) -> float:
    """Return the share of rows in folds whose outputs all lie within SPREAD_MIN of each other.

    Models of several folds that each output one number vary together; each by itself does not.

    >>> constant_share(np.array([0.4, 0.4, 0.5, 0.6]), np.array([0, 0, 1, 1]))
    0.5
    """
    if len(p) == 0:
        return 1.0
    folds = np.zeros(len(p), np.int64) if fold is None else fold
    constant = 0
    for number in np.unique(folds):
        outputs = p[folds == number]
        constant += len(outputs) if np.ptp(outputs) < SPREAD_MIN else 0
    return constant / len(p)
