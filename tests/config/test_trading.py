"""Settings of trading: rules that contradict each other are refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from ares.config.trading import (
    AccountSettings,
    CostsSettings,
    LiveTradingSettings,
    RiskSettings,
    StrategySettings,
)


def test_the_exit_edge_lies_below_the_entry_edge() -> None:
    with pytest.raises(ValidationError, match="edge_bps"):
        StrategySettings(edge_bps_min=1.0, edge_bps_exit=2.0)


def test_the_smallest_order_is_not_above_the_largest() -> None:
    with pytest.raises(ValidationError, match="order_quote"):
        RiskSettings(order_quote_min=100.0, order_quote_max=50.0)


def test_real_money_takes_two_keys_and_neither_is_set_at_first() -> None:
    assert (LiveTradingSettings().mode, LiveTradingSettings().enabled) == ("paper", False)


@pytest.mark.parametrize("capital", [0.0, -1.0, 1e12, float("inf")])
def test_a_capital_that_is_none_is_refused(capital: float) -> None:
    with pytest.raises(ValidationError):
        AccountSettings(capital_quote=capital)


@pytest.mark.parametrize("name", ["fee_bps", "spread_bps", "slippage_bps"])
def test_costs_are_never_negative(name: str) -> None:
    with pytest.raises(ValidationError):
        CostsSettings(**{name: -0.1})
