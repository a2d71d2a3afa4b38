"""The fold: base bars in at a closing instant, features of the timeframes that close then out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ares.kernel.bars import F64, I64, Bars, Bools
from ares.kernel.features.catalogue import N_FEATURES, WARMUP_BARS
from ares.kernel.features.scan import feature_scan, reference_close
from ares.kernel.features.state import States
from ares.kernel.features.step import feature_step
from ares.kernel.jit import njit

FOLD = np.dtype(
    [
        ("open_ms", np.int64),  # open time of the bar being built
        ("next_ms", np.int64),  # open time of the base bar that must come next
        ("whole", np.int64),  # 1 while no part of the bar is missing
        ("open", np.float64),
        ("high", np.float64),
        ("low", np.float64),
        ("close", np.float64),
        ("volume", np.float64),
        ("flat", np.int64),  # 1 while all parts are flat
    ]
)


def fold_state(n_instruments: int, n_timeframes: int) -> States:
    """Return the fold of instruments that have seen no bar.

    returns : (n_instruments * n_timeframes,) of ``FOLD``, row ``k * n_timeframes + j``; the
              features' state beside it has the same rows, each with its timeframe's interval.
    """
    return np.zeros(n_instruments * n_timeframes, FOLD)


@njit
def on_close(
    fold: States,
    feats: States,
    close_ts_ms: int,
    present: Bools,
    base_ms: I64,
    ohlcv: F64,
    flat: Bools,
    tf_ms: I64,
    ref_index: int,
    out: NDArray[np.float32],
    due: Bools,
    warm: Bools,
) -> None:
    """Fold the base bars that close at ``close_ts_ms``; where a bar completes, write its features.

    fold, feats : (n_instruments * n_timeframes,) changed, see ``fold_state``.
    present     : (n_instruments,) has a bar that closes now; the others are left alone.
    base_ms     : (n_instruments,) length of each one's base bars.
    ohlcv       : (n_instruments, 5); flat : (n_instruments,) made to fill a gap.
    tf_ms       : (n_timeframes,) one shorter than the base, or no multiple of it, is never due.
    ref_index   : the reference instrument, folded first; -1: none.
    out         : (n_instruments, n_timeframes, N_FEATURES) written where due, else left.
    due, warm   : (n_instruments, n_timeframes) written: a bar is complete now; and it stands
                  WARMUP_BARS or more after the start or the last break.

    A bar is complete when every one of its base bars was seen in order: a first bar that was
    joined half-way, or one with a gap, is dropped, and the features start afresh after it.
    """
    due[:] = False
    warm[:] = False
    if ref_index >= 0 and present[ref_index]:
        k = ref_index
        _on_bar(fold, feats, close_ts_ms, k, k, base_ms, ohlcv, flat, tf_ms, out, due, warm)
    for k in range(present.shape[0]):
        if present[k] and k != ref_index:
            ref = ref_index
            _on_bar(fold, feats, close_ts_ms, k, ref, base_ms, ohlcv, flat, tf_ms, out, due, warm)


@njit
def _on_bar(
    fold: States,
    feats: States,
    close_ts_ms: int,
    k: int,
    ref_index: int,
    base_ms: I64,
    ohlcv: F64,
    flat: Bools,
    tf_ms: I64,
    out: NDArray[np.float32],
    due: Bools,
    warm: Bools,
) -> None:
    """Fold one instrument's bar into all its timeframes."""
    n_tf = tf_ms.shape[0]
    ts_ms = close_ts_ms - base_ms[k]
    for j in range(n_tf):
        if tf_ms[j] % base_ms[k] != 0:
            continue
        m = k * n_tf + j
        if _add(fold, m, ts_ms, close_ts_ms, tf_ms[j], ohlcv[k], flat[k]):
            bar = fold[m]
            ref_close = np.nan
            if ref_index >= 0 and due[ref_index, j]:
                ref_close = fold[ref_index * n_tf + j].close
            if k == ref_index:
                ref_close = bar.close
            feature_step(
                feats,
                m,
                bar.open_ms,
                bar.open,
                bar.high,
                bar.low,
                bar.close,
                bar.volume,
                bar.flat == 1,
                ref_close,
                out[k, j],
            )
            due[k, j] = True
            warm[k, j] = feats[m].age >= WARMUP_BARS


@njit
def _add(
    fold: States, m: int, ts_ms: int, close_ts_ms: int, tf_ms: int, ohlcv: F64, flat: bool
) -> bool:
    """Add a base bar to the bar being built; return whether that is complete now."""
    bar = fold[m]
    open_ms = ts_ms - ts_ms % tf_ms
    if ts_ms == open_ms:
        bar.open_ms = open_ms
        bar.whole = 1
        bar.open = ohlcv[0]
        bar.high = ohlcv[1]
        bar.low = ohlcv[2]
        bar.volume = ohlcv[4]
        bar.flat = 1 if flat else 0
    elif bar.whole == 1 and bar.open_ms == open_ms and bar.next_ms == ts_ms:
        bar.high = max(bar.high, ohlcv[1])
        bar.low = min(bar.low, ohlcv[2])
        bar.volume += ohlcv[4]
        bar.flat = bar.flat if flat else 0
    else:
        bar.whole = 0
    bar.close = ohlcv[3]
    bar.next_ms = close_ts_ms
    return bar.whole == 1 and close_ts_ms == open_ms + tf_ms


def warm_up(
    fold: States,
    feats: States,
    k_instrument: int,
    j_timeframe: int,
    n_timeframes: int,
    bars: Bars,
    reference: Bars | None,
) -> int:
    """Feed the features of one timeframe with bars that closed before the run; return their age.

    bars      : complete bars of the timeframe, gaps filled; whatever stood there is forgotten.
    reference : the reference instrument's bars of the same timeframe, matched by time.

    The fold's own unfinished bar stays empty, so a run goes on without a break only where it
    begins at the close of the last of these bars: start at midnight UTC, or feed the base bars
    since then through ``on_close`` first.
    """
    m = k_instrument * n_timeframes + j_timeframe
    fold[m] = np.zeros((), FOLD)
    interval_ms = feats["interval_ms"][m]
    feats[m] = np.zeros((), feats.dtype)
    feats["interval_ms"][m] = interval_ms
    values = np.empty((len(bars), N_FEATURES), np.float32)
    age = np.empty(len(bars), np.int64)
    ref_close = reference_close(bars, reference)
    feature_scan(
        *(feats, m, bars.ts_ms, bars.open, bars.high, bars.low, bars.close, bars.volume),
        *(bars.flat, ref_close, values, age),
    )
    return int(age[-1]) if len(bars) else 0
