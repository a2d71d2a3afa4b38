"""Baselines: what holding and following an average earn, at the same costs and without a model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.timeframe import DAY_MS, HOUR_MS, Timeframe
from ares.kernel.bars import Bars
from ares.kernel.trade import Rules
from ares.learn.gate.account import AccountTerms
from ares.learn.gate.baselines import (
    affordable_share,
    buy_and_hold,
    free_rules,
    sma_cross,
    sma_level,
)

Rising = Callable[..., Bars]
SPEC = InstrumentSpec(Instrument("binance", "BTC/USDT"), 4, 4)
TERMS = AccountTerms(SPEC, Rules(), 10_000.0).without_protections()


def test_holding_takes_the_price_and_a_cross_follows_it(rising: Rising) -> None:
    up = rising(1000, 0.0005)
    held = buy_and_hold(up, HOUR_MS, TERMS)
    rose = up.close[-1] / up.open[0] - 1.0
    assert held.net_return == pytest.approx(rose, rel=0.02)
    assert len(held.net_bps) == 0
    before, after = up[:200], up[200:]
    crossed = sma_cross(after, before, HOUR_MS, Timeframe.H1, TERMS)
    assert crossed.net_return > 0.9 * (after.close[-1] / after.open[0] - 1.0)
    down = rising(1000, -0.0005)
    fled = sma_cross(down[200:], down[:200], HOUR_MS, Timeframe.H1, TERMS)
    assert fled.net_return == 0.0


def test_an_average_moves_at_the_closes_of_its_own_timeframe_only() -> None:
    hours = np.arange(300 * 24)
    close = np.round(100.0 * np.exp(0.3 * np.sin(hours / 24.0 * 2.0 * np.pi / 60.0)), 4)
    open_ = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(open_, close), np.minimum(open_, close)
    bars = Bars.make(hours * HOUR_MS, open_, high, low, close, np.full(len(hours), 1e6))
    before, after = bars[: 100 * 24], bars[100 * 24 :]
    daily = sma_cross(after, before, HOUR_MS, Timeframe.D1, TERMS)
    assert len(daily.exit_ms) >= 3
    assert (daily.exit_ms % DAY_MS <= 2 * HOUR_MS).all()  # decided at midnight, filled after it
    hourly = sma_cross(after, before, HOUR_MS, Timeframe.H1, TERMS)
    assert (hourly.exit_ms % DAY_MS > 2 * HOUR_MS).any()


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60))
def test_a_tie_of_the_averages_is_no_cross(ticks: list[int]) -> None:
    """Compared in whole ticks, as sums of fractions never are."""
    level = sma_level(np.array(ticks) / 100.0, 2, fast_bars=2, slow_bars=6)
    assert np.isnan(level[:5]).all()
    for t in range(5, len(ticks)):
        fast, slow = sum(ticks[t - 1 : t + 1]) * 3, sum(ticks[t - 5 : t + 1])
        assert level[t] == (fast > slow)


@pytest.mark.parametrize("collar_bps", [0.0, 20.0, 100.0])
@pytest.mark.parametrize("fee_bps", [0.0, 10.0, 300.0])
def test_the_worst_fill_of_a_whole_position_takes_all_the_cash_and_no_more(
    collar_bps: float, fee_bps: float
) -> None:
    rules = free_rules(Rules(fee_bps=fee_bps), collar_bps, n_instruments=4)
    assert rules.exposure_max == affordable_share(rules) <= 1.0
    cost = rules.exposure_max * (1.0 + collar_bps / 1e4) * (1.0 + fee_bps / 1e4)
    assert cost == pytest.approx(1.0)
    assert 4 * rules.position_max == pytest.approx(rules.exposure_max)


def test_a_baseline_pays_the_costs_and_has_no_stop(rising: Rising) -> None:
    fallen = rising(500, -0.003)
    dear = AccountTerms(SPEC, Rules(fee_bps=50.0), 10_000.0).without_protections()
    free = AccountTerms(SPEC, Rules(fee_bps=0.0), 10_000.0).without_protections()
    paid, spared = (buy_and_hold(fallen, HOUR_MS, terms) for terms in (dear, free))
    assert paid.net_return < spared.net_return < -0.7
    assert len(paid.net_bps) == len(spared.net_bps) == 0
