"""Returns and volatility against TA-Lib, or against their formulas written out."""

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
    o, h, l, c = b.open, b.high, b.low, b.close  # noqa: E741 - as in OHLC
    lag, rolling = plain.lag, plain.rolling
    lc = np.log(c)
    r = lc - lag(lc, 1)
    sd_20 = talib.STDDEV(r, 20) * np.sqrt(20 / 19)
    sd_100 = talib.STDDEV(r, 100) * np.sqrt(100 / 99)
    hl2, co2 = np.log(h / l) ** 2, np.log(c / o) ** 2
    return {
        **{f"return_{n}": lc - lag(lc, n) for n in (1, 3, 5, 10, 20, 50)},
        "return_z_20": (r - talib.SMA(r, 20)) / sd_20,
        "autocorrelation_50": rolling(r * lag(r, 1), 50, "sum") / rolling(r * r, 50, "sum"),
        "volatility_20": sd_20,
        "volatility_100": sd_100,
        "volatility_ratio_20_100": sd_20 / sd_100,
        "parkinson_20": np.sqrt(talib.SMA(hl2, 20) / (4 * np.log(2))),
        "garman_klass_20": np.sqrt(talib.SMA(hl2 / 2 - (2 * np.log(2) - 1) * co2, 20)),
        "natr_14": talib.NATR(h, l, c, 14) / 100,
        "downside_share_20": talib.SUM(np.where(r < 0, r * r, 0), 20) / talib.SUM(r * r, 20),
    }


def test_formulas_on_a_walk(agree_on_a_walk: Agree) -> None:
    agree_on_a_walk(formulas, "returns", "volatility")


@pytest.mark.data
def test_formulas_on_real_hours(agree_on_real_hours: Agree) -> None:
    agree_on_real_hours(formulas, "returns", "volatility")


def test_a_steady_drift_has_no_variance_to_divide_by() -> None:
    close = 100.0 * np.exp(1e-3 * np.arange(400))
    ts = 60_000 * np.arange(400)
    bars = Bars.make(ts, close, close, close, close, np.ones(400))
    last = features_of(bars, Timeframe.M1, bars).values[-1]
    assert last[FEATURE_NAMES.index("volatility_20")] == 0.0
    assert last[FEATURE_NAMES.index("return_z_20")] == 0.0
    assert last[FEATURE_NAMES.index("beta_50")] == 0.0
