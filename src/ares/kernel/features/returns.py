"""Returns and volatility: how far and how wildly the price has moved."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ares.kernel.bars import BarRow
from ares.kernel.features.catalogue import (
    AUTOCORRELATION_50,
    DOWNSIDE_SHARE_20,
    GARMAN_KLASS_20,
    PARKINSON_20,
    RETURN_1,
    RETURN_3,
    RETURN_5,
    RETURN_10,
    RETURN_20,
    RETURN_50,
    RETURN_Z_20,
    VOLATILITY_20,
    VOLATILITY_100,
    VOLATILITY_RATIO_20_100,
)
from ares.kernel.features.state import (
    DOWN,
    GARMAN_KLASS,
    HIGH_LOW,
    LAGGED,
    LOG_CLOSE,
    RETURN,
    SQUARE,
    FeatureState,
)
from ares.kernel.features.windows import (
    BARS_1,
    BARS_20,
    BARS_50,
    BARS_100,
    LOG_UNIT,
    SQUARE_UNIT,
    VARIANCE_MIN,
    add,
    deviation,
    log_units,
    product_units,
    ratio,
    square_units,
    window,
)
from ares.kernel.jit import njit

BODY_WEIGHT = 2.0 * np.log(2.0) - 1.0
PARKINSON_UNIT = SQUARE_UNIT / (20.0 * 4.0 * np.log(2.0))


@njit
def returns(s: FeatureState, i: int, out: NDArray[np.float32]) -> None:
    """Write the returns up to bar ``i``; add the last one's moments to the state.

    ln(close) must be in the state.
    """
    ring = s.values_64
    now = ring[i & 63, LOG_CLOSE]
    last_return = now - ring[(i - 1) & 63, LOG_CLOSE]
    out[RETURN_1] = last_return
    out[RETURN_3] = now - ring[(i - 3) & 63, LOG_CLOSE]
    out[RETURN_5] = now - ring[(i - 5) & 63, LOG_CLOSE]
    out[RETURN_10] = now - ring[(i - 10) & 63, LOG_CLOSE]
    out[RETURN_20] = now - ring[(i - 20) & 63, LOG_CLOSE]
    out[RETURN_50] = now - ring[(i - 50) & 63, LOG_CLOSE]

    units = log_units(last_return)
    before = window(s.totals_128, i - 1, BARS_1, RETURN)
    square = product_units(units, units)
    add(s.totals_128, i, RETURN, units)
    add(s.totals_128, i, SQUARE, square)
    add(s.totals_64, i, LAGGED, product_units(units, before))
    add(s.totals_32, i, DOWN, square if units < 0 else 0)

    deviation_20 = deviation(s, i, BARS_20)
    mean = window(s.totals_128, i, BARS_20, RETURN) * (LOG_UNIT / 20.0)
    out[RETURN_Z_20] = ratio(units * LOG_UNIT - mean, deviation_20, 0.0)
    squares = window(s.totals_128, i, BARS_50, SQUARE) * SQUARE_UNIT
    lagged = window(s.totals_64, i, BARS_50, LAGGED) * SQUARE_UNIT
    out[AUTOCORRELATION_50] = lagged / squares if squares > 50 * VARIANCE_MIN else 0.0
    out[VOLATILITY_20] = deviation_20
    deviation_100 = deviation(s, i, BARS_100)
    out[VOLATILITY_100] = deviation_100
    out[VOLATILITY_RATIO_20_100] = ratio(deviation_20, deviation_100, 1.0)


@njit
def volatility(
    s: FeatureState,
    i: int,
    bar: BarRow,
    out: NDArray[np.float32],
) -> None:
    """Write the rest of the volatilities up to bar ``i``; its return must be in the state."""
    spread = np.log(bar.high / bar.low)
    body = np.log(bar.close / bar.open)
    add(s.totals_32, i, HIGH_LOW, square_units(spread * spread))
    estimate = 0.5 * spread * spread - BODY_WEIGHT * body * body
    add(s.totals_32, i, GARMAN_KLASS, square_units(estimate))
    out[PARKINSON_20] = np.sqrt(window(s.totals_32, i, BARS_20, HIGH_LOW) * PARKINSON_UNIT)
    total = window(s.totals_32, i, BARS_20, GARMAN_KLASS) * (SQUARE_UNIT / 20.0)
    out[GARMAN_KLASS_20] = np.sqrt(max(total, 0.0))

    squares = window(s.totals_128, i, BARS_20, SQUARE) * SQUARE_UNIT
    down = window(s.totals_32, i, BARS_20, DOWN) * SQUARE_UNIT
    out[DOWNSIDE_SHARE_20] = down / squares if squares > 20 * VARIANCE_MIN else 0.5
