"""Range: the shape of the bar, and where the close lies between highest and lowest."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ares.kernel.features.catalogue import BODY, CHANNEL_20, CHANNEL_100, UPPER_SHADOW
from ares.kernel.features.state import (
    BOTTOM_14,
    BOTTOM_20,
    BOTTOM_26,
    BOTTOM_100,
    HIGH,
    LOW,
    TOP_14,
    TOP_20,
    TOP_26,
    TOP_100,
)
from ares.kernel.features.windows import ratio
from ares.kernel.jit import njit


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
def channels(s: Any, i: int, c: float, out: NDArray[np.float32]) -> None:
    """Move the extremes on to bar ``i``, which must be in the state, and write the channels."""
    top(s, i, 14, TOP_14)
    top(s, i, 20, TOP_20)
    top(s, i, 26, TOP_26)
    top(s, i, 100, TOP_100)
    bottom(s, i, 14, BOTTOM_14)
    bottom(s, i, 20, BOTTOM_20)
    bottom(s, i, 26, BOTTOM_26)
    bottom(s, i, 100, BOTTOM_100)
    out[CHANNEL_20] = place(s, c, TOP_20, BOTTOM_20)
    out[CHANNEL_100] = place(s, c, TOP_100, BOTTOM_100)


@njit
def place(s: Any, c: float, top_at: int, bottom_at: int) -> float:
    """Return where the close lies between an extreme low (0) and high (1); 1/2 without a range."""
    low = s.values_128[s.extremes[bottom_at] & 127, LOW]
    high = s.values_128[s.extremes[top_at] & 127, HIGH]
    return ratio(c - low, high - low, 0.5)


@njit
def top(s: Any, i: int, bars: int, slot: int) -> None:
    """Keep where the highest high of the last ``bars`` bars stands, the latest of equals.

    The place is kept and the window searched only when it falls out (as TA-Lib does).
    """
    ring = s.values_128
    at = s.extremes[slot]
    if at <= i - bars:
        at = i - bars + 1
        best = ring[at & 127, HIGH]
        for other in range(at + 1, i + 1):
            if ring[other & 127, HIGH] >= best:
                best = ring[other & 127, HIGH]
                at = other
    elif ring[i & 127, HIGH] >= ring[at & 127, HIGH]:
        at = i
    s.extremes[slot] = at


@njit
def bottom(s: Any, i: int, bars: int, slot: int) -> None:
    """Keep where the lowest low of the last ``bars`` bars stands, the latest of equals."""
    ring = s.values_128
    at = s.extremes[slot]
    if at <= i - bars:
        at = i - bars + 1
        best = ring[at & 127, LOW]
        for other in range(at + 1, i + 1):
            if ring[other & 127, LOW] <= best:
                best = ring[other & 127, LOW]
                at = other
    elif ring[i & 127, LOW] <= ring[at & 127, LOW]:
        at = i
    s.extremes[slot] = at
