"""External series as columns: one state and one way of stepping for both families.

A family decides how a row is applied and how the columns are written: ``sentiment`` and
``last_value``. Where nothing is known, or nothing new was published for too long, all columns of a
series are NaN.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ares.domain.series import SentimentSpec, SeriesSpec
from ares.kernel.bars import F64, I64, Bools
from ares.kernel.features.last_value import (
    N_VALUE,
    VALUE_HASH,
    apply_value,
    value_names,
    value_step,
)
from ares.kernel.features.observations import Observations
from ares.kernel.features.sentiment import (
    BUCKETS,
    N_SENTIMENT,
    SENTIMENT_HASH,
    SENTIMENT_NAMES,
    apply_score,
    decay_weights,
    sentiment_step,
)
from ares.kernel.features.state import States
from ares.kernel.jit import njit

OBSERVATION = np.dtype(
    [
        ("known_ms", np.int64),
        ("published_ms", np.int64),
        ("value", np.float64),
        ("series", np.int64),  # number of the spec in the run's setup
        ("instrument", np.int64),  # below 0: all
    ]
)
"""A row of an event ``SeriesPublished``."""


def column_names_of(spec: SeriesSpec) -> tuple[str, ...]:
    """Return the names of a series' columns."""
    return SENTIMENT_NAMES if isinstance(spec, SentimentSpec) else value_names(spec.name)


def width_of(specs: Sequence[SeriesSpec]) -> int:
    """Return how many columns these series have together."""
    return sum(N_SENTIMENT if isinstance(spec, SentimentSpec) else N_VALUE for spec in specs)


def formulas_hashes(specs: Sequence[SeriesSpec]) -> list[str]:
    """Return the hash of the formulas of each family among the series."""
    hashes = [SENTIMENT_HASH if isinstance(spec, SentimentSpec) else VALUE_HASH for spec in specs]
    return list(dict.fromkeys(hashes))


def series_state(spec: SeriesSpec, n: int) -> States:
    """Return ``n`` rows, one for each instrument, that know nothing of a series."""
    buckets = BUCKETS if isinstance(spec, SentimentSpec) else 1
    return np.zeros(
        n,
        [
            ("newest_ms", np.int64),  # newest publication that is known; 0: none is
            ("until_ms", np.int64),  # instant of the last event that was applied
            ("stale", np.int64),  # 1: nothing new came for too long, or nothing is known
            ("value", np.float64),  # of the newest publication
            ("previous_ms", np.int64),  # the publication before it; 0: none
            ("previous", np.float64),
            ("hour", np.int64),  # number of the newest bucket: ms since 1970 // HOUR_MS
            ("scores", np.int64, (buckets,)),  # in millionths, by hour & (BUCKETS - 1)
            ("counts", np.int64, (buckets,)),
        ],
    )


def weights_of(spec: SeriesSpec) -> F64:
    """Return the weights of rows by age; none where only the last value counts."""
    return decay_weights(spec) if isinstance(spec, SentimentSpec) else np.empty((0, 3))


@njit
def apply_observation(
    state: States, k: int, known_ms: int, published_ms: int, value: float, weights: F64
) -> None:
    """Apply one row to row ``k`` of a series' state; weights : see ``weights_of``."""
    if len(weights):
        apply_score(state, k, known_ms, published_ms, value)
    else:
        apply_value(state, k, published_ms, value)


@njit
def series_step(
    state: States, k: int, now_ms: int, weights: F64, stale_ms: int, out: NDArray[np.float32]
) -> None:
    """Write the columns of row ``k`` as of ``now_ms``; out : (n_columns,)."""
    newest_ms = state[k].newest_ms
    if newest_ms == 0 or now_ms - newest_ms > stale_ms:
        out[:] = np.nan
    elif len(weights):
        sentiment_step(state, k, now_ms, weights, out)
    else:
        value_step(state, k, now_ms, out)


