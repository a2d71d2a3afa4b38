"""The grid of an instrument read off its candles: how many decimals its prices and volumes have."""

from __future__ import annotations

import numpy as np

from ares.kernel.bars import F64, Bars

DECIMALS_MAX = 8
"""Finer grids than money's own unit (1e-8) are not kept."""

PRICE_TOLERANCE = 1e-12
VOLUME_TOLERANCE = 1e-9
"""Relative: prices are published decimals; volumes of longer bars are sums of floats with noise."""


def grid_of(bars: Bars) -> tuple[int, int]:
    """Return the fewest ``(price_decimals, qty_decimals)`` that reproduce all prices and volumes.

    >>> price = np.array([10.5, 10.25])
    >>> grid_of(Bars.make(np.array([0, 1]), price, price, price, price, np.array([3.0, 0.1])))
    (2, 1)
    """
    prices = np.concatenate([bars.open, bars.high, bars.low, bars.close])
    return decimals_of(prices, PRICE_TOLERANCE), decimals_of(bars.volume, VOLUME_TOLERANCE)


def decimals_of(values: F64, tolerance: float) -> int:
    """Return the fewest decimals (at most DECIMALS_MAX) that reproduce ``values`` (n,).

    tolerance : relative difference that still counts as reproduced.
    """
    left = values
    for decimals in range(DECIMALS_MAX):
        scale = 10.0**decimals
        off = np.abs(np.rint(left * scale) / scale - left) > tolerance * np.abs(left)
        left = left[off]
        if len(left) == 0:
            return decimals
    return DECIMALS_MAX
