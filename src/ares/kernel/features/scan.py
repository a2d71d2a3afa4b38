"""The scan: the step over a history, for training and backtests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ares.domain.timeframe import Timeframe
from ares.kernel.bars import F64, I64, BarColumns, BarRow, Bars, Bools
from ares.kernel.features.catalogue import N_FEATURES, WARMUP_BARS
from ares.kernel.features.state import States, feature_state
from ares.kernel.features.step import feature_step
from ares.kernel.jit import njit


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """The features of a series of bars.

    ts_ms  : (n_bars,) open times.
    values : (n_bars, N_FEATURES) float32; NaN before a feature's warmup.
    age    : (n_bars,) bars since the start or the last break, this one included.
    """

    ts_ms: I64
    values: NDArray[np.float32]
    age: I64

    @property
    def warm(self) -> Bools:
        """Return (n_bars,) True where every feature is past its warmup."""
        return self.age >= WARMUP_BARS


def features_of(bars: Bars, timeframe: Timeframe, reference: Bars | None) -> FeatureTable:
    """Return the features of every bar.

    bars      : closed bars of ``timeframe``, gaps filled; a gap that is left starts afresh.
    reference : the reference instrument's bars of the same timeframe, matched by time; the bars
                themselves for the reference instrument; None makes the cross features neutral.
    """
    state = feature_state(1, Timeframe(timeframe).ms)
    n = len(bars)
    values = np.empty((n, N_FEATURES), np.float32)
    age = np.empty(n, np.int64)
    ref_close = reference_close(bars, reference)
    feature_scan(state, 0, bars.columns, ref_close, values, age)
    return FeatureTable(bars.ts_ms, values, age)


def reference_close(bars: Bars, reference: Bars | None) -> F64:
    """Return (n_bars,) the reference's close at each bar's open time, NaN where it has none."""
    close = np.full(len(bars), np.nan)
    if reference is None or len(reference) == 0:
        return close
    row = np.minimum(np.searchsorted(reference.ts_ms, bars.ts_ms), len(reference) - 1)
    found = reference.ts_ms[row] == bars.ts_ms
    close[found] = reference.close[row[found]]
    return close


@njit
def feature_scan(
    states: States,
    k: int,
    bars: BarColumns,
    ref_close: F64,
    out: NDArray[np.float32],
    age: I64,
) -> None:
    """Run ``feature_step`` of series ``k`` over bars.

    ref_close : (n_bars,) the reference's closes, NaN where it has none.
    out       : (n_bars, N_FEATURES) written.
    age       : (n_bars,) written: bars since the start or the last reset, 0 for an unusable bar.
    """
    for t in range(len(bars.ts_ms)):
        bar = BarRow(
            bars.ts_ms[t],
            bars.open[t],
            bars.high[t],
            bars.low[t],
            bars.close[t],
            bars.volume[t],
            bars.flat[t],
        )
        feature_step(states, k, bar, ref_close[t], out[t])
        age[t] = states[k].age
