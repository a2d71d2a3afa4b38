"""A baseline has the limits that it is asked to keep, and is named by them."""

from __future__ import annotations

import pytest

from ares.domain.errors import UserError
from ares.kernel.trade import Rules
from ares.research.backtest import UNBOUNDED
from ares.research.baseline_limits import BaselineLimits

FREE = Rules(position_max=1.0)


def test_without_limits_nothing_stops_it_and_a_stop_changes_no_size() -> None:
    for limits in (BaselineLimits(), BaselineLimits(stop_bps=500.0)):
        rules = limits.applied(FREE, gate_mode=False)
        assert (rules.risk_per_trade, rules.position_max) == (UNBOUNDED, 1.0)
        assert (rules.daily_loss_max, rules.drawdown_max) == (0.0, 0.0)
        assert rules.stop_enabled == bool(limits.stop_bps)
    sized = BaselineLimits(stop_bps=500.0, by_risk=True).applied(FREE, gate_mode=True)
    assert (sized.risk_per_trade, sized.gate_mode) == (FREE.risk_per_trade, True)


def test_sizes_by_risk_need_a_stop() -> None:
    with pytest.raises(UserError, match="needs a --stop"):
        BaselineLimits(by_risk=True).applied(FREE, gate_mode=False)


def test_its_name_has_the_limits() -> None:
    assert str(BaselineLimits()) == ""
    limits = BaselineLimits(200.0, True, 0.5, 0.05, 0.1, True)
    assert str(limits) == ", stop 2%, daily loss 5%, drawdown 10%"
