"""Baselines."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ares.kernel.trade import Rules
from ares.research.backtest import baseline_rules, run_backtest
from ares.research.baselines import buy_hold
from ares.research.market import Candles

Maker = Callable[..., Candles]
FREE = Rules(fee_bps=0.0, spread_bps=0.0, slippage_bps=0.0)


def test_buy_and_hold_is_the_price(walk: Maker) -> None:
    each = walk(n=2000, seed=4)
    strategy = buy_hold([each])
    got = run_backtest([each], strategy, baseline_rules(FREE, strategy, 1), 10_000.0)
    assert got.metrics.entries == 1
    price = each.bars.close[-1] / each.bars.open[1] - 1
    assert got.metrics.net_return == pytest.approx(price, rel=0.01, abs=0.002)
    assert got.metrics == got.hold  # the yardstick is the same run
