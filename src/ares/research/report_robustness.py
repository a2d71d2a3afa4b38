"""How much of a result is luck: trades in another order, and decisions carried out later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ares.kernel.bars import F64
from ares.kernel.trade import Signals
from ares.research.backtest import BacktestResult, run_metrics
from ares.research.report_analysis import Bin, histogram

SHUFFLES = 1_000
SEED = 20_240_101
"""The same report is made of the same result."""

TRADES_MIN = 20
"""With fewer trades their order says nothing."""

DELAYS_BARS = (1, 2, 5, 10)

DELAY_ROWS_MAX = 2_000_000
"""Bars of all instruments above which delays are not computed: they would take a minute."""


@dataclass(frozen=True, slots=True)
class TradeOrder:
    """The closed trades in 1,000 random orders, and drawn 1,000 times with repetition.

    drawdown     : of the trades in the order in which they closed, trade by trade.
    drawdown_5, _50, _95 : percentiles of it over the orders.
    beyond       : share of the orders with a larger drawdown.
    return_5, _50, _95 : percentiles of the net return over the draws.
    lost         : share of the draws that lost money.
    bins         : histogram of the drawdowns.
    """

    drawdown: float
    drawdown_5: float
    drawdown_50: float
    drawdown_95: float
    beyond: float
    return_5: float
    return_50: float
    return_95: float
    lost: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class Delayed:
    """The result with each decision carried out ``bars`` bars later."""

    bars: int
    net_return: float
    sharpe: float | None
    max_drawdown: float
    trades: int


def trade_order(result: BacktestResult) -> TradeOrder | None:
    """Return what another order of the trades would have meant; None with fewer than 20.

    A trade's return is its result as a share of the equity before it, trade after trade.
    """
    pnl = result.trades["pnl_quote"].to_numpy()
    if len(pnl) < TRADES_MIN:
        return None
    before = result.metrics.equity_start + np.concatenate([[0.0], np.cumsum(pnl)[:-1]])
    if (before <= 0).any():
        return None
    growth = np.maximum(1.0 + pnl / before, 0.0)
    draw = np.random.default_rng(SEED)
    falls = np.array([_fall(draw.permutation(growth)) for _ in range(SHUFFLES)])
    ends = np.array([np.prod(draw.choice(growth, len(growth))) - 1.0 for _ in range(SHUFFLES)])
    own = _fall(growth)
    fall_5, fall_50, fall_95 = (float(q) for q in np.quantile(falls, [0.05, 0.5, 0.95]))
    end_5, end_50, end_95 = (float(q) for q in np.quantile(ends, [0.05, 0.5, 0.95]))
    return TradeOrder(
        drawdown=own,
        drawdown_5=fall_5,
        drawdown_50=fall_50,
        drawdown_95=fall_95,
        beyond=float((falls > own).mean()),
        return_5=end_5,
        return_50=end_50,
        return_95=end_95,
        lost=float((ends < 0).mean()),
        bins=tuple(histogram(falls, from_zero=False)),
    )


def _fall(growth: F64) -> float:
    """Return the largest drawdown of one trade after another."""
    equity = np.concatenate([[1.0], np.cumprod(growth)])
    return float((1.0 - equity / np.maximum.accumulate(equity)).max())


def delays(result: BacktestResult) -> list[Delayed]:
    """Return the result with later decisions; empty where the signals are not a backtest's."""
    if result.strategy.kind == "run" or result.metrics.entries == 0:
        return []
    if result.strategy.signals.p.size > DELAY_ROWS_MAX:
        return []
    found = []
    for bars in DELAYS_BARS:
        if bars >= len(result.close_ms):
            break
        signals = Signals(*(_later(column, bars) for column in result.strategy.signals))
        metrics = run_metrics(result, signals)
        found.append(
            Delayed(bars, metrics.net_return, metrics.sharpe, metrics.max_drawdown, metrics.trades)
        )
    return found


def _later(column: F64, bars: int) -> F64:
    later = np.full_like(column, np.nan)
    later[bars:] = column[:-bars]
    return later
