"""Bars of one interval into bars of a longer one: UTC-aligned, gaps flat, complete bars only."""

from __future__ import annotations

import numpy as np

from ares.domain.timeframe import DAY_MS
from ares.kernel.bars import F64, I64, Bars, Bools
from ares.kernel.jit import njit

GAP_MS_MAX = 2 * DAY_MS
"""A gap up to this long is filled with flat bars; over a longer one the past is not carried on."""


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
    place = np.arange(len(origin)) - np.repeat(np.cumsum(copies) - copies, copies)
    made = place > 0
    last_close = bars.close[origin]
    return Bars.make(
        bars.ts_ms[origin] + place * interval_ms,
        np.where(made, last_close, bars.open[origin]),
        np.where(made, last_close, bars.high[origin]),
        np.where(made, last_close, bars.low[origin]),
        last_close,
        np.where(made, 0.0, bars.volume[origin]),
        made | bars.flat[origin],
    )


def resample(bars: Bars, from_ms_interval: int, to_ms_interval: int) -> Bars:
    """Return the bars of ``to_ms_interval`` of which every part is there; others are left out.

    A bar opens at a multiple of its interval since the epoch. Its open is the first part's, high
    and low the extremes, close the last part's; volume is summed from the first part to the last
    (this order, so that a bar folded live is the same to the bit); it is flat where all parts are.

    bars : on the grid of ``from_ms_interval``, strictly rising, gaps filled where wanted.
    """
    if from_ms_interval <= 0 or to_ms_interval % from_ms_interval:
        raise ValueError(f"{to_ms_interval} ms is no multiple of {from_ms_interval} ms")
    if to_ms_interval == from_ms_interval:
        return bars
    parts = to_ms_interval // from_ms_interval
    room = len(bars) // parts
    made = Bars(
        *(np.empty(room, np.int64), np.empty(room), np.empty(room), np.empty(room)),
        *(np.empty(room), np.empty(room), np.empty(room, np.bool_)),
    )
    count = _fold(
        *(bars.ts_ms, bars.open, bars.high, bars.low, bars.close, bars.volume, bars.flat),
        *(made.ts_ms, made.open, made.high, made.low, made.close, made.volume, made.flat),
        parts,
        to_ms_interval,
    )
    return made[:count]


@njit
def _fold(
    ts_ms: I64,
    open_: F64,
    high: F64,
    low: F64,
    close: F64,
    volume: F64,
    flat: Bools,
    to_ts_ms: I64,
    to_open: F64,
    to_high: F64,
    to_low: F64,
    to_close: F64,
    to_volume: F64,
    to_flat: Bools,
    parts: int,
    to_ms_interval: int,
) -> int:
    """Write the complete bars into the ``to_`` arrays and return how many there are."""
    count = 0
    k = 0
    n = len(ts_ms)
    while k + parts <= n:
        start_ms = ts_ms[k] - ts_ms[k] % to_ms_interval
        last = k + parts - 1
        if ts_ms[k] != start_ms or ts_ms[last] - ts_ms[last] % to_ms_interval != start_ms:
            k += 1
            continue
        top, bottom, total, is_flat = high[k], low[k], volume[k], flat[k]
        for i in range(k + 1, last + 1):
            top = max(top, high[i])
            bottom = min(bottom, low[i])
            total += volume[i]
            is_flat = is_flat and flat[i]
        to_ts_ms[count] = start_ms
        to_open[count], to_close[count] = open_[k], close[last]
        to_high[count], to_low[count] = top, bottom
        to_volume[count], to_flat[count] = total, is_flat
        count += 1
        k = last + 1
    return count
