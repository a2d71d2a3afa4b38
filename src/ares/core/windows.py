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

_COLUMNS = {
    "ts_ms": "open_ms", "open": "open", "high": "high", "low": "low", "close": "close",
    "volume": "volume", "flat": "flat",
}  # fmt: skip
"""Columns of a window, each with the field of ``kernel.fold.FOLD`` that it is taken from."""

_TYPES = {"ts_ms": np.int64, "flat": np.bool_}

WINDOW = np.dtype(
    [("held", np.int64)]
    + [(name, _TYPES.get(name, np.float64), (WARMUP_BARS_MAX,)) for name in _COLUMNS]
)
"""The newest ``held`` bars of one series, at the end of each column."""


def window_state(n: int) -> Records:
    """Return the windows of ``n`` series that have seen no bar, rows as in ``fold_state``."""
    return np.zeros(n, WINDOW)


def push(windows: Records, k: int, bar: Any) -> None:
    """Add a closed bar (a ``FOLD`` record); of 256 the oldest falls out."""
    window = windows[k]
    for name, source in _COLUMNS.items():
        column = window[name]
        column[:-1] = column[1:]
        column[-1] = bar[source]
    window["held"] = min(int(window["held"]) + 1, WARMUP_BARS_MAX)


def fill(windows: Records, k: int, bars: Bars) -> None:
    """Begin a window anew with the newest of these bars."""
    windows[k] = np.zeros((), WINDOW)
    window = windows[k]
    held = min(len(bars), WARMUP_BARS_MAX)
    window["held"] = held
    for name in _COLUMNS:
        window[name][WARMUP_BARS_MAX - held :] = getattr(bars, name)[len(bars) - held :]


def bars_of(windows: Records, k: int) -> Bars:
    """Return views of a window's bars, good until its next ``push``."""
    window = windows[k]
    held = slice(WARMUP_BARS_MAX - int(window["held"]), None)
    return Bars(*(window[name][held] for name in _COLUMNS))
