"""The step: one bar in, the features of that bar out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ares.kernel.bars import BarRow
from ares.kernel.features.catalogue import FEATURES, N_FEATURES, WARMUP_BARS
from ares.kernel.features.cross import cross
from ares.kernel.features.momentum import momentum
from ares.kernel.features.range import candle, channels, update_extremes
from ares.kernel.features.returns import returns, volatility
from ares.kernel.features.session import session
from ares.kernel.features.state import (
    CLOSE,
    HIGH,
    LOG_CLOSE,
    LOG_REF,
    NEGATIVE_LOW,
    TRADED,
    TYPICAL,
    FeatureState,
    States,
)
from ares.kernel.features.trend import aroon, averages, recursive
from ares.kernel.features.trend_fit import trend_fit
from ares.kernel.features.volume import volume
from ares.kernel.features.windowed_ema import update_emas
from ares.kernel.features.windows import AMOUNT_MAX
from ares.kernel.jit import njit

WARMUPS = np.array([spec.warmup_bars for spec in FEATURES], np.int64)
PRICE_MAX = AMOUNT_MAX / 4.0
PRICE_MIN = 1e-12


@njit
def feature_step(
    states: States, k: int, bar: BarRow, ref_close: float, out: NDArray[np.float32]
) -> None:
    """Add a closed bar to ``states[k]`` and write its features.

    bar       : with any other distance to the bar before than one interval the series starts
                afresh. A volume that is negative or NaN counts as 0.
    ref_close : close of the reference's bar of the same interval and instant, NaN if missing.
    out       : (N_FEATURES,) written; NaN where the feature's warmup is not reached.

    A bar whose prices are no prices (not finite, below 1e-12, above 1e15) leaves the state empty:
    the next bar starts afresh.
    """
    s = states[k]
    if not has_prices(bar):
        clear(s)
        out[:] = np.nan
        return
    if s.age > 0 and bar.ts_ms - s.ts_ms != s.interval_ms:
        clear(s)
    if s.age == 0:
        start(s, bar.ts_ms // s.interval_ms, bar)
    else:
        s.bar += 1
    i = s.bar
    s.age += 1
    s.ts_ms = bar.ts_ms
    bar = with_valid_volume(bar)

    oldest_ema, true_range = update_emas(s, i, bar)  # reads the bar before, so first
    s.values_32[i & 31, CLOSE] = bar.close
    s.values_32[i & 31, TRADED] = bar.volume
    s.values_32[i & 31, TYPICAL] = (bar.high + bar.low + bar.close) * (1.0 / 3.0)
    s.values_64[i & 63, LOG_CLOSE] = np.log(bar.close)
    s.values_64[i & 63, LOG_REF] = np.log(ref_close) if ref_close > 0.0 else np.nan
    s.values_128[i & 127, HIGH] = bar.high
    s.values_128[i & 127, NEGATIVE_LOW] = -bar.low
    update_extremes(s, i)

    returns(s, i, out)  # the return first: the others read it
    volatility(s, i, bar, out)
    averages(s, i, bar.close, out)
    recursive(s, oldest_ema, bar.close, true_range, out)
    aroon(s, out)
    trend_fit(s, i, out)
    momentum(s, i, bar.close, out)
    volume(s, i, bar, out)
    candle(bar, out)
    channels(s, bar.close, out)
    session(bar.ts_ms, out)
    cross(s, i, out)
    if s.age < WARMUP_BARS:
        for f in range(N_FEATURES):
            if s.age < WARMUPS[f]:
                out[f] = np.nan


@njit
def has_prices(bar: BarRow) -> bool:
    """Return whether all four prices of a bar can be prices."""
    return is_price(bar.open) and is_price(bar.high) and is_price(bar.low) and is_price(bar.close)


@njit
def is_price(x: float) -> bool:
    """Return whether a number can be a price; NaN cannot."""
    return PRICE_MIN <= x <= PRICE_MAX


@njit
def with_valid_volume(bar: BarRow) -> BarRow:
    """Return the bar with a volume from 0 to AMOUNT_MAX; NaN counts as 0."""
    v = min(max(bar.volume, 0.0), AMOUNT_MAX) if bar.volume == bar.volume else 0.0
    return BarRow(bar.ts_ms, bar.open, bar.high, bar.low, bar.close, v, bar.flat)


@njit
def clear(s: FeatureState) -> None:
    """Empty a state but for its interval."""
    s.ts_ms = 0
    s.age = 0
    s.bar = 0
    s.streak = 0
    s.stochastic[:] = 0.0
    s.extremes[:] = 0
    s.emas[:] = 0.0
    s.totals_32[:] = 0
    s.totals_64[:] = 0
    s.totals_128[:] = 0
    s.totals_256[:] = 0
    s.values_32[:] = 0.0
    s.values_64[:] = 0.0
    s.values_128[:] = 0.0


@njit
def start(s: FeatureState, i: int, bar: BarRow) -> None:
    """Put a flat bar before the first one, so that the first has no change."""
    s.bar = i
    s.values_32[(i - 1) & 31, CLOSE] = bar.close
    s.values_32[(i - 1) & 31, TYPICAL] = (bar.high + bar.low + bar.close) * (1.0 / 3.0)
    s.values_64[(i - 1) & 63, LOG_CLOSE] = np.log(bar.close)
    s.values_64[(i - 1) & 63, LOG_REF] = np.nan
    s.values_128[(i - 1) & 127, HIGH] = bar.high
    s.values_128[(i - 1) & 127, NEGATIVE_LOW] = -bar.low
    s.extremes[:] = i
