"""Recursive averages with a finite memory, so that they forget where they began.

An EMA never quite forgets its first value; in a dead market nothing covers the traces of the
start. So each average runs in eight lanes, of which one is begun afresh every 30 bars, at fixed
places on the clock, and the oldest lane is read: it holds 211 to 240 bars. Two series that began
at different times hold the same lanes to the bit after 241 bars; against an endless average the
difference is (1 - 1/14)^211 = 2e-7 of the weight.
"""

from __future__ import annotations

from typing import Any

from ares.kernel.features.state import (
    CLOSE,
    DEPTH,
    DM_DOWN,
    DM_UP,
    DX,
    EMA_FAST,
    EMA_SIGNAL,
    EMA_SLOW,
    GAIN,
    HIGH,
    LANES,
    LOSS,
    TRUE_RANGE,
)
from ares.kernel.features.windows import balance
from ares.kernel.jit import njit

SPACING_BARS = 30
WILDER = 1.0 / 14.0
FAST = 2.0 / 13.0
SLOW = 2.0 / 27.0
SIGNAL = 2.0 / 10.0


@njit
def update_lanes(s: Any, i: int, h: float, l: float, c: float) -> tuple[int, float]:  # noqa: E741
    """Fold bar ``i`` into every lane; return the oldest, the one to read, and the true range.

    The previous bar's high, low and close must be in the state. Directional movement as in
    Wilder (1978) and TA-Lib; RSI's gains and losses and the MACD's averages on raw prices.
    """
    up, down, true_range, dm_up, dm_down = movements(s, i, h, l, c)
    lanes = s.lanes
    for lane in range(LANES):
        lanes[GAIN, lane] += (up - lanes[GAIN, lane]) * WILDER
        lanes[LOSS, lane] += (down - lanes[LOSS, lane]) * WILDER
        lanes[TRUE_RANGE, lane] += (true_range - lanes[TRUE_RANGE, lane]) * WILDER
        plus = lanes[DM_UP, lane] + (dm_up - lanes[DM_UP, lane]) * WILDER
        minus = lanes[DM_DOWN, lane] + (dm_down - lanes[DM_DOWN, lane]) * WILDER
        lanes[DM_UP, lane] = plus
        lanes[DM_DOWN, lane] = minus
        lanes[DX, lane] += (abs(balance(plus, minus)) - lanes[DX, lane]) * WILDER
        fast = lanes[EMA_FAST, lane] + (c - lanes[EMA_FAST, lane]) * FAST
        slow = lanes[EMA_SLOW, lane] + (c - lanes[EMA_SLOW, lane]) * SLOW
        lanes[EMA_FAST, lane] = fast
        lanes[EMA_SLOW, lane] = slow
        lanes[EMA_SIGNAL, lane] += (fast - slow - lanes[EMA_SIGNAL, lane]) * SIGNAL
    turn = i // SPACING_BARS
    if i - turn * SPACING_BARS == 0:
        lane = turn & (LANES - 1)
        lanes[GAIN, lane] = up
        lanes[LOSS, lane] = down
        lanes[TRUE_RANGE, lane] = true_range
        lanes[DM_UP, lane] = dm_up
        lanes[DM_DOWN, lane] = dm_down
        lanes[DX, lane] = abs(balance(dm_up, dm_down))
        lanes[EMA_FAST, lane] = c
        lanes[EMA_SLOW, lane] = c
        lanes[EMA_SIGNAL, lane] = 0.0
    return (turn + 1) & (LANES - 1), true_range


@njit
def movements(
    s: Any,
    i: int,
    h: float,
    l: float,  # noqa: E741
    c: float,
) -> tuple[float, float, float, float, float]:
    """Return gain, loss, true range, upward and downward movement against the bar before."""
    close = s.values_32[(i - 1) & 31, CLOSE]
    change = c - close
    rise = h - s.values_128[(i - 1) & 127, HIGH]
    fall = -s.values_128[(i - 1) & 127, DEPTH] - l
    return (
        max(change, 0.0),
        max(-change, 0.0),
        max(h, close) - min(l, close),
        rise if rise > max(fall, 0.0) else 0.0,
        fall if fall > max(rise, 0.0) else 0.0,
    )
