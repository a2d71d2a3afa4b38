"""Features of the range against TA-Lib, or against their formulas written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import talib

from ares.kernel.bars import F64, Bars

Agree = Callable[..., None]


def formulas(b: Bars, _ref: F64, _plain: Any) -> dict[str, F64]:
    """Return each feature by its formula."""
    o, h, l, c = b.open, b.high, b.low, b.close  # noqa: E741 - as in OHLC
    spread = np.where(h > l, h - l, 1.0)
    upper, middle, _ = talib.BBANDS(c, 20, 1.0, 1.0)
    atr, tr = talib.ATR(h, l, c, 14), talib.TRANGE(h, l, c)
    low, high = talib.MIN, talib.MAX
    return {
        "body": (c - o) / spread,
        "upper_shadow": (h - np.maximum(o, c)) / spread,
        "true_range_ratio_14": (tr - atr) / (tr + atr),
        "channel_20": (c - low(l, 20)) / (high(h, 20) - low(l, 20)),
        "channel_100": (c - low(l, 100)) / (high(h, 100) - low(l, 100)),
        "bollinger_20": (c - middle) / (2 * (upper - middle)),
    }


def test_formulas_on_a_walk(agree_on_a_walk: Agree) -> None:
    agree_on_a_walk(formulas, "range")


@pytest.mark.data
def test_formulas_on_real_hours(agree_on_real_hours: Agree) -> None:
    agree_on_real_hours(formulas, "range")
