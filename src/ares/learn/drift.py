"""Drift: distance of recent features from the training window, and changes of a model's error.

Features are compared by the population stability index (PSI; Siddiqi 2006, "Credit Risk
Scorecards", section 10): quantile bins of the training window, one more bin for missing values.
Changes of the model's error are found by ADWIN (Bifet & Gavaldà 2007, "Learning from
time-changing data with adaptive windowing"), which drops the older
part of a window whose mean has changed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ares.kernel.bars import F64, I64
from ares.learn.rows import F32

BINS = 10
HALF = 0.1
"""A PSI of 0.1, by convention the start of a shift, is a drift score of one half."""

ADWIN_DELTA = 0.002
"""Probability of a false alarm that ADWIN is allowed (its authors' value)."""

SCALE_ERRORS = 30


@dataclass(frozen=True, slots=True)
class FeatureReference:
    """The distribution of features in the training window.

    edges  : of each feature, its inner bin edges, rising; a feature of few values has fewer.
    shares : of each feature, the share of rows in each bin, that of NaN last.
    """

    edges: tuple[F64, ...]
    shares: tuple[F64, ...]

    def psi(self, x: F32) -> F64:
        """Return each feature's PSI, ``(n_features,)``, of ``(n, n_features)`` rows against it."""
        bins = zip(self.edges, self.shares, strict=True)
        return np.array(
            [_psi(expected, _shares(x[:, f], edges)) for f, (edges, expected) in enumerate(bins)]
        )


def reference_of(x: F32) -> FeatureReference:
    """Return the distribution of ``(n, n_features)`` rows."""
    edges = tuple(_edges(x[:, f]) for f in range(x.shape[1]))
    shares = tuple(_shares(x[:, f], edges[f]) for f in range(x.shape[1]))
    return FeatureReference(edges, shares)


def drift_scores(psi: F64) -> F64:
    """Return PSI / (PSI + 0.1): 0 is none, 1/2 a shift, 1 another distribution.

    >>> drift_scores(np.array([0.0, 0.1, 0.9]))
    array([0. , 0.5, 0.9])
    """
    return np.asarray(psi / (psi + HALF))


@dataclass(frozen=True, slots=True)
class ErrorChange:
    """The last change of a stream of errors; ``index`` is of the value at which it was found.

    before, after : means of the two parts of ADWIN's window that differ most; equal where nothing
                    changed (``index`` None), NaN where there are no errors.
    """

    before: float
    after: float
    index: int | None = None


def error_change(errors: F64) -> ErrorChange:
    """Return the last change that ADWIN finds in ``(n,)`` errors, oldest first.

    They are scaled by the standard deviation of the first 30, fixed from then on: ADWIN's bound
    assumes values that spread over 1, and finds nothing in squared errors that differ by 0.05.
    """
    from river.drift import ADWIN

    mean = float(errors.mean()) if len(errors) else float("nan")
    found = ErrorChange(mean, mean)
    spread = float(errors[:SCALE_ERRORS].std()) if len(errors) >= SCALE_ERRORS else 0.0
    if spread <= 0.0:
        return found
    detector = ADWIN(delta=ADWIN_DELTA, clock=1)  # type: ignore[no-untyped-call]  # river's is not annotated
    first = 0  # of ADWIN's window
    for k, error in enumerate((errors / spread).tolist()):
        detector.update(error)  # type: ignore[no-untyped-call]  # the same
        if not detector.drift_detected:
            continue
        if k >= SCALE_ERRORS:
            found = ErrorChange(*_sides(errors[first : k + 1]), k)
        first = k + 1  # river starts anew with the next value
    return found


def _sides(window: F64) -> tuple[float, float]:
    """Return the means before and after the cut at which they differ most, in deviations.

    ADWIN drops its oldest values until the rest agrees: what it keeps still holds some from before.
    """
    n = np.arange(1, len(window))
    sums = np.cumsum(window)
    before = sums[:-1] / n
    after = (sums[-1] - sums[:-1]) / (len(window) - n)
    cut = int(np.argmax(np.abs(after - before) * np.sqrt(n * (len(window) - n))))
    return float(before[cut]), float(after[cut])


def block_means(values: F64, block: I64) -> tuple[F64, I64]:
    """Return the mean of each block's values, and the blocks' numbers, rising.

    Errors of decisions whose trades overlap are correlated: ADWIN, which assumes independent
    values, is given one for each stretch of a trade's length.
    """
    numbers, index = np.unique(block, return_inverse=True)
    sums = np.bincount(index, weights=values, minlength=len(numbers))
    means = sums / np.maximum(np.bincount(index, minlength=len(numbers)), 1)
    return np.asarray(means, np.float64), np.asarray(numbers, np.int64)


def _edges(column: NDArray[np.float32]) -> F64:
    present = column[~np.isnan(column)].astype(np.float64)
    if not len(present):
        return np.empty(0)
    return np.unique(np.quantile(present, np.arange(1, BINS) / BINS))


def _shares(column: NDArray[np.float32], edges: F64) -> F64:
    """Return the share of each bin and of NaN, half a row added to each so that none is empty."""
    missing = np.isnan(column)
    bins = np.searchsorted(edges, column[~missing].astype(np.float64), side="left")
    counts = np.append(np.bincount(bins, minlength=len(edges) + 1), missing.sum()) + 0.5
    return np.asarray(counts / counts.sum())


def _psi(expected: F64, actual: F64) -> float:
    return float(np.sum((actual - expected) * np.log(actual / expected)))
