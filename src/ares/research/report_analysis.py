"""Analyses of a report: drawdown periods, streaks, ratios, groups of trades, distributions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from ares.domain.timeframe import DAY_MS
from ares.kernel.bars import F64, I64
from ares.learn.gate.account import DAYS_PER_YEAR, daily_returns
from ares.research.backtest import BacktestResult
from ares.research.metrics import drawdowns

DRAWDOWNS_SHOWN = 10
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

ROLLING_DAYS = (30, 90)
"""Window of the rolling Sharpe ratio: the longer one from a year of data on."""

DAYS_MIN = 10
"""With fewer daily returns the ratios below are None."""


@dataclass(frozen=True, slots=True)
class DrawdownPeriod:
    """One fall of the equity: from a peak to its lowest point and back; end None: not recovered."""

    depth: float
    from_ms: int
    low_ms: int
    end_ms: int | None
    days: float


@dataclass(frozen=True, slots=True)
class DailyFacts:
    """Facts of daily returns; None with fewer than ten days.

    calmar       : annualised return / largest drawdown.
    tail_ratio   : 95th percentile / absolute 5th percentile.
    value_at_risk, expected_shortfall : of a day in twenty, as positive fractions.
    beta, correlation : to buy & hold of the same instruments.
    """

    calmar: float | None
    tail_ratio: float | None
    skew: float | None
    kurtosis: float | None
    value_at_risk: float | None
    expected_shortfall: float | None
    best_day: float | None
    worst_day: float | None
    positive_days: float | None
    beta: float | None
    correlation: float | None


@dataclass(frozen=True, slots=True)
class TradeFacts:
    """Facts of closed trades; None without any.

    expectancy_quote : mean result of a trade; payoff: mean win / mean loss.
    won_in_a_row, lost_in_a_row : longest streaks.
    """

    expectancy_quote: float | None
    payoff: float | None
    won_in_a_row: int
    lost_in_a_row: int


@dataclass(frozen=True, slots=True)
class TradeGroup:
    """The closed trades of one instrument, exit reason, hour or weekday."""

    name: str
    trades: int
    win_rate: float | None
    mean_bps: float | None
    pnl_quote: float


def drawdown_periods(
    close_ms: I64, equity: F64, equity_start: float, shown: int = DRAWDOWNS_SHOWN
) -> list[DrawdownPeriod]:
    """Return the deepest falls, the deepest first.

    >>> rows = drawdown_periods(np.array([1, 2, 3, 4]), np.array([9.0, 10.0, 5.0, 8.0]), 10.0)
    >>> [(row.depth, row.from_ms, row.low_ms, row.end_ms) for row in rows]
    [(0.5, 2, 3, None), (0.1, 1, 1, 2)]
    """
    depth = drawdowns(equity, equity_start)
    below = np.concatenate([[False], depth > 1e-12, [False]])
    starts = np.flatnonzero(below[1:] & ~below[:-1]).tolist()
    ends = np.flatnonzero(below[:-1] & ~below[1:]).tolist()  # first bar at the peak again
    found = []
    for start, end in zip(starts, ends, strict=True):
        low = start + int(np.argmax(depth[start:end]))
        from_ms = int(close_ms[max(start - 1, 0)])
        recovered = end < len(close_ms)
        end_ms = int(close_ms[end]) if recovered else None
        last_ms = end_ms if end_ms is not None else int(close_ms[-1])
        days = (last_ms - from_ms) / DAY_MS
        deepest = round(float(depth[low]), 12)
        found.append(DrawdownPeriod(deepest, from_ms, int(close_ms[low]), end_ms, days))
    return sorted(found, key=lambda row: -row.depth)[:shown]


def daily_facts(result: BacktestResult, hold: bool = False) -> DailyFacts:
    """Return the facts of the strategy's daily returns, or of buy & hold's."""
    metrics = result.hold if hold else result.metrics
    own, held = _daily(result, False), _daily(result, True)
    returns = held if hold else own
    fall, annual = metrics.max_drawdown, metrics.annual_return
    calmar = annual / fall if annual is not None and fall > 0 else None
    if len(returns) < DAYS_MIN or not returns.any():
        return DailyFacts(calmar, *(None,) * 10)
    low, high = np.quantile(returns, [0.05, 0.95])
    sd = float(returns.std())
    z = (returns - returns.mean()) / sd if sd > 0 else np.zeros(len(returns))
    spread = float(held.std())
    beta = correlation = None
    if spread > 0 and sd > 0:
        covariance = float(np.mean((returns - returns.mean()) * (held - held.mean())))
        beta, correlation = covariance / spread**2, covariance / (spread * sd)
    return DailyFacts(
        calmar=calmar,
        tail_ratio=float(high / abs(low)) if low < 0 else None,
        skew=float(np.mean(z**3)),
        kurtosis=float(np.mean(z**4)),
        value_at_risk=max(0.0, -float(low)),
        expected_shortfall=max(0.0, -float(returns[returns <= low].mean())),
        best_day=float(returns.max()),
        worst_day=float(returns.min()),
        positive_days=float((returns > 0).mean()),
        beta=beta,
        correlation=correlation,
    )


def trade_facts(trades: pl.DataFrame) -> TradeFacts:
    """Return the facts of closed trades, in the order in which they closed."""
    pnl = trades["pnl_quote"].to_numpy()
    if len(pnl) == 0:
        return TradeFacts(None, None, 0, 0)
    won, lost = pnl[pnl > 0], pnl[pnl <= 0]
    payoff = None
    if len(won) and len(lost) and lost.mean() < 0:
        payoff = float(won.mean() / -lost.mean())
    return TradeFacts(float(pnl.mean()), payoff, _streak(pnl > 0), _streak(pnl <= 0))


def _streak(flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0


def groups_by(trades: pl.DataFrame, column: str) -> list[TradeGroup]:
    """Return the trades by ``instrument`` or ``exit_reason``, the largest group first."""
    rows = trades.group_by(column, maintain_order=True).agg(*_AGGREGATES)
    found = [_group(str(row[column]).replace("_", " "), row) for row in rows.to_dicts()]
    return sorted(found, key=lambda group: -group.trades)


def groups_by_hour(trades: pl.DataFrame) -> list[TradeGroup]:
    """Return 24 groups, by the hour (UTC) of the entry."""
    return _by_number(trades, pl.col("entry_time").dt.hour(), [f"{hour:02d}" for hour in range(24)])


def groups_by_weekday(trades: pl.DataFrame) -> list[TradeGroup]:
    """Return seven groups, by the weekday (UTC) of the entry."""
    return _by_number(trades, pl.col("entry_time").dt.weekday() - 1, list(WEEKDAYS))


_AGGREGATES = (
    pl.len().alias("trades"),
    (pl.col("pnl_quote") > 0).mean().alias("win_rate"),
    pl.col("net_bps").mean().alias("mean_bps"),
    pl.col("pnl_quote").sum().alias("pnl"),
)


def _by_number(trades: pl.DataFrame, key: pl.Expr, names: list[str]) -> list[TradeGroup]:
    rows = trades.group_by(key.alias("key")).agg(*_AGGREGATES).to_dicts()
    known = {int(row["key"]): row for row in rows}
    return [
        _group(name, known[k]) if k in known else TradeGroup(name, 0, None, None, 0.0)
        for k, name in enumerate(names)
    ]


def _group(name: str, row: dict[str, float]) -> TradeGroup:
    return TradeGroup(name, int(row["trades"]), row["win_rate"], row["mean_bps"], row["pnl"])


@dataclass(frozen=True, slots=True)
class Bin:
    """One bar of a histogram: its bounds, its count, and its height relative to the tallest."""

    low: float
    high: float
    count: int
    height: float


def histogram(values: F64, bins_max: int = 41, from_zero: bool = True) -> list[Bin]:
    """Return a histogram whose bins have a bound at 0; empty without values.

    from_zero : the bins include 0.

    Values beyond the 0.5 and 99.5 percentiles are counted in the outermost bins.
    """
    values = values[np.isfinite(values)]
    if len(values) == 0 or float(np.ptp(values)) == 0.0:
        return []
    low, high = np.quantile(values, [0.005, 0.995])
    if from_zero:
        low, high = min(float(low), 0.0), max(float(high), 0.0)
    if high - low <= 0:
        return []
    width = _nice((high - low) / bins_max)
    edges = np.arange(math.floor(low / width), math.ceil(high / width) + 1) * width
    if len(edges) < 2:
        return []
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    tallest = counts.max()
    return [
        Bin(float(edges[k]), float(edges[k + 1]), int(n), float(n / tallest))
        for k, n in enumerate(counts)
    ]


def _nice(width: float) -> float:
    """Return the next of 1, 2, 2.5, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(width))
    return next(step * power for step in (1.0, 2.0, 2.5, 5.0, 10.0) if step * power >= width)


