"""Metrics of a backtest; a ratio without data is None, never 0.

Ratios of daily returns are annualised with 365 days, since these markets never close. A UTC day
without bars has a return of 0. An open position is valued at its last close.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ares.domain.timeframe import DAY_MS
from ares.kernel.bars import F64, I64, Bools
from ares.kernel.trade.layout import Records
from ares.learn.gate.account import DAYS_PER_YEAR, daily_returns
from ares.research.account_path import ExecutionCosts

ANNUALISED_DAYS_MIN = 30.0
"""In a shorter window the annualised return is None."""

RATIO_DAYS_MIN = 10.0
"""With fewer daily returns, volatility and the ratios are None."""


@dataclass(frozen=True, slots=True)
class BacktestMetrics:
    """Metrics of one backtest; money in quote currency, shares and returns as fractions.

    bars             : number of closing instants.
    trades           : closed trades; entries counts open positions too.
    net_return       : equity_end / equity_start - 1, after all costs.
    annual_return, volatility, sharpe, sortino : of daily returns; see the module. None in a
                       window shorter than 30 days, the last three than 10.
    max_drawdown     : largest fall of equity below its running peak; with the times of the peak,
                       the lowest point, and the recovery (None: not recovered).
    turnover         : notional traded as a multiple of the mean equity.
    exposure         : mean share of equity in positions; time_in_market: share of bars with one.
    win_rate, profit_factor, trade_*_bps, holding_hours : of closed trades, after costs.
    """

    bars: int
    from_ms: int | None
    to_ms: int | None
    days: float
    trades: int
    entries: int
    open_positions: int
    equity_start: float
    equity_end: float
    net_return: float
    annual_return: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    max_drawdown: float
    drawdown_from_ms: int | None
    drawdown_low_ms: int | None
    drawdown_end_ms: int | None
    fees: float
    spread_cost: float
    slippage_cost: float
    traded_quote: float
    turnover: float | None
    exposure: float | None
    time_in_market: float | None
    win_rate: float | None
    profit_factor: float | None
    trade_mean_bps: float | None
    trade_best_bps: float | None
    trade_worst_bps: float | None
    holding_hours: float | None


@dataclass(frozen=True, slots=True)
class MonthReturn:
    """The return of one calendar month (UTC), or of the part inside the window."""

    year: int
    month: int
    net_return: float


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The largest drawdown, with the times of peak, low and recovery."""

    depth: float
    from_ms: int | None
    low_ms: int | None
    end_ms: int | None


def measure(
    opened_ms: int | None,
    close_ms: I64,
    equity: F64,
    exposure: F64,
    held: Bools,
    outcomes: Records,
    open_positions: int,
    costs: ExecutionCosts,
    equity_start: float,
) -> BacktestMetrics:
    """Return the metrics of a backtest.

    opened_ms : open time of the first bar, where the backtest starts.
    equity, exposure, held : (n_bars,) at each close: quote, share of equity, any position.
    outcomes  : closed real (not virtual) trades, as the kernel records them.
    """
    n = len(close_ms)
    equity_end = float(equity[-1]) if n else equity_start
    days = (int(close_ms[-1]) - opened_ms) / DAY_MS if n and opened_ms is not None else 0.0
    daily = daily_returns(close_ms, equity, equity_start)
    returns = daily if days >= RATIO_DAYS_MIN else daily[:0]
    fall = deepest(close_ms, equity, equity_start, opened_ms)
    net_bps = outcomes["net_bps"].astype(np.float64)
    pnl = outcomes["pnl_units"].astype(np.float64)
    lost = -pnl[pnl < 0].sum()
    traded = len(outcomes) > 0
    held_hours = (outcomes["exit_ms"] - outcomes["entry_ms"]) / 3.6e6
    return BacktestMetrics(
        bars=n,
        from_ms=opened_ms,
        to_ms=int(close_ms[-1]) if n else None,
        days=days,
        trades=len(outcomes),
        entries=len(outcomes) + open_positions,
        open_positions=open_positions,
        equity_start=equity_start,
        equity_end=equity_end,
        net_return=equity_end / equity_start - 1.0,
        annual_return=_annual(equity_end / equity_start, days),
        volatility=_finite(_sd(returns) * math.sqrt(DAYS_PER_YEAR)),
        sharpe=_ratio(returns, _sd(returns)),
        sortino=_ratio(returns, _downside(returns)),
        max_drawdown=fall.depth,
        drawdown_from_ms=fall.from_ms,
        drawdown_low_ms=fall.low_ms,
        drawdown_end_ms=fall.end_ms,
        fees=costs.fees,
        spread_cost=costs.spread,
        slippage_cost=costs.slippage,
        traded_quote=costs.traded,
        turnover=costs.traded / float(equity.mean()) if n and equity.mean() > 0 else None,
        exposure=float(exposure.mean()) if n else None,
        time_in_market=float(held.mean()) if n else None,
        win_rate=float((pnl > 0).mean()) if traded else None,
        profit_factor=float(pnl[pnl > 0].sum() / lost) if lost > 0 else None,
        trade_mean_bps=float(net_bps.mean()) if traded else None,
        trade_best_bps=float(net_bps.max()) if traded else None,
        trade_worst_bps=float(net_bps.min()) if traded else None,
        holding_hours=float(held_hours.mean()) if traded else None,
    )


