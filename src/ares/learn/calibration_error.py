"""Calibration error: distance of predicted from observed frequencies, and what chance explains.

A perfectly calibrated model of 1,205 rows shows an error of 0.036 on average, so a fixed limit
says nothing: the error is read beside its 95% quantile under perfect calibration. Trades that
overlap have correlated outcomes, so the draws behind the quantile overlap as much.
"""

from __future__ import annotations

import msgspec
import numpy as np

from ares.kernel.bars import F64, Bools
from ares.learn.rows import I32

BINS = 10
DRAWS = 200
QUANTILE = 0.95


class CalibrationBin(msgspec.Struct, frozen=True):
    """One bin of the reliability diagram: mean prediction, observed frequency, number of rows."""

    predicted: float
    observed: float
    rows: int


def calibration_error(p: F64, won: Bools) -> tuple[float, tuple[CalibrationBin, ...]]:
    """Return the expected calibration error over bins of equal counts, and the bins.

    p, won : (n,) probabilities, and what happened.

    >>> calibration_error(np.array([0.5, 0.5]), np.array([True, False]))
    (0.0, (CalibrationBin(predicted=0.5, observed=0.5, rows=2),))
    """
    number, counts = _bins(p)
    predicted = np.bincount(number, p, len(counts)) / counts
    observed = np.bincount(number, won.astype(np.float64), len(counts)) / counts
    error = float(np.sum(counts * np.abs(predicted - observed)) / len(p))
    bins = tuple(
        CalibrationBin(float(mean), float(share), int(n))
        for mean, share, n in zip(predicted, observed, counts, strict=True)
    )
    return error, bins


def error_limit(p: F64, lane: I32, overlap: int, seed: int, draws: int = DRAWS) -> float:
    """Return the 95% quantile of the error if outcomes really came with these probabilities.

    Outcomes are drawn so that each has its own probability and consecutive ones of a lane are
    correlated as trades are that overlap by all but one of ``overlap`` rows.
    """
    from scipy.special import ndtri

    n = len(p)
    by_lane = p[np.argsort(lane, kind="stable")]
    number, counts = _bins(by_lane)
    predicted = np.bincount(number, by_lane, len(counts))
    bar = ndtri(np.clip(by_lane, 1e-9, 1.0 - 1e-9)) * np.sqrt(float(overlap))
    rng = np.random.default_rng(seed)
    errors = np.empty(draws)
    for draw in range(draws):
        path = np.cumsum(rng.standard_normal(n + overlap))
        won = (path[overlap:] - path[:-overlap]) < bar
        observed = np.bincount(number, won.astype(np.float64), len(counts))
        errors[draw] = np.abs(predicted - observed).sum() / n
    return float(np.quantile(errors, QUANTILE))


def _bins(p: F64) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], F64]:
    """Return each row's bin and the bins' counts; equal probabilities share a bin."""
    inner = np.unique(np.quantile(p, np.linspace(0, 1, BINS + 1)[1:-1]))
    number = np.searchsorted(inner, p, side="left")
    used, number = np.unique(number, return_inverse=True)
    return number, np.bincount(number, minlength=len(used)).astype(np.float64)
