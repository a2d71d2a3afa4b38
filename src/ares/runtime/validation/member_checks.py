"""Tests of one member of an ensemble: look-ahead leakage, parity of its graph, latency."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np

from ares.domain.instrument import Instrument
from ares.domain.series import SeriesSpec
from ares.kernel.bars import F64, Bars
from ares.kernel.features import features_of
from ares.kernel.features.columns import column_names, with_user
from ares.kernel.features.user import UserFeatures
from ares.learn import parity
from ares.learn.gate.leaks import NOT_TESTED, Leaks, feature_leaks, label_leaks
from ares.learn.gate.series_leaks import learned_leaks, series_leaks
from ares.learn.parity import Parity, Scorer
from ares.learn.recipe import Recipe
from ares.learn.rows import F32, Rows
from ares.learn.series import columns_of, with_missing
from ares.learn.walk_forward import WalkForwardResult
from ares.runtime.training.instrument_history import InstrumentHistory, store_of
from ares.runtime.training.job import PackageJob
from ares.runtime.training.series import history_of
from ares.store.history import history

TIMED_ROWS = 400
SINGLE_ROWS = 400
USER_BARS = 400
"""Bars on which the user's own features are tested; they are slow."""


def column_leaks(
    job: PackageJob, instrument: Instrument, loaded: InstrumentHistory, user: UserFeatures | None
) -> Leaks:
    """Return the look-ahead leakage of features and labels."""
    timeframe, recipe = job.recipe.timeframe, job.recipe
    reference: Bars | None = None
    if job.reference == instrument:
        reference = loaded.bars
    elif job.reference is not None:
        store = store_of(job.source)
        reference = history(store, job.reference, timeframe, None, job.source.to_ms).bars

    def columns(own: Bars, other: Bars | None) -> F32:
        return with_user(features_of(own, timeframe, other), own, timeframe, user)[0]

    own = loaded.bars if user is None else loaded.bars[-USER_BARS:]
    if reference is loaded.bars:
        reference = own
    found = feature_leaks(own, reference, columns, column_names(user), timeframe.ms)
    return found + label_leaks(loaded.path_bars, loaded.path_interval_ms, recipe.label)


def external_series_leaks(
    job: PackageJob,
    instrument: Instrument,
    specs: Sequence[SeriesSpec],
    loaded: InstrumentHistory,
    rows: Rows,
) -> Leaks:
    """Return the look-ahead leakage of external series: of their columns, and of training rows."""
    found = NOT_TESTED
    closes_ms = loaded.bars.ts_ms + job.recipe.timeframe.ms
    until_ms = int(closes_ms[-1]) if len(closes_ms) else 0
    observations = history_of(job.source.database_url, specs, (instrument,), until_ms)
    parts = columns_of(specs, rows.x.shape[1])
    for spec, values, part in zip(specs, observations, parts, strict=True):
        own = values.about(0)
        found += series_leaks(own, spec, closes_ms)
        found += learned_leaks(own, spec, rows.decided_ms, rows.x[:, part])
    return found


def graph_parity(walked: WalkForwardResult, graph: Scorer, x: F32, recipe: Recipe) -> Parity:
    """Compare the stored graph with the trained model.

    The rows are real ones, each threshold of the trees, NaN, zeros and extremes; some of them are
    also scored one by one, as the engine does.
    """
    rows = with_missing(walked.fitted.reference_rows(x), recipe.series)
    batch = parity.compare(walked.probability(rows), graph, rows)
    return _worse(batch, _single_row_parity(graph, rows))


def imported_parity(graph: Scorer, x: F32) -> Parity:
    """Compare an imported graph's scores of many rows with those of each row by itself."""
    top = np.finfo(np.float32).max
    extremes = np.array([np.nan, 0.0, -0.0, top, -top, np.inf, -np.inf], np.float32)
    extreme_rows = np.repeat(extremes[:, None], x.shape[1], axis=1)
    rows = np.concatenate([x[-TIMED_ROWS:], extreme_rows])
    p = graph(rows[: len(rows) - len(extremes)])
    valid = bool(np.isfinite(p).all() and (p >= 0.0).all() and (p <= 1.0).all())
    outputs = Parity(len(rows), 0.0 if valid else math.inf, parity.LIMIT, True)
    return _worse(outputs, _single_row_parity(graph, rows))


def latency_us(graph: Scorer, x: F32) -> float:
    """Return the median latency of one row, in microseconds."""
    rows = x[-TIMED_ROWS:]
    taken = np.empty(len(rows))
    for k in range(len(rows)):
        start_ns = time.perf_counter_ns()
        graph(rows[k : k + 1])
        taken[k] = time.perf_counter_ns() - start_ns
    return float(np.median(taken)) / 1e3 if len(taken) else math.nan


def _single_row_parity(graph: Scorer, rows: F32) -> Parity:
    some = rows[np.linspace(0, len(rows) - 1, min(len(rows), SINGLE_ROWS)).astype(np.int64)]
    single: F64 = np.concatenate([graph(some[k : k + 1]) for k in range(len(some))])
    batch = graph(some)
    both_nan = np.isnan(single) & np.isnan(batch)
    difference = np.where(both_nan, 0.0, np.abs(single - batch))
    largest = float(np.max(np.where(np.isnan(difference), np.inf, difference), initial=0.0))
    return Parity(0, largest, parity.LIMIT, largest <= parity.LIMIT)


def _worse(first: Parity, second: Parity) -> Parity:
    largest = max(first.difference_max, second.difference_max)
    return Parity(first.rows + second.rows, largest, parity.LIMIT, largest <= parity.LIMIT)
