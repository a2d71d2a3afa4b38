"""The last bars of every series, kept in the state only where a user's features look at them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ares.kernel.bars import Bars
from ares.kernel.features.user import WARMUP_BARS_MAX
from ares.kernel.trade.layout import Records

OwnFeatures = Callable[[Bars, int], NDArray[np.float32]]
"""A user's features as the engine sees them: (the last bars, interval_ms) -> (n_own,) float32."""

WINDOW = np.dtype(
    [
        ("held", np.int64),
        ("ts_ms", np.int64, (WARMUP_BARS_MAX,)),
        ("ohlcv", np.float64, (5, WARMUP_BARS_MAX)),  # open, high, low, close, volume
        ("flat", np.bool_, (WARMUP_BARS_MAX,)),
    ]
)
"""The newest ``held`` bars of one series, at the end of each column."""


def window_state(n: int) -> Records:
    """Return the windows of ``n`` series that have seen no bar, rows as in ``fold_state``."""
    return np.zeros(n, WINDOW)


def push(windows: Records, k: int, bar: Any) -> None:
    """Add a closed bar (a ``FOLD`` record); of 256 the oldest falls out."""
    window = windows[k]
    ts_ms, ohlcv, flat = window["ts_ms"], window["ohlcv"], window["flat"]
    ts_ms[:-1] = ts_ms[1:]
    ohlcv[:, :-1] = ohlcv[:, 1:]
    flat[:-1] = flat[1:]
    ts_ms[-1] = bar["open_ms"]
    ohlcv[:, -1] = bar["open"], bar["high"], bar["low"], bar["close"], bar["volume"]
    flat[-1] = bar["flat"]
    window["held"] = min(int(window["held"]) + 1, WARMUP_BARS_MAX)


def fill(windows: Records, k: int, bars: Bars) -> None:
    """Begin a window anew with the newest of these bars."""
    windows[k] = np.zeros((), WINDOW)
    window, newest = windows[k], bars[max(0, len(bars) - WARMUP_BARS_MAX) :]
    place = slice(WARMUP_BARS_MAX - len(newest), None)
    prices = (newest.open, newest.high, newest.low, newest.close, newest.volume)
    window["held"] = len(newest)
    window["ts_ms"][place] = newest.ts_ms
    window["ohlcv"][:, place] = prices
    window["flat"][place] = newest.flat


def bars_of(windows: Records, k: int) -> Bars:
    """Return views of a window's bars, good until its next ``push``."""
    window = windows[k]
    held = slice(WARMUP_BARS_MAX - int(window["held"]), None)
    o, h, low, c, v = window["ohlcv"][:, held]
    return Bars(window["ts_ms"][held], o, h, low, c, v, window["flat"][held])
