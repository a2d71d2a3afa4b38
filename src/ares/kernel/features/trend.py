"""Trend: ratios of moving averages, and the indicators that rest on recursive averages."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ares.kernel.features.catalogue import (
    ADX_14,
    AROON_25,
    CLOSE_SMA_50,
    DI_14,
    MACD_12_26,
    MACD_HISTOGRAM_9,
    NATR_14,
    RSI_14,
    SMA_RATIO_5_20,
    SMA_RATIO_20_100,
    SMA_RATIO_50_200,
    TRUE_RANGE_RATIO_14,
)
from ares.kernel.features.state import (
    DM_DOWN,
    DM_UP,
    DX,
    EMA_FAST,
    EMA_SIGNAL,
    EMA_SLOW,
    GAIN,
    HIGH,
    LAST_26,
    LOSS,
    NEGATIVE_LOW,
    PRICE,
    TRUE_RANGE,
    FeatureState,
)
from ares.kernel.features.windows import (
    BARS_5,
    BARS_20,
    BARS_50,
    BARS_100,
    BARS_200,
    TIE,
    add_amount,
    balance,
    ratio,
    window_amount,
)
from ares.kernel.jit import njit


@njit
def averages(s: FeatureState, i: int, close: float, out: NDArray[np.float32]) -> None:
    """Write the ratios of the moving averages up to bar ``i``."""
    add_amount(s.totals_256, i, PRICE, close)
    mean_5 = window_amount(s.totals_256, i, BARS_5, PRICE) * (1.0 / 5.0)
    mean_20 = window_amount(s.totals_256, i, BARS_20, PRICE) * (1.0 / 20.0)
    mean_50 = window_amount(s.totals_256, i, BARS_50, PRICE) * (1.0 / 50.0)
    mean_100 = window_amount(s.totals_256, i, BARS_100, PRICE) * (1.0 / 100.0)
    mean_200 = window_amount(s.totals_256, i, BARS_200, PRICE) * (1.0 / 200.0)
    out[SMA_RATIO_5_20] = excess(mean_5, mean_20)
    out[SMA_RATIO_20_100] = excess(mean_20, mean_100)
    out[SMA_RATIO_50_200] = excess(mean_50, mean_200)
    out[CLOSE_SMA_50] = excess(close, mean_50)


@njit
def excess(a: float, b: float) -> float:
    """Return a / b - 1, exactly 0 for a tie."""
    share = ratio(a - b, b, 0.0)
    if abs(share) < TIE:
        return 0.0
    return share


@njit
def recursive(
    s: FeatureState, e: int, close: float, true_range: float, out: NDArray[np.float32]
) -> None:
    """Write what rests on recursive averages, of which number ``e`` is read."""
    emas = s.emas
    macd = emas[EMA_FAST, e] - emas[EMA_SLOW, e]
    out[MACD_12_26] = macd / close
    out[MACD_HISTOGRAM_9] = (macd - emas[EMA_SIGNAL, e]) / close
    out[ADX_14] = emas[DX, e]
    average = emas[TRUE_RANGE, e]
    out[DI_14] = ratio(emas[DM_UP, e] - emas[DM_DOWN, e], average, 0.0)
    out[NATR_14] = average / close
    out[TRUE_RANGE_RATIO_14] = balance(true_range, average)
    gain = emas[GAIN, e]
    out[RSI_14] = ratio(gain, gain + emas[LOSS, e], 0.5)


@njit
def aroon(s: FeatureState, out: NDArray[np.float32]) -> None:
    """Write the Aroon oscillator; the extremes must be up to date."""
    out[AROON_25] = (s.extremes[HIGH, LAST_26] - s.extremes[NEGATIVE_LOW, LAST_26]) * (1.0 / 25.0)
