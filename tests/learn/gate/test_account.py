"""An account made of signals: what it earns, what it costs, and what it is measured by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.timeframe import DAY_MS, HOUR_MS
from ares.kernel.bars import Bars
from ares.kernel.trade import Rules, Signals
from ares.learn.gate.account import AccountTerms, EvidenceAccount, annual_sharpe, step_ends, trade

Rising = Callable[..., Bars]
SPEC = InstrumentSpec(Instrument("binance", "BTC/USDT"), 4, 4)
FREE = Rules(fee_bps=0.0, spread_bps=0.0, slippage_bps=0.0)


def always(n: int, width_bps: float = 500.0) -> Signals:
    return Signals(*(np.full((n, 1), value) for value in (0.9, 50.0, width_bps)))


def terms(rules: Rules) -> AccountTerms:
    return AccountTerms(SPEC, rules, 10_000.0).without_protections()


def test_costs_are_all_that_a_flat_price_takes(rising: Rising) -> None:
    flat = rising(200, 0.0)
    dear = trade(flat, HOUR_MS, always(200), terms(Rules()), 12 * HOUR_MS)
    cheap = trade(flat, HOUR_MS, always(200), terms(FREE), 12 * HOUR_MS)
    assert len(dear.net_bps) == len(cheap.net_bps) > 10
    assert np.allclose(dear.net_bps, -22.0, atol=1.0)
    assert np.allclose(cheap.net_bps, 0.0)
    assert dear.net_return < cheap.net_return == 0.0
    assert cheap.sharpe is None
    assert dear.drawdown == pytest.approx(-dear.net_return, rel=1e-6)


def test_nothing_that_protects_an_account_takes_part(rising: Rising) -> None:
    bars = rising(400, -0.004)  # falls all the way: breakers and limits would soon stop it
    judged = trade(bars, HOUR_MS, always(400), terms(Rules(gate_mode=True)), 6 * HOUR_MS)
    bound = replace(terms(Rules()), rules=Rules(gate_mode=False))
    stopped = trade(bars, HOUR_MS, always(400), bound, 6 * HOUR_MS)
    assert judged.net_return < 1.5 * stopped.net_return < 0.0


def test_days_and_steps_hold_the_whole_result(rising: Rising) -> None:
    bars = rising(300)
    account = trade(bars, HOUR_MS, always(300), terms(FREE))
    assert len(account.days) == len(account.daily) == 13
    assert np.prod(1.0 + account.daily) - 1.0 == pytest.approx(account.net_return)
    assert np.prod(1.0 + account.steps()) - 1.0 == pytest.approx(account.net_return)


def test_a_step_is_an_hour_whatever_the_bars() -> None:
    fine = np.arange(1, 13) * 15 * 60_000
    assert step_ends(fine).tolist() == [3, 7, 11]
    coarse = np.arange(1, 4) * 4 * HOUR_MS
    assert step_ends(coarse).tolist() == [0, 1, 2]
    gap = np.array([HOUR_MS, 5 * HOUR_MS, 5 * HOUR_MS + 60_000])
    assert step_ends(gap).tolist() == [0, 1, 2]


def test_no_bars_are_no_account() -> None:
    nothing = EvidenceAccount(
        0, np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0, np.int64)
    )
    assert (nothing.net_return, nothing.sharpe, nothing.drawdown) == (0.0, None, 0.0)
    assert len(nothing.daily) == len(nothing.steps()) == len(nothing.days) == 0


def test_the_ratio_is_of_a_year_of_days() -> None:
    daily = np.array([0.01, -0.01, 0.02, 0.0])
    assert annual_sharpe(daily) == pytest.approx(daily.mean() / daily.std(ddof=1) * 365**0.5)
    assert annual_sharpe(np.zeros(10)) is None
    assert annual_sharpe(np.array([0.1])) is None
    assert DAY_MS == 24 * HOUR_MS
