"""Analyses of a report: drawdowns, streaks, ratios, groups and distributions are computed right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from ares import api
from ares.domain.timeframe import DAY_MS, Timeframe
from ares.research import BacktestResult, Candles
from ares.research.metrics import drawdowns
from ares.research.report_analysis import (
    at_exposure_of_hold,
    daily_facts,
    daily_of,
    drawdown_periods,
    groups_by,
    groups_by_hour,
    groups_by_weekday,
    histogram,
    rolling_sharpe,
    trade_facts,
)

Maker = Callable[..., Candles]


def test_every_fall_is_listed_with_its_times() -> None:
    close_ms = np.arange(1, 9) * DAY_MS
    equity = np.array([110.0, 99.0, 104.5, 110.0, 120.0, 60.0, 90.0, 100.0])
    deepest, first = drawdown_periods(close_ms, equity, 100.0)
    assert (deepest.depth, deepest.end_ms) == (0.5, None)
    assert (deepest.from_ms, deepest.low_ms, deepest.days) == (5 * DAY_MS, 6 * DAY_MS, 3.0)
    assert first.depth == pytest.approx(0.1)
    assert (first.from_ms, first.low_ms, first.end_ms) == (DAY_MS, 2 * DAY_MS, 4 * DAY_MS)
    assert drawdown_periods(close_ms, np.full(8, 100.0), 100.0) == []


def test_the_deepest_fall_is_that_of_the_metrics(baseline: BacktestResult) -> None:
    rows = drawdown_periods(baseline.close_ms, baseline.equity, baseline.metrics.equity_start)
    assert rows[0].depth == pytest.approx(baseline.metrics.max_drawdown)
    assert rows[0].low_ms == baseline.metrics.drawdown_low_ms
    assert [row.depth for row in rows] == sorted((row.depth for row in rows), reverse=True)
    assert len(rows) <= 10


def test_ratios_of_daily_returns(baseline: BacktestResult, walk: Maker) -> None:
    candles = walk(n=400, timeframe=Timeframe.D1, seed=3, step=0.02)
    result = api.backtest(candles, api.sma_cross(candles, 5, 20), fee_bps=0.0)
    own, hold = daily_facts(result), daily_facts(result, hold=True)
    returns, other = daily_of(result), result.hold_equity
    held = np.diff(np.concatenate([[result.metrics.equity_start], other])) / np.concatenate(
        [[result.metrics.equity_start], other[:-1]]
    )
    assert own.beta == pytest.approx(np.cov(returns, held, ddof=0)[0, 1] / held.var())
    assert own.correlation == pytest.approx(np.corrcoef(returns, held)[0, 1])
    assert hold.beta == pytest.approx(1.0)
    assert result.hold.annual_return is not None
    assert hold.calmar == pytest.approx(result.hold.annual_return / result.hold.max_drawdown)
    low, high = np.quantile(held, [0.05, 0.95])
    assert hold.tail_ratio == pytest.approx(high / -low)
    assert hold.value_at_risk == pytest.approx(-low)
    assert hold.expected_shortfall == pytest.approx(-held[held <= low].mean())
    assert hold.best_day == pytest.approx(held.max())
    assert hold.worst_day == pytest.approx(held.min())
    none = daily_facts(api.backtest(walk(n=5), api.buy_hold(walk(n=5))))
    assert (none.beta, none.tail_ratio, none.best_day) == (None, None, None)


def test_streaks_and_expectancy() -> None:
    trades = pl.DataFrame({"pnl_quote": [1.0, 2.0, -1.0, -1.0, -4.0, 3.0]})
    facts = trade_facts(trades)
    assert (facts.won_in_a_row, facts.lost_in_a_row) == (2, 3)
    assert facts.expectancy_quote == pytest.approx(0.0)
    assert facts.payoff == pytest.approx(1.0)
    nothing = trade_facts(trades.head(0))
    assert (nothing.expectancy_quote, nothing.payoff, nothing.won_in_a_row) == (None, None, 0)
    assert trade_facts(trades.head(2)).payoff is None


def test_groups_add_up_to_all_trades(baseline: BacktestResult) -> None:
    trades = baseline.trades
    for groups in (
        groups_by(trades, "instrument"),
        groups_by(trades, "exit_reason"),
        groups_by_hour(trades),
        groups_by_weekday(trades),
    ):
        assert sum(group.trades for group in groups) == trades.height
        assert sum(group.pnl_quote for group in groups) == pytest.approx(trades["pnl_quote"].sum())
    assert len(groups_by_hour(trades)) == 24
    assert [group.name for group in groups_by_weekday(trades)][::6] == ["Mon", "Sun"]
    hour = trades.filter(pl.col("entry_time").dt.hour() == 7)
    assert groups_by_hour(trades)[7].trades == hour.height


def test_a_histogram_counts_all_and_has_a_bound_at_zero() -> None:
    values = np.random.default_rng(1).normal(0.3, 1.0, 5_000)
    bins = histogram(values)
    assert sum(each.count for each in bins) == 5_000
    assert any(abs(each.low) < 1e-12 for each in bins)
    assert max(each.height for each in bins) == 1.0
    assert histogram(np.empty(0)) == histogram(np.ones(5)) == []
    far = histogram(10.0 + np.random.default_rng(1).random(100), from_zero=False)
    assert far[0].low >= 9.9


def test_the_rolling_ratio_is_that_of_its_window(walk: Maker) -> None:
    candles = walk(n=500, timeframe=Timeframe.D1, seed=5, step=0.02)
    result = api.backtest(candles, api.buy_hold(candles))
    days, time_ms, ratio = rolling_sharpe(result)
    returns = daily_of(result)
    assert days == 90
    assert len(time_ms) == len(ratio) == len(returns) - 89
    last = returns[-90:]
    assert ratio[-1] == pytest.approx(last.mean() / last.std(ddof=1) * np.sqrt(365))
    assert time_ms[-1] == result.close_ms[-1]
    short = api.backtest(walk(n=40, timeframe=Timeframe.D1), api.buy_hold(walk(n=40)))
    assert len(rolling_sharpe(short)[1]) == 0


def test_equal_exposure_multiplies_returns(baseline: BacktestResult) -> None:
    found = at_exposure_of_hold(baseline)
    assert found is not None
    factor, equity = found
    exposure, other = baseline.metrics.exposure, baseline.hold.exposure
    assert exposure is not None
    assert other is not None
    assert factor == pytest.approx(other / exposure)
    assert (equity >= 0).all()
    own = drawdowns(baseline.equity, baseline.metrics.equity_start).max()
    scaled = drawdowns(equity, baseline.metrics.equity_start).max()
    assert (scaled > own) == (factor > 1.0)
