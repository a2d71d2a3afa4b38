"""Range: the shape of the bar, and where the close lies between highest and lowest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ares.kernel.bars import BarRow
from ares.kernel.features.catalogue import BODY, CHANNEL_20, CHANNEL_100, UPPER_SHADOW
from ares.kernel.features.state import HIGH, LAST_20, LAST_100, NEGATIVE_LOW, FeatureState
from ares.kernel.features.windows import ratio
from ares.kernel.jit import njit

WINDOWS = np.array([14, 20, 26, 100])


@njit
def candle(bar: BarRow, out: NDArray[np.float32]) -> None:
    """Write the shape of the bar."""
    height = bar.high - bar.low
    out[BODY] = ratio(bar.close - bar.open, height, 0.0)
    out[UPPER_SHADOW] = ratio(bar.high - max(bar.open, bar.close), height, 0.0)


@njit
def channels(s: FeatureState, close: float, out: NDArray[np.float32]) -> None:
    """Write the channels; the extremes must be up to date."""
    out[CHANNEL_20] = position_in_range(s, close, LAST_20)
    out[CHANNEL_100] = position_in_range(s, close, LAST_100)


@njit
def position_in_range(s: FeatureState, close: float, last: int) -> float:
    """Return where the close lies between a window's low (0) and high (1); 1/2 without a range."""
    high = s.values_128[s.extremes[HIGH, last] & 127, HIGH]
    negative_low = s.values_128[s.extremes[NEGATIVE_LOW, last] & 127, NEGATIVE_LOW]
    return ratio(close + negative_low, high + negative_low, 0.5)


@njit
def update_extremes(s: FeatureState, i: int) -> None:
    """Update which bar has each window's highest high and lowest low, the latest of equals.

    An extreme is kept until it falls out of its window (as TA-Lib does); then only the bars are
    searched that the next smaller window does not hold.
    """
    ring = s.values_128
    for side in range(2):
        near = i
        searched = 0
        for w in range(4):
            bars = WINDOWS[w]
            at = s.extremes[side, w]
            if at <= i - bars:
                at = near
                best = ring[near & 127, side]
                for back in range(searched, bars):
                    if ring[(i - back) & 127, side] > best:
                        at = i - back
                        best = ring[at & 127, side]
            elif near == i and ring[i & 127, side] >= ring[at & 127, side]:
                at = i
            s.extremes[side, w] = at
            near = at
            searched = bars
