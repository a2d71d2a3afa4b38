"""Recursive averages (EMA, Wilder) over a finite window, the same wherever the series began.

An EMA depends on its first value for ever, and in a market that does not move the effect shows.
So each average is kept eight times. One of the eight starts afresh every 30 bars, at fixed
times of the clock, and the oldest is read: it holds 211 to 240 bars. Two series that began at
different times hold the same averages to the bit after 241 bars; against an endless average the
difference is (1 - 1/14)^211 = 2e-7 of the weight.
"""

from __future__ import annotations

from ares.kernel.bars import BarRow
from ares.kernel.features.state import (
    CLOSE,
    DM_DOWN,
    DM_UP,
    DX,
    EMA_FAST,
    EMA_SIGNAL,
    EMA_SLOW,
    GAIN,
    HIGH,
    LOSS,
    N_EMAS,
    NEGATIVE_LOW,
    TRUE_RANGE,
    FeatureState,
)
from ares.kernel.features.windows import balance
from ares.kernel.jit import njit

SPACING_BARS = 30
WILDER = 1.0 / 14.0
FAST = 2.0 / 13.0
SLOW = 2.0 / 27.0
SIGNAL = 2.0 / 10.0


@njit
def update_emas(s: FeatureState, i: int, bar: BarRow) -> tuple[int, float]:
    """Add bar ``i`` to every average; return which of the eight to read, and the true range.

    The previous bar's high, low and close must be in the state. Directional movement as in
    Wilder (1978) and TA-Lib; RSI's gains and losses and the MACD's averages on raw prices.
    """
    up, down, true_range, dm_up, dm_down = movements(s, i, bar)
    emas, close = s.emas, bar.close
    for e in range(N_EMAS):
        emas[GAIN, e] += (up - emas[GAIN, e]) * WILDER
        emas[LOSS, e] += (down - emas[LOSS, e]) * WILDER
        emas[TRUE_RANGE, e] += (true_range - emas[TRUE_RANGE, e]) * WILDER
        plus = emas[DM_UP, e] + (dm_up - emas[DM_UP, e]) * WILDER
        minus = emas[DM_DOWN, e] + (dm_down - emas[DM_DOWN, e]) * WILDER
        emas[DM_UP, e] = plus
        emas[DM_DOWN, e] = minus
        emas[DX, e] += (abs(balance(plus, minus)) - emas[DX, e]) * WILDER
        fast = emas[EMA_FAST, e] + (close - emas[EMA_FAST, e]) * FAST
        slow = emas[EMA_SLOW, e] + (close - emas[EMA_SLOW, e]) * SLOW
        emas[EMA_FAST, e] = fast
        emas[EMA_SLOW, e] = slow
        emas[EMA_SIGNAL, e] += (fast - slow - emas[EMA_SIGNAL, e]) * SIGNAL
    period = i // SPACING_BARS
    if i - period * SPACING_BARS == 0:
        e = period & (N_EMAS - 1)
        emas[GAIN, e] = up
        emas[LOSS, e] = down
        emas[TRUE_RANGE, e] = true_range
        emas[DM_UP, e] = dm_up
        emas[DM_DOWN, e] = dm_down
        emas[DX, e] = abs(balance(dm_up, dm_down))
        emas[EMA_FAST, e] = close
        emas[EMA_SLOW, e] = close
        emas[EMA_SIGNAL, e] = 0.0
    return (period + 1) & (N_EMAS - 1), true_range


@njit
def movements(s: FeatureState, i: int, bar: BarRow) -> tuple[float, float, float, float, float]:
    """Return gain, loss, true range, upward and downward movement against the bar before."""
    close = s.values_32[(i - 1) & 31, CLOSE]
    change = bar.close - close
    rise = bar.high - s.values_128[(i - 1) & 127, HIGH]
    fall = -s.values_128[(i - 1) & 127, NEGATIVE_LOW] - bar.low
    return (
        max(change, 0.0),
        max(-change, 0.0),
        max(bar.high, close) - min(bar.low, close),
        rise if rise > max(fall, 0.0) else 0.0,
        fall if fall > max(rise, 0.0) else 0.0,
    )
