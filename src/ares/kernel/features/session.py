"""Session: the time of day and of week, on a circle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ares.kernel.features.catalogue import DAY_COS, DAY_SIN, WEEK_COS, WEEK_SIN
from ares.kernel.jit import njit

_DAY = 2.0 * np.pi * np.arange(1440) / 1440.0
_WEEK = 2.0 * np.pi * np.arange(168) / 168.0
DAY_CIRCLE = np.stack([np.sin(_DAY), np.cos(_DAY)])
WEEK_CIRCLE = np.stack([np.sin(_WEEK), np.cos(_WEEK)])
MONDAY_HOURS = 72  # 1970-01-01 was a Thursday


@njit
def session(ts_ms: int, out: NDArray[np.float32]) -> None:
    """Write where the bar's open lies in the UTC day and week."""
    minute = ts_ms // 60_000 % 1440
    hour = (ts_ms // 3_600_000 + MONDAY_HOURS) % 168
    out[DAY_SIN] = DAY_CIRCLE[0, minute]
    out[DAY_COS] = DAY_CIRCLE[1, minute]
    out[WEEK_SIN] = WEEK_CIRCLE[0, hour]
    out[WEEK_COS] = WEEK_CIRCLE[1, hour]
