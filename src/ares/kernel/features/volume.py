"""Volume: how much was traded against usual, on which side, and at what price."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ares.kernel.bars import BarRow
from ares.kernel.features.catalogue import (
    CHAIKIN_20,
    IDLE_SHARE_50,
    MFI_14,
    SIGNED_VOLUME_20,
    VOLUME_RATIO_1_20,
    VOLUME_RATIO_5_50,
    VWAP_50,
)
from ares.kernel.features.state import (
    FLOW,
    IDLE,
    INFLOW,
    LOCATED,
    RETURN,
    SIGNED,
    TURNOVER,
    TYPICAL,
    VOLUME,
    FeatureState,
)
from ares.kernel.features.windows import (
    AMOUNT_MAX,
    BARS_1,
    BARS_5,
    BARS_14,
    BARS_20,
    BARS_50,
    TIE,
    add,
    add_amount,
    balance,
    ratio,
    window,
    window_amount,
)
from ares.kernel.jit import njit


@njit
def volume(s: FeatureState, i: int, bar: BarRow, out: NDArray[np.float32]) -> None:
    """Write the volume features up to bar ``i``; it and its return must be in the state."""
    v = bar.volume
    typical = s.values_32[i & 31, TYPICAL]
    turnover = min(v * typical, AMOUNT_MAX)
    add_amount(s.totals_64, i, VOLUME, v)
    add_amount(s.totals_64, i, TURNOVER, turnover)
    add(s.totals_64, i, IDLE, 1 if bar.flat or v <= 0.0 else 0)

    units = window(s.totals_128, i, BARS_1, RETURN)
    add_amount(s.totals_32, i, SIGNED, v if units > 0 else (-v if units < 0 else 0.0))
    change = typical - s.values_32[(i - 1) & 31, TYPICAL]
    tie = TIE * typical  # (h + l + c) / 3 of equal sums may differ in the last bit
    add_amount(s.totals_32, i, INFLOW, turnover if change > tie else 0.0)
    add_amount(s.totals_32, i, FLOW, turnover if abs(change) > tie else 0.0)
    location = ratio(2.0 * bar.close - bar.high - bar.low, bar.high - bar.low, 0.0)
    add_amount(s.totals_32, i, LOCATED, v * location)

    volume_5 = window_amount(s.totals_64, i, BARS_5, VOLUME)
    volume_20 = window_amount(s.totals_64, i, BARS_20, VOLUME)
    volume_50 = window_amount(s.totals_64, i, BARS_50, VOLUME)
    out[VOLUME_RATIO_1_20] = balance(v * 20.0, volume_20)
    out[VOLUME_RATIO_5_50] = balance(volume_5 * 10.0, volume_50)
    out[SIGNED_VOLUME_20] = ratio(window_amount(s.totals_32, i, BARS_20, SIGNED), volume_20, 0.0)
    inflow = window_amount(s.totals_32, i, BARS_14, INFLOW)
    out[MFI_14] = ratio(inflow, window_amount(s.totals_32, i, BARS_14, FLOW), 0.5)
    out[CHAIKIN_20] = ratio(window_amount(s.totals_32, i, BARS_20, LOCATED), volume_20, 0.0)
    turnover_50 = window_amount(s.totals_64, i, BARS_50, TURNOVER)
    out[VWAP_50] = bar.close * volume_50 / turnover_50 - 1.0 if turnover_50 > 0.0 else 0.0
    out[IDLE_SHARE_50] = window(s.totals_64, i, BARS_50, IDLE) * 0.02