@njit
def series_scan(
    state: States,
    k: int,
    known_ms: I64,
    published_ms: I64,
    values: F64,
    now_ms: I64,
    weights: F64,
    stale_ms: int,
    out: NDArray[np.float32],
) -> int:
    """Step through instants, each after what is known by then; return rows applied.

    known_ms, published_ms, values : (n_rows,) by ``known_ms`` ascending.
    now_ms : (n,) ascending; out : (n, n_columns) written.
    """
    row = 0
    for t in range(len(now_ms)):
        while row < len(known_ms) and known_ms[row] <= now_ms[t]:
            apply_observation(state, k, known_ms[row], published_ms[row], values[row], weights)
            row += 1
        series_step(state, k, now_ms[t], weights, stale_ms, out[t])
    return row


@njit
def apply_rows(state: States, rows: States, series: int, weights: F64, until_ms: int) -> None:
    """Apply the rows of one series to the instruments that they count for.

    rows     : (n_rows,) of OBSERVATION.
    until_ms : instant of the event that brought them.
    """
    for r in range(rows.shape[0]):
        row = rows[r]
        if row.series != series:
            continue
        for k in range(state.shape[0]):
            if row.instrument < 0 or row.instrument == k:
                apply_observation(state, k, row.known_ms, row.published_ms, row.value, weights)
    for k in range(state.shape[0]):
        state[k].until_ms = until_ms


@njit
def write_due(
    state: States,
    now_ms: int,
    due: Bools,
    weights: F64,
    stale_ms: int,
    features: NDArray[np.float32],
    first: int,
    end: int,
) -> None:
    """Write a series' columns of the bars that closed now behind their other features.

    state    : (n_instruments,); due : (n_lanes, n_timeframes), lane k is of instrument k modulo
               n_instruments.
    features : (n_lanes, n_timeframes, n_features); first, end : columns of the series.
    """
    for lane in range(due.shape[0]):
        written = -1
        for j in range(due.shape[1]):
            if not due[lane, j]:
                continue
            if written < 0:
                written = j
                out = features[lane, j, first:end]
                series_step(state, lane % state.shape[0], now_ms, weights, stale_ms, out)
            else:
                for f in range(first, end):
                    features[lane, j, f] = features[lane, written, f]


@njit
def stale_changes(state: States, now_ms: int, stale_ms: int, changed: Bools) -> bool:
    """Note in every row whether the series is stale; return whether that changed in any.

    changed : (n,) written: where it did.
    """
    some = False
    for k in range(state.shape[0]):
        newest_ms = state[k].newest_ms
        stale = 1 if newest_ms == 0 or now_ms - newest_ms > stale_ms else 0
        changed[k] = stale != state[k].stale
        state[k].stale = stale
        some = some or changed[k]
    return some


def series_columns(
    observations: Observations, spec: SeriesSpec, now_ms: I64, first: States | None = None
) -> NDArray[np.float32]:
    """Return (n, n_columns) a series' columns at instants, ascending, of what was known at each.

    observations : of one instrument, see ``Observations.about``.
    first        : (1,) the state before them; default: it knows nothing.
    """
    out = np.empty((len(now_ms), width_of([spec])), np.float32)
    series_scan(
        series_state(spec, 1) if first is None else first.copy(),
        0,
        np.ascontiguousarray(observations.known_ms),
        np.ascontiguousarray(observations.published_ms),
        np.ascontiguousarray(observations.values),
        np.ascontiguousarray(now_ms, np.int64),
        weights_of(spec),
        spec.stale_ms,
        out,
    )
    return out


def all_columns(
    history: Sequence[Observations],
    specs: Sequence[SeriesSpec],
    lane: int,
    now_ms: I64,
    first: Sequence[States] | None = None,
) -> NDArray[np.float32]:
    """Return (n, n_columns) the columns of several series for one instrument, side by side.

    history : of each series, in lanes; first : (n_instruments,) each series' state before.
    """
    parts = [np.empty((len(now_ms), 0), np.float32)]
    for s, (observations, spec) in enumerate(zip(history, specs, strict=True)):
        before = None if first is None else first[s][lane : lane + 1]
        parts.append(series_columns(observations.about(lane), spec, now_ms, before))
    return np.hstack(parts)
