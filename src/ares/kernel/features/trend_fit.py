"""The last twenty bars in one pass: slope and fit of a line, and the deviation from the mean.

All sums are of differences to the newest bar: exactly zero where nothing moves, and no digits
lost where prices are large.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ares.kernel.features.catalogue import (
    BOLLINGER_20,
    CCI_20,
    PRICE_VOLUME_20,
    TREND_FIT_20,
    TREND_SLOPE_20,
)
from ares.kernel.features.state import CLOSE, TRADED, TYPICAL, FeatureState
from ares.kernel.features.windows import ratio
from ares.kernel.jit import njit

BARS = 20
PER_BAR = 1.0 / BARS
CENTRE = (BARS - 1) / 2.0
TIME_SQUARES = BARS * (BARS * BARS - 1.0) / 12.0
CCI_SCALE = 1.0 / (0.015 * 100.0)


@njit
def trend_fit(s: FeatureState, i: int, out: NDArray[np.float32]) -> None:
    """Write the features of the last 20 bars; bar ``i`` must be in the state."""
    ring = s.values_32
    c = ring[i & 31, CLOSE]
    v = ring[i & 31, TRADED]
    middle = ring[i & 31, TYPICAL]
    price = price_price = price_time = 0.0
    volume = volume_volume = price_volume = 0.0
    typical = 0.0
    for back in range(BARS):
        row = (i - back) & 31
        p = ring[row, CLOSE] - c
        q = ring[row, TRADED] - v
        typical += ring[row, TYPICAL] - middle
        price += p
        price_price += p * p
        price_time += p * (CENTRE - back)
        volume += q
        volume_volume += q * q
        price_volume += p * q
    spread = max(price_price - price * price * PER_BAR, 0.0)
    spread_volume = max(volume_volume - volume * volume * PER_BAR, 0.0)
    out[TREND_SLOPE_20] = price_time * (1.0 / TIME_SQUARES) / c
    out[TREND_FIT_20] = ratio(price_time, np.sqrt(spread * TIME_SQUARES), 0.0)
    out[BOLLINGER_20] = ratio(-price * PER_BAR, 2.0 * np.sqrt(spread * PER_BAR), 0.0)
    products = price_volume - price * volume * PER_BAR
    out[PRICE_VOLUME_20] = ratio(products, np.sqrt(spread) * np.sqrt(spread_volume), 0.0)

    typical *= PER_BAR
    absolute_deviation = 0.0
    for back in range(BARS):
        absolute_deviation += abs(ring[(i - back) & 31, TYPICAL] - middle - typical)
    out[CCI_20] = ratio(-typical * CCI_SCALE, absolute_deviation * PER_BAR, 0.0)
