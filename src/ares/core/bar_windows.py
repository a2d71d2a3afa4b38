"""The last bars of every series, kept in the state only where a user's own features need them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ares.kernel.bars import Bars
from ares.kernel.features.user import WARMUP_BARS_MAX
from ares.kernel.trade.layout import Records

WINDOW = np.dtype(
    [
        ("n_bars", np.int64),
        ("ts_ms", np.int64, (WARMUP_BARS_MAX,)),
        ("ohlcv", np.float64, (5, WARMUP_BARS_MAX)),  # open, high, low, close, volume
        ("flat", np.bool_, (WARMUP_BARS_MAX,)),
    ]
)
"""The newest ``n_bars`` bars of one series, at the end of each column."""


def empty_windows(n: int) -> Records:
    """Return the windows of ``n`` series without bars, one row for each series."""
    return np.zeros(n, WINDOW)


def push(windows: Records, k: int, bar: Any) -> None:
    """Append a closed bar (a ``FOLD`` record) to window ``k``; a full one drops its oldest bar."""
    window = windows[k]
    ts_ms, ohlcv, flat = window["ts_ms"], window["ohlcv"], window["flat"]
    ts_ms[:-1] = ts_ms[1:]
    ohlcv[:, :-1] = ohlcv[:, 1:]
    flat[:-1] = flat[1:]
    ts_ms[-1] = bar["open_ms"]
    ohlcv[:, -1] = bar["open"], bar["high"], bar["low"], bar["close"], bar["volume"]
    flat[-1] = bar["flat"]
    window["n_bars"] = min(int(window["n_bars"]) + 1, WARMUP_BARS_MAX)


def fill(windows: Records, k: int, bars: Bars) -> None:
    """Replace the content of window ``k`` with the newest of these bars."""
    windows[k] = np.zeros((), WINDOW)
    window, newest = windows[k], bars[max(0, len(bars) - WARMUP_BARS_MAX) :]
    columns = slice(WARMUP_BARS_MAX - len(newest), None)
    prices = (newest.open, newest.high, newest.low, newest.close, newest.volume)
    window["n_bars"] = len(newest)
    window["ts_ms"][columns] = newest.ts_ms
    window["ohlcv"][:, columns] = prices
    window["flat"][columns] = newest.flat


def bars_of(windows: Records, k: int) -> Bars:
    """Return views of the bars of window ``k``; they are valid until its next ``push``."""
    window = windows[k]
    columns = slice(WARMUP_BARS_MAX - int(window["n_bars"]), None)
    o, h, low, c, v = window["ohlcv"][:, columns]
    return Bars(window["ts_ms"][columns], o, h, low, c, v, window["flat"][columns])
