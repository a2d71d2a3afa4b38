"""Metrics against figures worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ares.domain.timeframe import DAY_MS, HOUR_MS
from ares.kernel.trade.layout import OUTCOME
from ares.learn.gate.account import daily_returns
from ares.research.account_path import ExecutionCosts
from ares.research.metrics import (
    BacktestMetrics,
    deepest,
    drawdowns,
    measure,
    monthly_returns,
)

DAY0 = 1_672_531_200_000  # 2023-01-01 00:00 UTC
NO_COSTS = ExecutionCosts(0.0, 0.0, 0.0, 0.0)


def measured(
    equity: list[float], pnl: list[float] | None = None, days: int | None = None
) -> BacktestMetrics:
    """Return metrics of one equity value a day and trades with these results."""
    n = len(equity)
    outcomes = np.zeros(len(pnl or []), OUTCOME)
    if pnl:
        outcomes["pnl_units"] = np.array(pnl) * 1e8
        outcomes["net_bps"] = np.array(pnl) * 10
        outcomes["exit_ms"] = 2 * HOUR_MS
    close_ms = DAY0 + (1 + np.arange(n)) * DAY_MS
    return measure(
        DAY0,
        close_ms if days is None else DAY0 + (1 + np.arange(n)) * days * DAY_MS,
        np.array(equity),
        np.full(n, 0.25),
        np.arange(n) % 2 == 0,
        outcomes,
        1,
        ExecutionCosts(3.0, 2.0, 1.0, 400.0),
        100.0,
    )


def test_returns_and_ratios_by_hand() -> None:
    equity = [110.0, 99.0, *[118.8] * 8]  # +10%, -10%, +20%, and eight quiet days
    got = measured(equity)
    daily = np.array([0.1, -0.1, 0.2, *[0.0] * 7])
    assert got.net_return == pytest.approx(0.188)
    assert got.days == 10
    assert got.volatility == pytest.approx(daily.std(ddof=1) * math.sqrt(365))
    assert got.sharpe == pytest.approx(daily.mean() / daily.std(ddof=1) * math.sqrt(365))
    downside = math.sqrt(0.1**2 / 10)
    assert got.sortino == pytest.approx(daily.mean() / downside * math.sqrt(365))
    assert got.turnover == pytest.approx(400.0 / np.mean(equity))
    assert got.exposure == 0.25
    assert got.time_in_market == 0.5
    assert (got.fees, got.spread_cost, got.slippage_cost) == (3.0, 2.0, 1.0)


def test_annual_return_needs_a_month() -> None:
    assert measured([110.0, 121.0]).annual_return is None
    year = measured([110.0] * 73, days=5)
    assert year.annual_return == pytest.approx(0.10)


def test_trades_by_hand() -> None:
    got = measured([100.0, 100.0], pnl=[4.0, -1.0, -1.0, 2.0])
    assert got.trades == 4
    assert got.entries == 5  # one is still open
    assert got.win_rate == 0.5
    assert got.profit_factor == 3.0
    assert got.trade_mean_bps == pytest.approx(10.0)
    assert (got.trade_best_bps, got.trade_worst_bps) == (40.0, -10.0)
    assert got.holding_hours == 2.0


def test_a_trade_that_returned_its_costs_exactly_did_not_win() -> None:
    assert measured([100.0], pnl=[0.0]).win_rate == 0.0


def test_ratios_over_nothing_are_none() -> None:
    got = measured([100.0] * 12)
    for name in ("sharpe", "sortino", "win_rate", "profit_factor", "trade_mean_bps"):
        assert getattr(got, name) is None, name
    assert got.holding_hours is None
    assert got.net_return == 0.0
    assert got.max_drawdown == 0.0
    assert got.drawdown_low_ms is None


def test_only_winners_have_no_profit_factor_and_no_sortino() -> None:
    got = measured([101.0 + day + day % 2 for day in range(12)], pnl=[1.0, 2.0])
    assert got.win_rate == 1.0
    assert got.profit_factor is None
    assert got.sortino is None
    assert got.sharpe is not None


def test_what_is_made_of_daily_returns_needs_ten_of_them() -> None:
    equity = [100.0 + day % 3 for day in range(10)]
    enough = measured(equity)
    for name in ("sharpe", "sortino", "volatility"):
        assert getattr(enough, name) is not None, name
        assert getattr(measured(equity[:9]), name) is None, name
        assert getattr(measured([101.0]), name) is None, name


def test_no_bars_at_all() -> None:
    none = np.empty(0)
    got = measure(
        None, np.empty(0, np.int64), none, none, none.astype(bool), np.zeros(0, OUTCOME),
        0, NO_COSTS, 100.0,
    )  # fmt: skip
    assert got.bars == 0
    assert got.equity_end == 100.0
    assert got.exposure is None
    assert got.turnover is None


def test_a_fall_from_the_very_start_is_a_drawdown() -> None:
    got = measured([90.0, 80.0, 95.0])
    assert got.max_drawdown == pytest.approx(0.2)
    assert got.drawdown_from_ms == DAY0
    assert got.drawdown_low_ms == DAY0 + 2 * DAY_MS
    assert got.drawdown_end_ms is None  # never back at 100


def test_the_deepest_of_two_falls_with_its_recovery() -> None:
    times = np.arange(1, 8)
    equity = np.array([100.0, 90.0, 110.0, 77.0, 88.0, 110.0, 105.0])
    fall = deepest(times, equity, 100.0, 0)
    assert fall.depth == pytest.approx(0.3)
    assert (fall.from_ms, fall.low_ms, fall.end_ms) == (3, 4, 6)
    assert drawdowns(equity, 100.0)[1] == pytest.approx(0.1)


def test_a_close_at_midnight_ends_its_day_and_a_day_without_bars_returns_nothing() -> None:
    hours = np.array([12, 24, 36, 96])  # the third and fourth days are missing but for 96 h
    got = daily_returns(DAY0 + hours * HOUR_MS, np.array([105.0, 110.0, 121.0, 121.0]), 100.0)
    np.testing.assert_allclose(got, [0.10, 0.10, 0.0, 0.0], atol=1e-12)


def test_monthly_returns_compound_to_the_whole() -> None:
    close_ms = DAY0 + np.array([31, 45, 59, 60]) * DAY_MS  # 1 Feb 00:00 belongs to January
    months = monthly_returns(close_ms, np.array([110.0, 100.0, 99.0, 132.0]), 100.0)
    assert [(m.year, m.month) for m in months] == [(2023, 1), (2023, 2), (2023, 3)]
    np.testing.assert_allclose([m.net_return for m in months], [0.10, -0.10, 1 / 3])
    assert math.prod(1 + m.net_return for m in months) == pytest.approx(1.32)
