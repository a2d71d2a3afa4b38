"""Momentum features against TA-Lib, or against their formulas written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import talib

from ares.kernel.bars import F64, Bars

Agree = Callable[..., None]


def runs(r: F64) -> F64:
    """Return the signed length of each run of equal signs, at most 10, over 10."""
    out = np.zeros_like(r)
    for t in range(1, len(r)):
        sign = np.sign(r[t])
        out[t] = sign * min(10, 1 + abs(out[t - 1])) if sign == np.sign(out[t - 1]) else sign
    return out / 10


def formulas(b: Bars, _ref: F64, plain: Any) -> dict[str, F64]:
    """Return each feature by its formula."""
    h, l, c = b.high, b.low, b.close  # noqa: E741 - as in OHLC
    lag, rolling = plain.lag, plain.rolling
    lc = np.log(c)
    r = lc - lag(lc, 1)
    fast_k, fast_d = talib.STOCHF(h, l, c, 14, 3)
    return {
        "rsi_14": talib.RSI(c, 14) / 100,
        "stochastic_14": fast_k / 100,
        "stochastic_14_3": fast_d / 100,
        "cci_20": talib.CCI(h, l, c, 20) / 100,
        "efficiency_20": np.abs(lc - lag(lc, 20)) / rolling(np.abs(r), 20, "sum"),
        "streak": runs(r),
    }


def test_formulas_on_a_walk(agree_on_a_walk: Agree) -> None:
    agree_on_a_walk(formulas, "momentum")


@pytest.mark.data
def test_formulas_on_real_hours(agree_on_real_hours: Agree) -> None:
    agree_on_real_hours(formulas, "momentum")
