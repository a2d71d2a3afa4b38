"""The kernel as the engine calls it: one closing instant, one fill, one warm-up at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ares.kernel.bar_aggregation import (
    BarSeries,
    ClosingBars,
    FeatureRows,
    Intervals,
    aggregate_close,
)
from ares.kernel.bars import F64, I64, Bools
from ares.kernel.ensemble import Ensembles, LatestScores, aggregate
from ares.kernel.jit import inlined, njit
from ares.kernel.trade.account import apply_fill
from ares.kernel.trade.arrays import (
    Prices,
    Signals,
    TradeParams,
    TradeRecords,
    TradeState,
)
from ares.kernel.trade.decide import observe_volatility, trade_step
from ares.kernel.trade.layout import N_NOTICES, N_OUTCOMES, N_REQUESTS

REFUSED = 1 << 32
"""What ``score_step`` adds to its result for each bar that is refused."""

TICKS_MAX = 1e15
UNITS_MAX = 1e17
"""A price beyond so many ticks, or a position beyond a billion of the quote currency, is no market:
it could not be counted in 64 bits either."""

OUT_ROWS = 5
OUT_P, OUT_EDGE, OUT_BARRIER, OUT_CONFIDENCE, OUT_MODE = range(OUT_ROWS)
"""Rows of ``DecisionOutputs.lanes``."""


class PriceGrid(NamedTuple):
    """From prices to ticks.

    scale : (n_lanes,) 10**price_decimals of each.
    ticks : (4, 1, n_lanes) written: open, high, low, close of the newest bars.
    """

    scale: F64
    ticks: I64


class DecisionOutputs(NamedTuple):
    """What came out of one decision.

    lanes       : (5, n_lanes) written: p, edge, barrier, mode confidence, mode.
    equity_cash : (2,) written: equity and cash in money units.
    """

    lanes: F64
    equity_cash: I64


class Scoring(NamedTuple):
    """Which rows of features a model must score.

    packages : (n_lanes, n_timeframes) number of the model there, -1: none.
    warm     : (n_lanes, n_timeframes) written where due: the newest bar is warm.
    due_rows : (n_lanes * n_timeframes,) written: rows ``lane * n_timeframes + timeframe``.
    """

    packages: I64
    warm: Bools
    due_rows: I64


@njit
def score_step(
    now_ms: int,
    bars: ClosingBars,
    intervals: Intervals,
    bar_series: BarSeries,
    rows: FeatureRows,
    latest: LatestScores,
    scoring: Scoring,
    sigma_column: int,
    grid: PriceGrid,
    state: TradeState,
    params: TradeParams,
) -> int:
    """Aggregate the bars that close at ``now_ms``; note which models have a new bar to score.

    sigma_column : the feature that ``latest.sigma`` takes.

    Returns how many rows are due, the first of ``scoring.due_rows``, plus REFUSED for each bar that
    cannot be one, which then counts as missing. A bar that is not warm gets no score.
    """
    n_refused = _drop_impossible(bars, grid, state, params)
    aggregate_close(now_ms, bars, intervals, bar_series, rows)
    n = 0
    n_lanes, n_timeframes = rows.due.shape
    for i in range(n_lanes):
        for j in range(n_timeframes):
            if rows.due[i, j]:
                latest.close_ms[i, j] = now_ms
                latest.p[i, j] = np.nan
                latest.sigma[i, j] = rows.values[i, j, sigma_column]
                scoring.warm[i, j] = rows.warm[i, j]
                if rows.warm[i, j] and scoring.packages[i, j] >= 0:
                    scoring.due_rows[n] = i * n_timeframes + j
                    n += 1
    return n + n_refused * REFUSED


@inlined
def _drop_impossible(
    bars: ClosingBars, grid: PriceGrid, state: TradeState, params: TradeParams
) -> int:
    """Mark bars as missing whose prices or volume no trade can have made, or at whose prices what
    is held could not be counted; return how many.
    """
    n = 0
    for i in range(bars.present.shape[0]):
        if bars.present[i] and not is_possible(i, bars, grid, state, params):
            bars.present[i] = False
            n += 1
    return n


@inlined
def is_possible(
    i: int, bars: ClosingBars, grid: PriceGrid, state: TradeState, params: TradeParams
) -> bool:
    """Return whether trades can have made the bar of instrument ``i``, and it can be counted."""
    bar, lane, spec = bars.ohlcv[i], state.book[i], params.specs[i]
    low, high = bar[2], bar[1]
    is_bar = 0.0 < low <= high < np.inf and low <= bar[0] <= high
    is_bar = is_bar and low <= bar[3] <= high and 0.0 <= bar[4] < np.inf
    lots = max(1, lane.position_lots + lane.entry_open_lots)
    units = high * grid.scale[i] * lots * (spec.notional_mul / spec.notional_div)
    return bool(is_bar and units <= UNITS_MAX and high * grid.scale[i] <= TICKS_MAX)


@njit
def decide_now(
    now_ms: int,
    bars: ClosingBars,
    grid: PriceGrid,
    ensembles: Ensembles,
    latest: LatestScores,
    state: TradeState,
    params: TradeParams,
    records: TradeRecords,
    outputs: DecisionOutputs,
) -> None:
    """Aggregate the newest scores, then decide, for all instruments at ``now_ms``.

    The logs of ``records`` are written from their beginning.
    """
    _begin_logs(records)
    decide(now_ms, bars, grid, ensembles, latest, state, params, records, outputs)


@njit
def decide(
    now_ms: int,
    bars: ClosingBars,
    grid: PriceGrid,
    ensembles: Ensembles,
    latest: LatestScores,
    state: TradeState,
    params: TradeParams,
    records: TradeRecords,
    outputs: DecisionOutputs,
) -> None:
    """Do what ``decide_now`` does; the logs of ``records`` are appended to."""
    lanes, ticks = outputs.lanes, grid.ticks
    signals = Signals(
        lanes[OUT_P : OUT_P + 1],
        lanes[OUT_EDGE : OUT_EDGE + 1],
        lanes[OUT_BARRIER : OUT_BARRIER + 1],
    )
    cost_bps_now = params.rules[0].cost_bps_now
    n_lanes = state.book.shape[0]
    for i in range(n_lanes):
        for k in range(4):
            price = bars.ohlcv[i, k] * grid.scale[i]
            ticks[k, 0, i] = int(np.rint(price)) if bars.present[i] else 0
        aggregate(0, i, now_ms, ensembles, cost_bps_now, latest, signals)
    prices = Prices(ticks[0], ticks[2], ticks[3])
    trade_step(0, now_ms, prices, signals, state, params, records)
    for i in range(n_lanes):
        lanes[OUT_CONFIDENCE, i] = state.book[i].mode_confidence
        lanes[OUT_MODE, i] = state.book[i].mode
    outputs.equity_cash[0] = state.account[0].equity
    outputs.equity_cash[1] = state.account[0].cash


@njit
def apply_now(i: int, state: TradeState, params: TradeParams, records: TradeRecords) -> None:
    """Add the first of ``records.fills`` to the account; the other logs begin anew."""
    _begin_logs(records)
    apply_fill(i, 0, state, params, records)


@inlined
def _begin_logs(records: TradeRecords) -> None:
    """Empty the logs of an event; the fills are the caller's."""
    records.counts[N_REQUESTS] = 0
    records.counts[N_OUTCOMES] = 0
    records.counts[N_NOTICES] = 0


