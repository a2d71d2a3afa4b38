"""The user's columns of a run, computed as a whole from its journaled bars and those before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ares.core.bar_windows import bars_of
from ares.core.state import State
from ares.kernel.bars import Bars, Bools
from ares.kernel.features.user import UserFeatures
from ares.runtime.engine.bar_panel import BarPanel


def own_columns(
    first: State,
    k: int,
    bars: Bars,
    wanted: Bools,
    user: UserFeatures | None,
    kernel_rows: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the user's columns (n_bars, n_own) of one series of a run that has such features.

    first  : the run's first state, whose windows hold the bars before the first one.
    k      : row of the series, ``instrument * n_timeframes + timeframe``; bars : all its bars.
    wanted : (n_bars,) the rows to compute.
    kernel_rows : (n_bars, N_FEATURES) the kernel's features of the bars.
    """
    if first.bar_windows is None or user is None:
        raise ValueError("the run uses features of the user's own: pass user")
    before = bars_of(first.bar_windows, k)
    rows = np.concatenate([np.zeros(len(before), np.bool_), wanted])
    timeframe_ms = first.intervals.timeframe_ms
    interval_ms = int(timeframe_ms[k % len(timeframe_ms)])
    known = np.full((len(before), kernel_rows.shape[1]), np.nan, np.float32)
    values = np.concatenate([known, kernel_rows])
    return user.of(Bars.concat([before, bars]), interval_ms, rows, values)[len(before) :]


def base_bars_of(feed: BarPanel, i: int, base_ms: int) -> Bars:
    """Return one instrument's base bars from the feed."""
    rows = feed.present[:, i]
    o, h, low, c, v = feed.ohlcv[rows, i].T
    return Bars.make(feed.close_ms[rows] - base_ms, o, h, low, c, v, feed.flat[rows, i])
