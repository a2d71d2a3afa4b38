"""Range: the shape of the bar, and where the close lies between highest and lowest."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ares.kernel.features.catalogue import BODY, CHANNEL_20, CHANNEL_100, UPPER_SHADOW
from ares.kernel.features.state import DEPTH, HIGH, LAST_20, LAST_100
from ares.kernel.features.windows import ratio
from ares.kernel.jit import njit

WINDOWS = np.array([14, 20, 26, 100])


@njit
def candle(
    o: float,
    h: float,
    l: float,  # noqa: E741
    c: float,
    out: NDArray[np.float32],
) -> None:
    """Write the shape of the bar."""
    out[BODY] = ratio(c - o, h - l, 0.0)
    out[UPPER_SHADOW] = ratio(h - max(o, c), h - l, 0.0)


@njit
def channels(s: Any, c: float, out: NDArray[np.float32]) -> None:
    """Write the channels; the extremes must be up to date."""
    out[CHANNEL_20] = place(s, c, LAST_20)
    out[CHANNEL_100] = place(s, c, LAST_100)


@njit
def place(s: Any, c: float, last: int) -> float:
    """Return where the close lies between a window's low (0) and high (1); 1/2 without a range."""
    high = s.values_128[s.extremes[HIGH, last] & 127, HIGH]
    depth = s.values_128[s.extremes[DEPTH, last] & 127, DEPTH]
    return ratio(c + depth, high + depth, 0.5)


@njit
def move_extremes(s: Any, i: int) -> None:
    """Keep where each window's highest high and lowest low stand, the latest of equals.

    A place is kept until it falls out of its window (as TA-Lib does); then only the bars are
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