def monthly_returns(close_ms: I64, equity: F64, equity_start: float) -> tuple[MonthReturn, ...]:
    """Return the return of each month that has bars."""
    if len(close_ms) == 0:
        return ()
    months = (close_ms - 1).astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    last = np.flatnonzero(np.append(np.diff(months) > 0, True))
    ends = equity[last]
    returns = ends / np.concatenate([[equity_start], ends[:-1]]) - 1.0
    return tuple(
        MonthReturn(1970 + int(month) // 12, int(month) % 12 + 1, float(change))
        for month, change in zip(months[last], returns, strict=True)
    )


def deepest(close_ms: I64, equity: F64, equity_start: float, opened_ms: int | None) -> Drawdown:
    """Return the largest drawdown; the first peak is the starting equity.

    >>> fall = deepest(np.array([1, 2, 3, 4]), np.array([120.0, 90.0, 60.0, 130.0]), 100.0, 0)
    >>> fall
    Drawdown(depth=0.5, from_ms=1, low_ms=3, end_ms=4)
    """
    depth = drawdowns(equity, equity_start)
    if len(depth) == 0 or depth.max() <= 0.0:
        return Drawdown(0.0, None, None, None)
    low = int(np.argmax(depth))
    at_peak = np.flatnonzero(depth[:low] <= 0.0)
    from_ms = int(close_ms[at_peak[-1]]) if len(at_peak) else opened_ms
    recovered = np.flatnonzero(depth[low:] <= 0.0)
    end_ms = int(close_ms[low + recovered[0]]) if len(recovered) else None
    return Drawdown(float(depth[low]), from_ms, int(close_ms[low]), end_ms)


def drawdowns(equity: F64, equity_start: float) -> F64:
    """Return (n_bars,) the drawdown at each bar, as a fraction of the running peak."""
    peak = np.maximum(np.maximum.accumulate(equity), equity_start) if len(equity) else equity
    return 1.0 - equity / peak


def _sd(returns: F64) -> float:
    return float(returns.std(ddof=1)) if len(returns) > 1 else math.nan


def _downside(returns: F64) -> float:
    """Return the root mean square of the losses (Sortino and Price 1994), target 0."""
    if len(returns) < 2:
        return math.nan
    return float(np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2)))


def _ratio(returns: F64, spread: float) -> float | None:
    if not spread > 0.0:
        return None
    return float(returns.mean()) / spread * math.sqrt(DAYS_PER_YEAR)


def _annual(growth: float, days: float) -> float | None:
    if days < ANNUALISED_DAYS_MIN or growth <= 0.0:
        return None
    return _finite(growth ** (DAYS_PER_YEAR / days) - 1.0)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
