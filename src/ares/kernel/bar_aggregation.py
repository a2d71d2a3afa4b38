"""Bar aggregation, live: base bars in as they close, features of complete bars out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ares.kernel.bars import F64, I64, BarRow, Bars, Bools
from ares.kernel.features.catalogue import N_FEATURES, WARMUP_BARS
from ares.kernel.features.scan import feature_scan, reference_close
from ares.kernel.features.state import States
from ares.kernel.features.step import feature_step
from ares.kernel.jit import njit
from ares.kernel.trade.layout import Records

AGGREGATE = np.dtype(
    [
        ("open_ms", np.int64),  # open time of the bar being built
        ("next_ms", np.int64),  # open time of the base bar that must come next
        ("complete", np.int64),  # 1 while no part of the bar is missing
        ("open", np.float64),
        ("high", np.float64),
        ("low", np.float64),
        ("close", np.float64),
        ("volume", np.float64),
        ("flat", np.int64),  # 1 while all parts are flat
    ]
)


REFERENCE_BARS = 1_024
"""So many closes of the reference instrument are kept: for bars that come later than its own."""

REFERENCE_CLOSES = np.dtype(
    [
        ("close_ms", np.int64, (REFERENCE_BARS,)),  # by close_ms // interval, modulo the size
        ("close", np.float64, (REFERENCE_BARS,)),
    ]
)


class ClosingBars(NamedTuple):
    """The base bars that close at one instant; at many, each array has a leading axis.

    present : (n_instruments,) has a bar that closes now.
    ohlcv   : (n_instruments, 5).
    flat    : (n_instruments,) made to fill a gap.
    """

    present: Bools
    ohlcv: F64
    flat: Bools


class Intervals(NamedTuple):
    """Lengths of the bars.

    base_ms      : (n_instruments,) of each instrument's base bars.
    timeframe_ms : (n_timeframes,) one shorter than the base, or no multiple of it, is never due.
    reference    : the reference instrument, aggregated first; -1: none.
    """

    base_ms: I64
    timeframe_ms: I64
    reference: int


class BarSeries(NamedTuple):
    """The memory of each series, row ``instrument * n_timeframes + timeframe``.

    aggregates : (n_series,) of AGGREGATE, the bars being built.
    features   : (n_series,) of STATE, each with its timeframe's interval.
    reference_closes : (n_timeframes,) of REFERENCE_CLOSES.
    """

    aggregates: Records
    features: States
    reference_closes: Records


class FeatureRows(NamedTuple):
    """The features of the newest complete bars.

    values : (n_instruments, n_timeframes, n_features) written where due, else left.
    due    : (n_instruments, n_timeframes) written: a bar is complete now.
    warm   : as ``due``; and it is WARMUP_BARS or more after the start or the last break.
    """

    values: NDArray[np.float32]
    due: Bools
    warm: Bools


def first_aggregates(n_instruments: int, n_timeframes: int) -> Records:
    """Return the bars being built before any base bar, ``(n_instruments * n_timeframes,)``."""
    return np.zeros(n_instruments * n_timeframes, AGGREGATE)


def first_reference_closes(n_timeframes: int) -> Records:
    """Return the reference's closes before any bar."""
    return np.zeros(n_timeframes, REFERENCE_CLOSES)


def newest_closes(bar_series: BarSeries, n_instruments: int) -> I64:
    """Return when the newest base bar closed that each instrument was given; 0: it had none."""
    age, features = bar_series.features["age"], bar_series.features
    warmed = np.where(age > 0, features["ts_ms"] + features["interval_ms"], 0)
    newest = np.maximum(bar_series.aggregates["next_ms"], warmed)
    by_lane = newest.reshape(-1, len(bar_series.reference_closes))
    return np.asarray(by_lane[:n_instruments].max(axis=1))


