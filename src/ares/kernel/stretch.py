"""The kernel over many closing instants, as long as nothing is ordered, filled or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ares.kernel.bar_aggregation import BarSeries, ClosingBars, FeatureRows, Intervals
from ares.kernel.bars import F64, I64
from ares.kernel.ensemble import Ensembles, LatestScores
from ares.kernel.jit import inlined, njit
from ares.kernel.live import (
    DecisionOutputs,
    PriceGrid,
    Scoring,
    decide,
    is_possible,
    score_step,
)
from ares.kernel.trade.arrays import TradeParams, TradeRecords, TradeState
from ares.kernel.trade.layout import N_NOTICES, N_OUTCOMES, N_REQUESTS, REFUSAL, Records
from ares.kernel.trade.scan import RECORDS_OF_ACCOUNT, RECORDS_PER_INSTRUMENT

PENDING = 1 << 32
"""What ``advance`` adds to its result where the last instant has orders, or a closed trade."""


class KnownBars(NamedTuple):
    """Base bars that are known in advance, with the scores of the rows that they complete.

    close_ms : (n_instants,) closing instants, rising.
    bars     : the arrays have as many rows.
    lows     : (n_instants, n_lanes) in ticks.
    scores   : (n_scored, n_lanes, n_timeframes) of the instants from ``scored_from`` on.
    """

    close_ms: I64
    bars: ClosingBars
    lows: I64
    scores: F64
    scored_from: int


class StretchOutputs(NamedTuple):
    """What comes out of each instant, ``n`` rows: as many as ``advance`` may step.

    lanes       : (n, 5, n_lanes), see ``DecisionOutputs``.
    equity_cash : (n, 2).
    counts      : (n, 3) requests, outcomes and notices of all instants up to this one.
    """

    lanes: F64
    equity_cash: I64
    counts: I64


@njit
def advance(
    first: int,
    end: int,
    ends_with_trade: bool,
    known: KnownBars,
    venue: Records,
    intervals: Intervals,
    bar_series: BarSeries,
    rows: FeatureRows,
    latest: LatestScores,
    scoring: Scoring,
    sigma_column: int,
    grid: PriceGrid,
    ensembles: Ensembles,
    state: TradeState,
    params: TradeParams,
    records: TradeRecords,
    outputs: StretchOutputs,
) -> int:
    """Step the instants ``first`` to ``end`` of ``known``; return how many were stepped.

    It stops before an instant in which an order would be filled or a bar refused, and where a log
    has no more room; it stops after one with orders and, where ``ends_with_trade``, with a closed
    trade: PENDING is added to the result then.

    venue : (n_lanes,) of VENUE, the orders at the venue.
    """
    counts = records.counts
    counts[N_REQUESTS] = 0
    counts[N_OUTCOMES] = 0
    counts[N_NOTICES] = 0
    n_lanes, n_timeframes = rows.due.shape
    room = records.requests.shape[0] - RECORDS_PER_INSTRUMENT * n_lanes - RECORDS_OF_ACCOUNT
    for t in range(first, end):
        k = t - first
        used = max(counts[N_REQUESTS], counts[N_OUTCOMES], counts[N_NOTICES])
        bars = ClosingBars(known.bars.present[t], known.bars.ohlcv[t], known.bars.flat[t])
        if used > room or not _is_quiet(t, known, bars, venue, grid, state, params):
            return k
        now_ms = known.close_ms[t]
        n_due = score_step(
            now_ms, bars, intervals, bar_series, rows, latest, scoring, sigma_column, grid, state,
            params,
        )  # fmt: skip
        for r in range(n_due):
            i = scoring.due_rows[r] // n_timeframes
            j = scoring.due_rows[r] % n_timeframes
            latest.p[i, j] = known.scores[t - known.scored_from, i, j]
        n_requests, n_outcomes = counts[N_REQUESTS], counts[N_OUTCOMES]
        of_instant = DecisionOutputs(outputs.lanes[k], outputs.equity_cash[k])
        decide(now_ms, bars, grid, ensembles, latest, state, params, records, of_instant)
        outputs.counts[k, N_REQUESTS] = counts[N_REQUESTS]
        outputs.counts[k, N_OUTCOMES] = counts[N_OUTCOMES]
        outputs.counts[k, N_NOTICES] = counts[N_NOTICES]
        is_pending = ends_with_trade and counts[N_OUTCOMES] > n_outcomes
        for r in range(n_requests, counts[N_REQUESTS]):
            is_pending = is_pending or records.requests[r].kind != REFUSAL
        if is_pending:
            return k + 1 + PENDING
    return end - first


@inlined
def _is_quiet(
    t: int,
    known: KnownBars,
    bars: ClosingBars,
    venue: Records,
    grid: PriceGrid,
    state: TradeState,
    params: TradeParams,
) -> bool:
    """Return whether instant ``t`` fills no order, reaches no stop, and has no bar to refuse."""
    for i in range(bars.present.shape[0]):
        if bars.present[i]:
            order = venue[i]
            if order.market_lots != 0 or (
                order.stop_lots > 0 and known.lows[t, i] <= order.stop_ticks
            ):
                return False
            if not is_possible(i, bars, grid, state, params):
                return False
    return True


Advance = Callable[
    [
        int,
        int,
        bool,
        KnownBars,
        Records,
        Intervals,
        BarSeries,
        FeatureRows,
        LatestScores,
        Scoring,
        int,
        PriceGrid,
        Ensembles,
        TradeState,
        TradeParams,
        TradeRecords,
        StretchOutputs,
    ],
    int,
]
"""``advance``, bound to the types of its arrays."""
