"""Momentum: how fast, how steadily and how near to its extremes the price moves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ares.kernel.features.catalogue import EFFICIENCY_20, STOCHASTIC_14, STOCHASTIC_14_3, STREAK
from ares.kernel.features.range import position_in_range
from ares.kernel.features.state import ABSOLUTE, LAST_14, RETURN, FeatureState
from ares.kernel.features.windows import BARS_1, BARS_20, add, window
from ares.kernel.jit import njit

STREAK_MAX = 10


@njit
def momentum(s: FeatureState, i: int, close: float, out: NDArray[np.float32]) -> None:
    """Write momentum up to bar ``i``; its return and the extremes must be in the state."""
    fast = position_in_range(s, close, LAST_14)
    out[STOCHASTIC_14] = fast
    out[STOCHASTIC_14_3] = (fast + s.stochastic[0] + s.stochastic[1]) * (1.0 / 3.0)
    s.stochastic[1] = s.stochastic[0]
    s.stochastic[0] = fast

    units = window(s.totals_128, i, BARS_1, RETURN)
    add(s.totals_32, i, ABSOLUTE, abs(units))
    path = window(s.totals_32, i, BARS_20, ABSOLUTE)
    out[EFFICIENCY_20] = abs(window(s.totals_128, i, BARS_20, RETURN)) / path if path > 0 else 0.0

    if units > 0:
        s.streak = min(max(s.streak, 0) + 1, STREAK_MAX)
    elif units < 0:
        s.streak = max(min(s.streak, 0) - 1, -STREAK_MAX)
    else:
        s.streak = 0
    out[STREAK] = s.streak * (1.0 / STREAK_MAX)