@njit
def aggregate_close(
    close_ms: int, bars: ClosingBars, intervals: Intervals, bar_series: BarSeries, rows: FeatureRows
) -> None:
    """Aggregate the base bars that close at ``close_ms``; write the features of completed bars.

    A bar is complete when every one of its base bars was seen in order: a first bar that was
    joined half-way, or one with a gap, is dropped, and the features start afresh after it.

    Each instrument's bars come in order. One that comes later than others' of the same instant
    finds the reference's close of then, so its features are what they would have been.
    """
    rows.due[:] = False
    rows.warm[:] = False
    reference = intervals.reference
    if reference >= 0 and bars.present[reference]:
        _aggregate_bar(reference, close_ms, bars, intervals, bar_series, rows)
    for i in range(bars.present.shape[0]):
        if bars.present[i] and i != reference:
            _aggregate_bar(i, close_ms, bars, intervals, bar_series, rows)


@njit
def _aggregate_bar(
    i: int,
    close_ms: int,
    bars: ClosingBars,
    intervals: Intervals,
    bar_series: BarSeries,
    rows: FeatureRows,
) -> None:
    """Add one instrument's base bar to all its timeframes."""
    n_timeframes = intervals.timeframe_ms.shape[0]
    reference = intervals.reference
    base_ms = intervals.base_ms[i]
    for j in range(n_timeframes):
        timeframe_ms = intervals.timeframe_ms[j]
        if timeframe_ms % base_ms != 0:
            continue
        k = i * n_timeframes + j
        bar = bar_series.aggregates[k]
        open_ms = close_ms - base_ms
        if _add_base_bar(bar, open_ms, close_ms, timeframe_ms, bars.ohlcv[i], bars.flat[i]):
            ref_close = np.nan
            if reference >= 0:
                closes = bar_series.reference_closes[j]
                slot = close_ms // timeframe_ms % REFERENCE_BARS
                if i == reference:
                    closes.close_ms[slot] = close_ms
                    closes.close[slot] = bar.close
                if closes.close_ms[slot] == close_ms:
                    ref_close = closes.close[slot]
            complete = BarRow(
                bar.open_ms, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.flat == 1
            )
            feature_step(bar_series.features, k, complete, ref_close, rows.values[i, j])
            rows.due[i, j] = True
            rows.warm[i, j] = bar_series.features[k].age >= WARMUP_BARS


@njit
def _add_base_bar(
    bar: Any, ts_ms: int, close_ms: int, timeframe_ms: int, ohlcv: F64, flat: bool
) -> bool:
    """Add a base bar to the bar being built, a record of AGGREGATE; return if it is complete."""
    open_ms = ts_ms - ts_ms % timeframe_ms
    if ts_ms == open_ms:
        bar.open_ms = open_ms
        bar.complete = 1
        bar.open = ohlcv[0]
        bar.high = ohlcv[1]
        bar.low = ohlcv[2]
        bar.volume = ohlcv[4]
        bar.flat = 1 if flat else 0
    elif bar.complete == 1 and bar.open_ms == open_ms and bar.next_ms == ts_ms:
        bar.high = max(bar.high, ohlcv[1])
        bar.low = min(bar.low, ohlcv[2])
        bar.volume += ohlcv[4]
        bar.flat = bar.flat if flat else 0
    else:
        bar.complete = 0
    bar.close = ohlcv[3]
    bar.next_ms = close_ms
    return bar.complete == 1 and close_ms == open_ms + timeframe_ms


def warm_up(bar_series: BarSeries, k: int, bars: Bars, reference: Bars | None) -> int:
    """Run the features of series ``k`` over bars that closed before the run; return their age.

    bars      : complete bars of its timeframe, gaps filled; the series starts afresh with them.
    reference : the reference instrument's bars of the same timeframe, matched by time.

    The bar being built stays empty, so a run goes on without a break only where it begins at the
    close of the last of these bars: start at midnight UTC, or feed the base bars since then
    through ``aggregate_close`` first.
    """
    features = bar_series.features
    bar_series.aggregates[k] = np.zeros((), AGGREGATE)
    interval_ms = features["interval_ms"][k]
    features[k] = np.zeros((), features.dtype)
    features["interval_ms"][k] = interval_ms
    values = np.empty((len(bars), N_FEATURES), np.float32)
    age = np.empty(len(bars), np.int64)
    feature_scan(features, k, bars.columns, reference_close(bars, reference), values, age)
    return int(age[-1]) if len(bars) else 0