@njit
def observe_closes(i: int, closes: I64, state: TradeState, params: TradeParams) -> None:
    """Warm the volatility of instrument ``i`` with closes in ticks, oldest first."""
    for t in range(closes.shape[0]):
        observe_volatility(i, closes[t], state, params)


class LiveCalls(NamedTuple):
    """The functions of an engine's step, bound to the types of its arrays; see ``jit.bind``."""

    score_step: Callable[
        [
            int,
            ClosingBars,
            Intervals,
            BarSeries,
            FeatureRows,
            LatestScores,
            Scoring,
            int,
            PriceGrid,
            TradeState,
            TradeParams,
        ],
        int,
    ]
    decide_now: Callable[
        [
            int,
            ClosingBars,
            PriceGrid,
            Ensembles,
            LatestScores,
            TradeState,
            TradeParams,
            TradeRecords,
            DecisionOutputs,
        ],
        None,
    ]
    apply_now: Callable[[int, TradeState, TradeParams, TradeRecords], None]


class KeptRows(NamedTuple):
    """Rows of features with where they come from.

    values : (room, N_FEATURES) written.
    origin : (room, 3) written: number of the instant, instrument, timeframe.
    """

    values: NDArray[np.float32]
    origin: I64


@njit
def scan_closes(
    close_ms: I64,
    bars: ClosingBars,
    intervals: Intervals,
    bar_series: BarSeries,
    rows: FeatureRows,
    kept: KeptRows,
) -> int:
    """Run ``aggregate_close`` over many instants and keep the warm feature rows, in order.

    close_ms : (n_instants,); the arrays of ``bars`` have as many rows.

    Returns how many rows were kept. ``bar_series`` and ``rows`` are changed: hand in copies.
    """
    n_kept = 0
    for t in range(close_ms.shape[0]):
        now = ClosingBars(bars.present[t], bars.ohlcv[t], bars.flat[t])
        aggregate_close(close_ms[t], now, intervals, bar_series, rows)
        for i in range(rows.due.shape[0]):
            for j in range(rows.due.shape[1]):
                if rows.due[i, j] and rows.warm[i, j]:
                    for f in range(kept.values.shape[1]):
                        kept.values[n_kept, f] = rows.values[i, j, f]
                    kept.origin[n_kept, 0] = t
                    kept.origin[n_kept, 1] = i
                    kept.origin[n_kept, 2] = j
                    n_kept += 1
    return n_kept
