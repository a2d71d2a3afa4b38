"""Volume features against TA-Lib, or against their formulas written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import talib

from ares.kernel.bars import F64, Bars

Agree = Callable[..., None]


def formulas(b: Bars, _ref: F64, plain: Any) -> dict[str, F64]:
    """Return each feature by its formula."""
    h, l, c, v = b.high, b.low, b.close, b.volume  # noqa: E741 - as in OHLC
    lag, rolling, correlations = plain.lag, plain.rolling, plain.correlations
    sum_20, mean_50 = talib.SUM(v, 20), talib.SMA(v, 50)
    mean_20, mean_5 = talib.SMA(v, 20), talib.SMA(v, 5)
    cents = np.rint(np.stack([h, l, c]) * 100)  # typical prices of equal sums are equal then
    obv, ad = talib.OBV(c, v), talib.AD(h, l, c, v)
    typical = talib.TYPPRICE(h, l, c)
    vwap = talib.SUM(typical * v, 50) / talib.SUM(v, 50)
    return {
        "volume_ratio_1_20": (v - mean_20) / (v + mean_20),
        "volume_ratio_5_50": (mean_5 - mean_50) / (mean_5 + mean_50),
        "signed_volume_20": (obv - lag(obv, 20)) / sum_20,
        "mfi_14": talib.MFI(cents[0], cents[1], cents[2], v, 14) / 100,
        "chaikin_20": (ad - np.nan_to_num(lag(ad, 20))) / sum_20,
        "vwap_50": c / vwap - 1,
        "price_volume_20": correlations(c, v, 20),
        "idle_share_50": rolling(np.where(v == 0, 1.0, 0.0), 50, "mean"),
    }


def test_formulas_on_a_walk(agree_on_a_walk: Agree) -> None:
    agree_on_a_walk(formulas, "volume")


@pytest.mark.data
def test_formulas_on_real_hours(agree_on_real_hours: Agree) -> None:
    agree_on_real_hours(formulas, "volume")
