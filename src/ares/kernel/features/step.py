"""The step: one bar in, the features of that bar out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ares.kernel.features.catalogue import FEATURES, N_FEATURES, WARMUP_BARS
from ares.kernel.features.cross import cross
from ares.kernel.features.momentum import momentum
from ares.kernel.features.range import candle, channels, move_extremes
from ares.kernel.features.returns import returns, volatility
from ares.kernel.features.session import session
from ares.kernel.features.state import (
    CLOSE,
    DEPTH,
    HIGH,
    LOG_CLOSE,
    LOG_REF,
    TRADED,
    TYPICAL,
    States,
)
from ares.kernel.features.trend import aroon, averages, recursive
from ares.kernel.features.trend_fit import line
from ares.kernel.features.volume import volume
from ares.kernel.features.windowed_ema import update_lanes
from ares.kernel.features.windows import AMOUNT_MAX
from ares.kernel.jit import njit

WARMUPS = np.array([spec.warmup_bars for spec in FEATURES], np.int64)
PRICE_MAX = AMOUNT_MAX / 4.0
PRICE_MIN = 1e-12


@njit
def feature_step(
    state: States,
    k: int,
    ts_ms: int,
    o: float,
    h: float,
    l: float,  # noqa: E741
    c: float,
    v: float,
    flat: bool,
    ref_close: float,
    out: NDArray[np.float32],
) -> None:
    """Fold a closed bar into ``state[k]`` and write its features.

    ts_ms     : open time. Any other distance to the bar before than one interval starts afresh.
    v         : volume in base currency; negative or NaN counts as 0.
    flat      : the bar was made to fill a gap.
    ref_close : close of the reference's bar of the same interval and instant, NaN if missing.
    out       : (N_FEATURES,) written; NaN where the feature's warmup is not reached.

    A bar whose prices are no prices (not finite, below 1e-12, above 1e15) leaves the state empty:
    the next bar starts afresh.
    """
    s = state[k]
    if not (is_price(o) and is_price(h) and is_price(l) and is_price(c)):
        clear(s)
        out[:] = np.nan
        return
    if s.age > 0 and ts_ms - s.ts_ms != s.interval_ms:
        clear(s)
    if s.age == 0:
        begin(s, ts_ms // s.interval_ms, h, l, c)
    else:
        s.bar += 1
    i = s.bar
    s.age += 1
    s.ts_ms = ts_ms
    v = min(max(v, 0.0), AMOUNT_MAX) if v == v else 0.0  # noqa: PLR0124 - NaN

    lane, true_range = update_lanes(s, i, h, l, c)  # against the bar before, so first
    s.values_32[i & 31, CLOSE] = c
    s.values_32[i & 31, TRADED] = v
    s.values_32[i & 31, TYPICAL] = (h + l + c) * (1.0 / 3.0)
    s.values_64[i & 63, LOG_CLOSE] = np.log(c)
    s.values_64[i & 63, LOG_REF] = np.log(ref_close) if ref_close > 0.0 else np.nan
    s.values_128[i & 127, HIGH] = h
    s.values_128[i & 127, DEPTH] = -l
    move_extremes(s, i)

    returns(s, i, out)  # the return first: the others read it
    volatility(s, i, o, h, l, c, out)
    averages(s, i, c, out)
    recursive(s, lane, c, true_range, out)
    aroon(s, out)
    line(s, i, out)
    momentum(s, i, c, out)
    volume(s, i, h, l, c, v, flat, out)
    candle(o, h, l, c, out)
    channels(s, c, out)
    session(ts_ms, out)
    cross(s, i, out)
    if s.age < WARMUP_BARS:
        for f in range(N_FEATURES):
            if s.age < WARMUPS[f]:
                out[f] = np.nan


@njit
def is_price(x: float) -> bool:
    """Return whether a number can be a price; NaN cannot."""
    return PRICE_MIN <= x <= PRICE_MAX


@njit
def clear(s: Any) -> None:
    """Empty a state but for its interval."""
    s.ts_ms = 0
    s.age = 0
    s.bar = 0
    s.streak = 0
    s.stochastic[:] = 0.0
    s.extremes[:] = 0
    s.lanes[:] = 0.0
    s.totals_32[:] = 0
    s.totals_64[:] = 0
    s.totals_128[:] = 0
    s.totals_256[:] = 0
    s.values_32[:] = 0.0
    s.values_64[:] = 0.0
    s.values_128[:] = 0.0


@njit
def begin(s: Any, i: int, h: float, l: float, c: float) -> None:  # noqa: E741
    """Lay a bar that stood still before the first one, so that it has no change."""
    s.bar = i
    s.values_32[(i - 1) & 31, CLOSE] = c
    s.values_32[(i - 1) & 31, TYPICAL] = (h + l + c) * (1.0 / 3.0)
    s.values_64[(i - 1) & 63, LOG_CLOSE] = np.log(c)
    s.values_64[(i - 1) & 63, LOG_REF] = np.nan
    s.values_128[(i - 1) & 127, HIGH] = h
    s.values_128[(i - 1) & 127, DEPTH] = -l
    s.extremes[:] = i
