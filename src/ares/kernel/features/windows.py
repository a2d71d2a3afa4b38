"""Exact window sums: numbers become integers, and a window is the difference of two totals.

Integers make a window's sum independent of where the series began, free of drift over millions
of bars, and exactly zero where nothing moved.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ares.kernel.features.state import FeatureState, columns
from ares.kernel.jit import njit

BARS_1, BARS_5, BARS_14, BARS_20 = columns(201)[[1, 5, 14, 20]]
BARS_50, BARS_100, BARS_200 = columns(201)[[50, 100, 200]]

LOG_UNIT = 2.0**-40
"""Log returns are counted in this unit (1e-12)."""

SQUARE_UNIT = 2.0**-50
"""Squares and products of log returns are counted in this unit (1e-15)."""

LOG_MAX = 4.0
"""In moments a log return is cut off here (a factor of 55 within one bar)."""

VARIANCE_MIN = 2.0**-48
"""A variance of log returns at or below this (a deviation of 6e-8) counts as zero."""

FRACTION_UNIT = 2.0**-54
"""The fraction of a price or volume is counted in this unit: from 0.25 up, sums of doubles are
exact."""

AMOUNT_MAX = 2.0**52
"""Volumes and turnovers are cut off here; a price above a quarter of it is invalid."""


TIE = 1e-12
"""Averages nearer than this (relative) are equal: less than any tick, more than rounding."""


@njit
def log_units(x: float) -> int:
    """Return a log return in units, cut off at LOG_MAX."""
    return int(np.rint(min(max(x, -LOG_MAX), LOG_MAX) / LOG_UNIT))


@njit
def product_units(a: int, b: int) -> int:
    """Return the product of two log returns, both in units, in square units."""
    return int(np.rint((a * LOG_UNIT) * (b * LOG_UNIT) / SQUARE_UNIT))


@njit
def square_units(x: float) -> int:
    """Return a square of log returns in square units."""
    return int(np.rint(min(max(x, -(LOG_MAX**2)), LOG_MAX**2) / SQUARE_UNIT))


@njit
def add(totals: NDArray[np.int64], i: int, column: int, units: int) -> None:
    """Write the running total of bar ``i``: that of the bar before, plus ``units``."""
    mask = totals.shape[0] - 1
    totals[i & mask, column] = totals[(i - 1) & mask, column] + units


@njit
def window(totals: NDArray[np.int64], i: int, bars: int, column: int) -> int:
    """Return the sum over the last ``bars`` bars."""
    mask = totals.shape[0] - 1
    return int(totals[i & mask, column] - totals[(i - bars) & mask, column])


@njit
def add_amount(totals: NDArray[np.int64], i: int, column: int, amount: float) -> None:
    """Write the running total of an amount: whole units, and in the next column the fraction."""
    whole = np.floor(amount)
    add(totals, i, column, int(whole))
    add(totals, i, column + 1, int((amount - whole) / FRACTION_UNIT))


@njit
def window_amount(totals: NDArray[np.int64], i: int, bars: int, column: int) -> float:
    """Return the sum of an amount over the last ``bars`` bars."""
    whole = window(totals, i, bars, column)
    return whole + window(totals, i, bars, column + 1) * FRACTION_UNIT


@njit
def variance_sum(total: int, squares: int, n: int) -> float:
    """Return the sum of squared deviations of ``n`` log returns; zero where nothing moved."""
    mean_sum = total * LOG_UNIT
    spread = squares * SQUARE_UNIT - mean_sum * mean_sum / n
    if spread <= VARIANCE_MIN * n:
        return 0.0
    return spread


@njit
def deviation(s: FeatureState, i: int, bars: int) -> float:
    """Return the sample standard deviation of the last ``bars`` log returns."""
    total = window(s.totals_128, i, bars, 0)
    squares = window(s.totals_128, i, bars, 1)
    return float(np.sqrt(variance_sum(total, squares, bars) / (bars - 1)))


@njit
def ratio(a: float, b: float, neutral: float) -> float:
    """Return ``a / b``, or ``neutral`` where ``b`` is not above zero."""
    if b > 0.0:
        return a / b
    return neutral


@njit
def balance(a: float, b: float) -> float:
    """Return (a - b) / (a + b) of two amounts: -1 to 1, 0 where both are zero."""
    total = a + b
    if total > 0.0:
        return (a - b) / total
    return 0.0
