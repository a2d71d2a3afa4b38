"""The series of a report's charts, thinned to the resolution of a screen."""

from __future__ import annotations

from typing import Any

import numpy as np

from ares.domain.timeframe import DAY_MS, HOUR_MS, MINUTE_MS
from ares.kernel.bars import F64, I64
from ares.research.backtest import BacktestResult
from ares.research.market import Candles
from ares.research.metrics import drawdowns

POINTS_MAX = 1_500
CANDLES_MAX = 3_000
MARKED_TRADES_MAX = 1_000

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


def account_series(result: BacktestResult) -> dict[str, list[float]]:
    """Return equity, buy & hold, drawdown and exposure over time, at most POINTS_MAX points.

    Each point has the last equity, the largest drawdown and the mean exposure of its interval.
    """
    n = len(result.close_ms)
    firsts = np.unique(np.linspace(0, n, min(n, POINTS_MAX), endpoint=False).astype(np.int64))
    lasts = np.append(firsts[1:], n) - 1
    depth = drawdowns(result.equity, result.metrics.equity_start)
    mean_exposure = np.add.reduceat(result.exposure, firsts) / (lasts - firsts + 1)
    return {
        "time": (result.close_ms[lasts] // 1000).tolist(),
        "equity": np.round(result.equity[lasts], 2).tolist(),
        "hold": np.round(result.hold_equity[lasts], 2).tolist(),
        "drawdown": np.round(-100 * np.maximum.reduceat(depth, firsts), 3).tolist(),
        "exposure": np.round(100 * mean_exposure, 2).tolist(),
    }


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
    bars = candles.bars
    bucket = bars.ts_ms // step_ms
    firsts = np.flatnonzero(np.append(True, np.diff(bucket) > 0))
    lasts = np.append(firsts[1:], len(bars)) - 1
    times: I64 = bucket[firsts] * step_ms // 1000
    decimals = candles.spec.price_decimals

    def rounded(values: F64) -> list[float]:
        return [float(v) for v in np.round(values, decimals)]

    return {
        "name": candles.key,
        "step": step_name(step_ms),
        "decimals": decimals,
        "time": times.tolist(),
        "open": rounded(bars.open[firsts]),
        "high": rounded(np.maximum.reduceat(bars.high, firsts)),
        "low": rounded(np.minimum.reduceat(bars.low, firsts)),
        "close": rounded(bars.close[lasts]),
        "trades": _trades(result, i, step_ms),
    }


def _trades(result: BacktestResult, i: int, step_ms: int) -> list[list[float]]:
    """Return the newest trades as (entry time, exit time, net bps), times on the charted bars."""
    rows = result.trades.filter(instrument=result.candles[i].key).tail(MARKED_TRADES_MAX)
    return [
        [
            int(entry.timestamp() * 1000) // step_ms * step_ms // 1000,
            int(exit_.timestamp() * 1000) // step_ms * step_ms // 1000,
            round(bps, 1),
        ]
        for entry, exit_, bps in rows.select("entry_time", "exit_time", "net_bps").iter_rows()
    ]


def step_name(step_ms: int) -> str:
    """Return a length of bars as text.

    >>> step_name(900_000), step_name(14_400_000), step_name(7 * 86_400_000)
    ('15m', '4h', '7d')
    """
    for unit_ms, unit in ((DAY_MS, "d"), (HOUR_MS, "h")):
        if step_ms % unit_ms == 0:
            return f"{step_ms // unit_ms}{unit}"
    return f"{step_ms // MINUTE_MS}m"
