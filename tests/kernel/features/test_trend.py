"""Trend features against TA-Lib, or against their formulas written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import talib

from ares.domain.timeframe import Timeframe
from ares.kernel.bars import F64, Bars
from ares.kernel.features import (
    FEATURE_NAMES,
    features_of,
)

Agree = Callable[..., None]


def formulas(b: Bars, _ref: F64, plain: Any) -> dict[str, F64]:
    """Return each feature by its formula."""
    h, l, c = b.high, b.low, b.close  # noqa: E741 - as in OHLC
    correlations = plain.correlations
    sma = {n: talib.SMA(c, n) for n in (5, 20, 50, 100, 200)}
    macd, signal, _ = talib.MACD(c, 12, 26, 9)
    return {
        "sma_ratio_5_20": sma[5] / sma[20] - 1,
        "sma_ratio_20_100": sma[20] / sma[100] - 1,
        "sma_ratio_50_200": sma[50] / sma[200] - 1,
        "close_sma_50": c / sma[50] - 1,
        "macd_12_26": macd / c,
        "macd_histogram_9": (macd - signal) / c,
        "adx_14": talib.ADX(h, l, c, 14) / 100,
        "di_14": (talib.PLUS_DI(h, l, c, 14) - talib.MINUS_DI(h, l, c, 14)) / 100,
        "aroon_25": talib.AROONOSC(h, l, 25) / 100,
        "trend_slope_20": talib.LINEARREG_SLOPE(c, 20) / c,
        "trend_fit_20": correlations(c, np.arange(len(c), dtype=np.float64), 20),
    }


def test_formulas_on_a_walk(agree_on_a_walk: Agree) -> None:
    agree_on_a_walk(formulas, "trend")


@pytest.mark.data
def test_formulas_on_real_hours(agree_on_real_hours: Agree) -> None:
    agree_on_real_hours(formulas, "trend")


def test_equal_averages_are_a_tie_to_the_bit() -> None:
    close = np.tile([100.1, 100.2, 100.3, 100.4], 100)
    bars = Bars.make(60_000 * np.arange(400), close, close, close, close, close)
    table = features_of(bars, Timeframe.M1, None)
    assert not table.values[250:, FEATURE_NAMES.index("sma_ratio_20_100")].any()
