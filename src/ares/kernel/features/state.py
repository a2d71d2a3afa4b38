"""The memory of the features: one fixed-size record per series, whose bytes are its snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

States = NDArray[Any]
"""An array of ``STATE`` records: nested dtypes have no static type in NumPy."""

FeatureState = Any
"""One record of ``STATE``, the ``s`` of the functions of this package; ``i`` is the number of a bar
on the clock."""


def columns(n: int) -> Any:
    """Return 0 to n - 1 as NumPy integers.

    Of a function that takes a Python integer as a constant, Numba compiles one copy per value.
    """
    return np.arange(n)


# Rings are indexed by the bar's number on the clock (ts_ms // interval_ms) & (depth - 1), one row
# per bar. A `totals` ring holds running totals in int64: the sum over a window is the difference
# of two of them, exact even when the totals wrap around, and the same from whatever start.

# totals_32: windows of up to 31 bars
HIGH_LOW, GARMAN_KLASS, ABSOLUTE, DOWN, SIGNED, _1, INFLOW, _2, FLOW, _3, LOCATED, _4 = columns(12)
# totals_64: windows of up to 63 bars
LAGGED, IDLE, PAIRS, REF, REF_REF, OWN, OWN_OWN, OWN_REF, VOLUME, _, TURNOVER, _ = columns(12)
# totals_128 and totals_256
RETURN, SQUARE = columns(2)
PRICE, _ = columns(2)
# values_32, values_64, values_128
CLOSE, TRADED, TYPICAL = columns(3)
LOG_CLOSE, LOG_REF = columns(2)
HIGH, NEGATIVE_LOW = columns(2)  # so that one search for a maximum finds both extremes
# emas: recursive averages
GAIN, LOSS, TRUE_RANGE, DM_UP, DM_DOWN, DX, EMA_FAST, EMA_SLOW, EMA_SIGNAL = columns(9)
N_EMAS = 8  # of each average, started one after the other
# extremes: the number, on the clock, of the bar with the highest high or lowest low of each window
LAST_14, LAST_20, LAST_26, LAST_100 = columns(4)

STATE = np.dtype(
    [
        ("interval_ms", np.int64),
        ("ts_ms", np.int64),  # open time of the last bar
        ("age", np.int64),  # bars since the start or the last reset
        ("bar", np.int64),  # number of the last bar on the clock: ts_ms // interval_ms
        ("streak", np.int64),
        ("stochastic", np.float64, (2,)),  # of the last bar and of the one before
        ("extremes", np.int64, (2, 4)),  # of HIGH and NEGATIVE_LOW
        ("emas", np.float64, (9, N_EMAS)),
        ("totals_32", np.int64, (32, 12)),
        ("totals_64", np.int64, (64, 12)),
        ("totals_128", np.int64, (128, 2)),
        ("totals_256", np.int64, (256, 2)),
        ("values_32", np.float64, (32, 3)),
        ("values_64", np.float64, (64, 2)),
        ("values_128", np.float64, (128, 2)),
    ]
)


def feature_state(n: int, interval_ms: int | Sequence[int] | NDArray[np.int64]) -> States:
    """Return the state of ``n`` series that have seen no bar.

    interval_ms : length of their bars, one for all or one each.
    returns     : (n,) of ``STATE``: no padding, so equal states have equal bytes.

    >>> state = feature_state(2, interval_ms=60_000)
    >>> state["age"].tolist(), len(state.tobytes()) == 2 * STATE.itemsize
    ([0, 0], True)
    """
    state = np.zeros(n, STATE)
    state["interval_ms"] = interval_ms
    return state
