"""Orders of trades and later decisions: reproducible, and what they say is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ares import api
from ares.kernel.trade import Signals
from ares.research import BacktestResult, Candles
from ares.research.report_robustness import delays, trade_order

Maker = Callable[..., Candles]


def test_the_order_of_trades_is_shuffled_reproducibly(baseline: BacktestResult) -> None:
    found = trade_order(baseline)
    assert found is not None
    assert found == trade_order(baseline)
    assert found.drawdown_5 <= found.drawdown_50 <= found.drawdown_95
    assert found.return_5 <= found.return_50 <= found.return_95
    assert 0.0 <= found.beyond <= 1.0
    pnl = baseline.trades["pnl_quote"].to_numpy()
    equity = baseline.metrics.equity_start + np.concatenate([[0.0], np.cumsum(pnl)])
    fall = (1 - equity / np.maximum.accumulate(equity)).max()
    assert found.drawdown == pytest.approx(fall)
    assert trade_order(replace(baseline, trades=baseline.trades.head(19))) is None


def test_a_delay_is_a_backtest_of_later_signals(baseline: BacktestResult) -> None:
    first = delays(baseline)[0]
    later = Signals(
        *(np.vstack([np.full_like(c[:1], np.nan), c[:-1]]) for c in baseline.strategy.signals)
    )
    strategy = replace(baseline.strategy, signals=later)
    rules = baseline.rules
    again = api.backtest(
        list(baseline.candles), strategy, fee_bps=rules.fee_bps, spread_bps=rules.spread_bps,
        slippage_bps=rules.slippage_bps,
    )  # fmt: skip
    assert first.bars == 1
    assert first.net_return == pytest.approx(again.metrics.net_return)
    assert first.trades == again.metrics.trades
    assert [each.bars for each in delays(baseline)] == [1, 2, 5, 10]


def test_nothing_is_computed_where_nothing_was_traded(
    baseline: BacktestResult, walk: Maker
) -> None:
    run = replace(baseline, strategy=replace(baseline.strategy, kind="run"))
    assert delays(run) == []
    nothing = api.backtest(walk(n=30), api.sma_cross(walk(n=30), 5, 20_000))
    assert delays(nothing) == []
    assert trade_order(nothing) is None
