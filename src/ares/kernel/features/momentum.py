"""Momentum: how fast, how steadily and how near to its extremes the price moves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ares.kernel.features.catalogue import (
    CCI_20,
    EFFICIENCY_20,
    STOCHASTIC_14,
    STOCHASTIC_14_3,
    STREAK,
)
from ares.kernel.features.range import place
from ares.kernel.features.state import ABSOLUTE, BOTTOM_14, RETURN, TOP_14, TYPICAL
from ares.kernel.features.windows import add, window
from ares.kernel.jit import njit

STREAK_MAX = 10


@njit
def momentum(s: Any, i: int, c: float, out: NDArray[np.float32]) -> None:
    """Write momentum up to bar ``i``; its return and the extremes must be noted."""
    fast = place(s, c, TOP_14, BOTTOM_14)
    out[STOCHASTIC_14] = fast
    out[STOCHASTIC_14_3] = (fast + s.stochastic[0] + s.stochastic[1]) / 3.0
    s.stochastic[1] = s.stochastic[0]
    s.stochastic[0] = fast

    units = window(s.totals_128, i, 1, RETURN)
    add(s.totals_32, i, ABSOLUTE, abs(units))
    path = window(s.totals_32, i, 20, ABSOLUTE)
    out[EFFICIENCY_20] = abs(window(s.totals_128, i, 20, RETURN)) / path if path > 0 else 0.0

    if units > 0:
        s.streak = min(max(s.streak, 0) + 1, STREAK_MAX)
    elif units < 0:
        s.streak = max(min(s.streak, 0) - 1, -STREAK_MAX)
    else:
        s.streak = 0
    out[STREAK] = s.streak / 10.0
    out[CCI_20] = cci(s, i)


@njit
def cci(s: Any, i: int) -> float:
    """Return the commodity channel index over 20 bars, / 100.

    On differences to the newest typical price: a market that stands still gives exactly 0.
    """
    now = s.values_32[i & 31, TYPICAL]
    total = 0.0
    for back in range(20):
        total += s.values_32[(i - back) & 31, TYPICAL] - now
    mean = total / 20.0
    wide = 0.0
    for back in range(20):
        wide += abs(s.values_32[(i - back) & 31, TYPICAL] - now - mean)
    if wide > 0.0:
        return -mean / (0.015 * wide / 20.0) / 100.0
    return 0.0
