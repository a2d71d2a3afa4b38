"""Trend: where the averages of the price stand, and how straight it runs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ares.kernel.features.catalogue import (
    ADX_14,
    AROON_25,
    BOLLINGER_20,
    CLOSE_SMA_50,
    DI_14,
    MACD_12_26,
    MACD_HISTOGRAM_9,
    NATR_14,
    PRICE_VOLUME_20,
    RSI_14,
    SMA_RATIO_5_20,
    SMA_RATIO_20_100,
    SMA_RATIO_50_200,
    TREND_FIT_20,
    TREND_SLOPE_20,
    TRUE_RANGE_RATIO_14,
)
from ares.kernel.features.lanes import update_lanes
from ares.kernel.features.state import (
    BOTTOM_26,
    CLOSE,
    DM_DOWN,
    DM_UP,
    DX,
    EMA_FAST,
    EMA_SIGNAL,
    EMA_SLOW,
    GAIN,
    LOSS,
    PRICE,
    TOP_26,
    TRADED,
    TRUE_RANGE,
)
from ares.kernel.features.windows import add_amount, log_ratio, ratio, window_amount
from ares.kernel.jit import njit

TIE = 1e-12
"""Averages nearer than this (relative) are equal: less than any tick, more than rounding."""

TIME_SQUARES_20 = 20.0 * (20.0 * 20.0 - 1.0) / 12.0


@njit
def averages(s: Any, i: int, c: float, out: NDArray[np.float32]) -> None:
    """Write the ratios of the moving averages up to bar ``i``."""
    add_amount(s.totals_256, i, PRICE, c)
    mean_20 = window_amount(s.totals_256, i, 20, PRICE) / 20.0
    mean_50 = window_amount(s.totals_256, i, 50, PRICE) / 50.0
    out[SMA_RATIO_5_20] = excess(window_amount(s.totals_256, i, 5, PRICE) / 5.0, mean_20)
    out[SMA_RATIO_20_100] = excess(mean_20, window_amount(s.totals_256, i, 100, PRICE) / 100.0)
    out[SMA_RATIO_50_200] = excess(mean_50, window_amount(s.totals_256, i, 200, PRICE) / 200.0)
    out[CLOSE_SMA_50] = excess(c, mean_50)


@njit
def excess(a: float, b: float) -> float:
    """Return a / b - 1, exactly 0 for a tie."""
    share = ratio(a - b, b, 0.0)
    if abs(share) < TIE:
        return 0.0
    return share


@njit
def recursive(
    s: Any,
    i: int,
    h: float,
    l: float,  # noqa: E741
    c: float,
    out: NDArray[np.float32],
) -> None:
    """Write what rests on recursive averages; the bar before must be in the state, this one not."""
    lane = update_lanes(s, i, h, l, c)
    lanes = s.lanes
    macd = lanes[EMA_FAST, lane] - lanes[EMA_SLOW, lane]
    out[MACD_12_26] = macd / c
    out[MACD_HISTOGRAM_9] = (macd - lanes[EMA_SIGNAL, lane]) / c
    out[ADX_14] = lanes[DX, lane]
    true_range = lanes[TRUE_RANGE, lane]
    out[DI_14] = ratio(lanes[DM_UP, lane] - lanes[DM_DOWN, lane], true_range, 0.0)
    out[NATR_14] = true_range / c
    before = s.values_32[(i - 1) & 31, CLOSE]
    out[TRUE_RANGE_RATIO_14] = log_ratio(max(h, before) - min(l, before), true_range)
    gain = lanes[GAIN, lane]
    out[RSI_14] = ratio(gain, gain + lanes[LOSS, lane], 0.5)


@njit
def line(s: Any, i: int, c: float, v: float, out: NDArray[np.float32]) -> None:
    """Write what one pass over the last 20 closes gives; bar ``i`` must be in the state.

    All sums are of differences to the newest bar: exactly zero where nothing moves, and no
    digits lost where prices are large.
    """
    price = price_price = price_time = 0.0
    volume = volume_volume = price_volume = 0.0
    for back in range(20):
        row = (i - back) & 31
        p = s.values_32[row, CLOSE] - c
        q = s.values_32[row, TRADED] - v
        price += p
        price_price += p * p
        price_time += p * (9.5 - back)
        volume += q
        volume_volume += q * q
        price_volume += p * q
    spread = max(price_price - price * price / 20.0, 0.0)
    spread_volume = max(volume_volume - volume * volume / 20.0, 0.0)
    out[TREND_SLOPE_20] = price_time / TIME_SQUARES_20 / c
    out[TREND_FIT_20] = ratio(price_time, np.sqrt(spread * TIME_SQUARES_20), 0.0)
    out[BOLLINGER_20] = ratio(-price / 20.0, 2.0 * np.sqrt(spread / 20.0), 0.0)
    together = price_volume - price * volume / 20.0
    out[PRICE_VOLUME_20] = ratio(together, np.sqrt(spread) * np.sqrt(spread_volume), 0.0)


@njit
def aroon(s: Any, out: NDArray[np.float32]) -> None:
    """Write the Aroon oscillator; the extremes must be up to date."""
    out[AROON_25] = (s.extremes[TOP_26] - s.extremes[BOTTOM_26]) / 25.0
