"""Bars of one interval into bars of a longer one: UTC-aligned, gaps flat, complete bars only."""

from __future__ import annotations

import numpy as np

from ares.domain.timeframe import DAY_MS
from ares.kernel.bars import BarColumns, Bars
from ares.kernel.jit import njit

GAP_MS_MAX = 2 * DAY_MS
"""A gap up to this long is filled with flat bars; over a longer one the series starts afresh."""


def fill_gaps(bars: Bars, interval_ms: int, gap_ms_max: int = GAP_MS_MAX) -> Bars:
    """Return ``bars`` with every gap of at most ``gap_ms_max`` filled by flat bars.

    A gap's length is the time that no bar covers. A flat bar has all prices at the last close,
    volume 0 and ``flat`` True. Longer gaps stay: there the times jump.

    bars : on the grid (open times are multiples of ``interval_ms``), strictly rising.

    >>> one = np.array([1.0, 2.0])
    >>> bars = Bars.make(np.array([0, 180_000]), one, one, one, one, one)
    >>> filled = fill_gaps(bars, 60_000)
    >>> filled.ts_ms.tolist(), filled.close.tolist()
    ([0, 60000, 120000, 180000], [1.0, 1.0, 1.0, 2.0])
    >>> filled.volume.tolist(), filled.flat.tolist()
    ([1.0, 0.0, 0.0, 2.0], [False, True, True, False])
    """
    step_ms = np.diff(bars.ts_ms)
    fillable = (step_ms > interval_ms) & (step_ms - interval_ms <= gap_ms_max)
    if not fillable.any():
        return bars
    copies = np.ones(len(bars), np.int64)
    copies[:-1][fillable] = step_ms[fillable] // interval_ms
    origin = np.repeat(np.arange(len(bars)), copies)
    offset = np.arange(len(origin)) - np.repeat(np.cumsum(copies) - copies, copies)
    is_filler = offset > 0
    last_close = bars.close[origin]
    return Bars.make(
        bars.ts_ms[origin] + offset * interval_ms,
        np.where(is_filler, last_close, bars.open[origin]),
        np.where(is_filler, last_close, bars.high[origin]),
        np.where(is_filler, last_close, bars.low[origin]),
        last_close,
        np.where(is_filler, 0.0, bars.volume[origin]),
        is_filler | bars.flat[origin],
    )


def resample(bars: Bars, from_ms_interval: int, to_ms_interval: int) -> Bars:
    """Return the bars of ``to_ms_interval`` of which every part is present; others are left out.

    A bar opens at a multiple of its interval since the epoch. Its open is the first part's, high
    and low the extremes, close the last part's; volume is summed from the first part to the last
    (this order, so that a bar aggregated live is the same to the bit); it is flat where all parts
    are.

    bars : on the grid of ``from_ms_interval``, strictly rising, gaps filled where wanted.
    """
    if from_ms_interval <= 0 or to_ms_interval % from_ms_interval:
        raise ValueError(f"{to_ms_interval} ms is no multiple of {from_ms_interval} ms")
    if to_ms_interval == from_ms_interval:
        return bars
    parts = to_ms_interval // from_ms_interval
    room = len(bars) // parts
    longer = Bars(
        *(np.empty(room, np.int64), np.empty(room), np.empty(room), np.empty(room)),
        *(np.empty(room), np.empty(room), np.empty(room, np.bool_)),
    )
    n_longer = _aggregate(bars.columns, longer.columns, parts, to_ms_interval)
    return longer[:n_longer]


@njit
def _aggregate(bars: BarColumns, longer: BarColumns, parts: int, to_ms_interval: int) -> int:
    """Write the complete bars of ``parts`` bars each into ``longer``; return how many there are."""
    count = 0
    k = 0
    n = len(bars.ts_ms)
    while k + parts <= n:
        start_ms = bars.ts_ms[k] - bars.ts_ms[k] % to_ms_interval
        last = k + parts - 1
        if bars.ts_ms[k] != start_ms or bars.ts_ms[last] >= start_ms + to_ms_interval:
            k += 1
            continue
        top, bottom, total, is_flat = bars.high[k], bars.low[k], bars.volume[k], bars.flat[k]
        for i in range(k + 1, last + 1):
            top = max(top, bars.high[i])
            bottom = min(bottom, bars.low[i])
            total += bars.volume[i]
            is_flat = is_flat and bars.flat[i]
        longer.ts_ms[count] = start_ms
        longer.open[count], longer.close[count] = bars.open[k], bars.close[last]
        longer.high[count], longer.low[count] = top, bottom
        longer.volume[count], longer.flat[count] = total, is_flat
        count += 1
        k = last + 1
    return count
