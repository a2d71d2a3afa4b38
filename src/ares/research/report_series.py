"""The series of a report's charts, thinned to the resolution of a screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ares.domain.timeframe import DAY_MS, HOUR_MS, MINUTE_MS
from ares.kernel.bars import F64, I64, Bars
from ares.research.backtest import BacktestResult
from ares.research.market import Candles
from ares.research.metrics import drawdowns
from ares.research.report_analysis import at_exposure_of_hold, rolling_sharpe

POINTS_MAX = 1_500
CANDLES_MAX = 3_000
MARKED_TRADES_MAX = 1_000

DETAILED_TRADES_MAX = 100
"""Newest trades that can be looked at on the bars around them."""

WINDOW_BARS_MAX = 100

FACTOR_MAX = 5.0
"""A strategy is not shown at more than this multiple of its exposure."""

FACTOR_NEAR = 0.05

STEPS_MS = tuple(
    n * unit
    for unit, counts in (
        (MINUTE_MS, (1, 5, 15, 30)),
        (HOUR_MS, (1, 2, 4, 8, 12)),
        (DAY_MS, (1, 2, 4, 7, 14, 28, 91, 364)),
    )
    for n in counts
)
"""Common lengths of bars."""


def account_series(result: BacktestResult, others: Sequence[BacktestResult] = ()) -> dict[str, Any]:
    """Return equity, buy & hold, drawdown and exposure over time, at most POINTS_MAX points.

    Each point has the last equity, the largest drawdown and the mean exposure of its interval.

    same   : the strategy at the exposure of buy & hold, or buy & hold at the strategy's where that
             would be more than FACTOR_MAX times as much; None where they hardly differ.
    sharpe : rolling Sharpe ratio; None until its window is full.
    others : name and equity of the results that are compared.
    """
    n = len(result.close_ms)
    firsts = np.unique(np.linspace(0, n, min(n, POINTS_MAX), endpoint=False).astype(np.int64))
    lasts = np.append(firsts[1:], n) - 1
    depth = drawdowns(result.equity, result.metrics.equity_start)
    mean_exposure = np.add.reduceat(result.exposure, firsts) / (lasts - firsts + 1)
    times_ms = result.close_ms[lasts]
    return {
        "time": (times_ms // 1000).tolist(),
        "name": result.strategy.name,
        "equity": np.round(result.equity[lasts], 2).tolist(),
        "hold": np.round(result.hold_equity[lasts], 2).tolist(),
        "drawdown": np.round(-100 * np.maximum.reduceat(depth, firsts), 3).tolist(),
        "exposure": np.round(100 * mean_exposure, 2).tolist(),
        "same": _same_exposure(result, lasts),
        "sharpe": _sharpe(result, times_ms),
        "others": [
            {"name": each.strategy.name, "equity": _equity_at(each, times_ms)} for each in others
        ],
    }


def _equity_at(result: BacktestResult, times_ms: I64) -> list[float | None]:
    """Return the last equity at each time; None before the first bar and after the last."""
    rows = np.searchsorted(result.close_ms, times_ms, side="right") - 1
    inside = (rows >= 0) & (times_ms <= result.close_ms[-1])
    values = np.round(result.equity[np.maximum(rows, 0)], 2)
    return [float(value) if known else None for value, known in zip(values, inside, strict=True)]


def _same_exposure(result: BacktestResult, rows: I64) -> dict[str, Any] | None:
    """Return one of the curves rebased to the mean exposure of the other."""
    scaled = at_exposure_of_hold(result)
    if scaled is None or abs(scaled[0] - 1.0) < FACTOR_NEAR:
        return None
    factor, equity = scaled
    if factor <= FACTOR_MAX:
        return {"of": "strategy", "factor": factor, "equity": np.round(equity[rows], 2).tolist()}
    start = result.metrics.equity_start
    before = np.concatenate([[start], result.hold_equity[:-1]])
    lower = start * np.cumprod(1.0 + (result.hold_equity / before - 1.0) / factor)
    return {"of": "hold", "factor": 1.0 / factor, "equity": np.round(lower[rows], 2).tolist()}


def _sharpe(result: BacktestResult, times_ms: I64) -> dict[str, Any] | None:
    days, known_ms, ratio = rolling_sharpe(result)
    if len(ratio) == 0:
        return None
    rows = np.searchsorted(known_ms, times_ms, side="right") - 1
    values = [round(float(ratio[row]), 2) if row >= 0 else None for row in rows]
    return {"days": days, "value": values}


def candle_series(result: BacktestResult) -> list[dict[str, Any]]:
    """Return for each instrument its candles, thinned, and its trades as markers on them."""
    return [_candles(result, i, each) for i, each in enumerate(result.candles)]


def step_for(candles: Candles, bars_max: int = CANDLES_MAX) -> int:
    """Return the shortest common length, ms, at which at most ``bars_max`` bars cover the run."""
    span_ms = int(candles.close_ms[-1] - candles.bars.ts_ms[0])
    longer = [s for s in STEPS_MS if s >= candles.timeframe.ms and span_ms <= s * (bars_max - 1)]
    return longer[0] if longer else STEPS_MS[-1]


def _candles(result: BacktestResult, i: int, candles: Candles) -> dict[str, Any]:
    step_ms = step_for(candles)
    decimals = candles.spec.price_decimals
    return {
        "name": candles.key,
        "decimals": decimals,
        **_stepped(candles.bars, step_ms, decimals),
        "trades": _trades(result, i, step_ms),
    }


def _trades(result: BacktestResult, i: int, step_ms: int) -> list[list[float]]:
    """Return the newest trades: entry time, exit time, net bps, entry price, exit price.

    Times are those of the charted bars.
    """
    rows = result.trades.filter(instrument=result.candles[i].key).tail(MARKED_TRADES_MAX)
    columns = rows.select("entry_time", "exit_time", "net_bps", "entry_price", "exit_price")
    return [
        [
            int(entry.timestamp() * 1000) // step_ms * step_ms // 1000,
            int(exit_.timestamp() * 1000) // step_ms * step_ms // 1000,
            round(bps, 1),
            entry_price,
            exit_price,
        ]
        for entry, exit_, bps, entry_price, exit_price in columns.iter_rows()
    ]


def trade_windows(result: BacktestResult) -> list[dict[str, Any]]:
    """Return the bars around each of the newest trades, newest trade first.

    They are the bars that the backtest decided on, unless more than WINDOW_BARS_MAX of them lie
    between entry and exit; ``step`` names their length.
    """
    by_key = {each.key: each for each in result.candles}
    newest = result.trades.tail(DETAILED_TRADES_MAX).reverse()
    return [_window(by_key[row["instrument"]], row) for row in newest.iter_rows(named=True)]


def _window(candles: Candles, trade: dict[str, Any]) -> dict[str, Any]:
    entry_ms, exit_ms = (round(trade[k].timestamp() * 1000) for k in ("entry_time", "exit_time"))
    span_ms = exit_ms - entry_ms
    step_ms = next(
        (
            step
            for step in STEPS_MS
            if step >= candles.timeframe.ms and span_ms <= 0.6 * WINDOW_BARS_MAX * step
        ),
        STEPS_MS[-1],
    )
    around_ms = max(15 * step_ms, round(0.3 * span_ms))
    bars = candles.bars
    first, last = np.searchsorted(bars.ts_ms, [entry_ms - around_ms, exit_ms + around_ms + step_ms])
    shown = bars[int(first) : int(last)]
    return {
        "instrument": candles.key,
        "decimals": candles.spec.price_decimals,
        "entry": [entry_ms // step_ms * step_ms // 1000, trade["entry_price"]],
        "exit": [exit_ms // step_ms * step_ms // 1000, trade["exit_price"]],
        "bps": round(trade["net_bps"], 1),
        "reason": trade["exit_reason"].replace("_", " "),
        **_stepped(shown, step_ms, candles.spec.price_decimals),
    }


def _stepped(bars: Bars, step_ms: int, decimals: int) -> dict[str, Any]:
    """Return bars of ``step_ms``, as columns."""
    bucket = bars.ts_ms // step_ms
    firsts = np.flatnonzero(np.append(True, np.diff(bucket) > 0))
    lasts = np.append(firsts[1:], len(bars)) - 1

    def rounded(values: F64) -> list[float]:
        return [float(v) for v in np.round(values, decimals)]

    return {
        "step": step_name(step_ms),
        "time": (bucket[firsts] * step_ms // 1000).tolist(),
        "open": rounded(bars.open[firsts]),
        "high": rounded(np.maximum.reduceat(bars.high, firsts)),
        "low": rounded(np.minimum.reduceat(bars.low, firsts)),
        "close": rounded(bars.close[lasts]),
    }


def step_name(step_ms: int) -> str:
    """Return a length of bars as text.

    >>> step_name(900_000), step_name(14_400_000), step_name(7 * 86_400_000)
    ('15m', '4h', '7d')
    """
    for unit_ms, unit in ((DAY_MS, "d"), (HOUR_MS, "h")):
        if step_ms % unit_ms == 0:
            return f"{step_ms // unit_ms}{unit}"
    return f"{step_ms // MINUTE_MS}m"