def daily_of(result: BacktestResult) -> F64:
    """Return the strategy's daily returns, (n_days,)."""
    return _daily(result, False)


def _daily(result: BacktestResult, hold: bool) -> F64:
    equity = result.hold_equity if hold else result.equity
    return daily_returns(result.close_ms, equity, result.metrics.equity_start)


def rolling_sharpe(result: BacktestResult) -> tuple[int, I64, F64]:
    """Return ``(window_days, (n,) time in ms, (n,) Sharpe ratio)`` of the daily returns.

    A window without any change of equity has a ratio of 0; empty where the run is too short.
    """
    returns = _daily(result, False)
    days = ROLLING_DAYS[1] if len(returns) >= DAYS_PER_YEAR else ROLLING_DAYS[0]
    if len(returns) < 2 * days:
        return days, np.empty(0, np.int64), np.empty(0)
    windows = np.lib.stride_tricks.sliding_window_view(returns, days)
    sd = windows.std(axis=1, ddof=1)
    ratio = np.divide(windows.mean(axis=1), sd, out=np.zeros(len(sd)), where=sd > 1e-12)
    first_day = int(result.close_ms[0] - 1) // DAY_MS
    time_ms = (first_day + np.arange(days, len(returns) + 1)) * DAY_MS
    return days, time_ms, ratio * math.sqrt(DAYS_PER_YEAR)


def at_exposure_of_hold(result: BacktestResult) -> tuple[float, F64] | None:
    """Return the strategy's equity at the mean exposure of buy & hold, and the factor of it.

    Daily returns are multiplied by the ratio of the mean exposures, on each bar of a day alike;
    costs scale with them. None where the strategy had no exposure.
    """
    own, other = result.metrics.exposure, result.hold.exposure
    if not own or not other:
        return None
    factor = other / own
    before = np.concatenate([[result.metrics.equity_start], result.equity[:-1]])
    returns = np.maximum(1.0 + factor * (result.equity / before - 1.0), 0.0)
    return factor, result.metrics.equity_start * np.cumprod(returns)
