"""Fixed thresholds, against numbers that a person can work out."""

from __future__ import annotations

import numpy as np
import pytest

from ares.domain.timeframe import DAY_MS, HOUR_MS
from ares.learn.thresholds import LiveTrade, Thresholds, exceeded

NOW = 400 * DAY_MS


def codes(trades: list[LiveTrade], limits: Thresholds | None = None) -> dict[str, float]:
    return {one.code: one.value for one in exceeded(trades, NOW, limits or Thresholds())}


def one_a_day(net_bps: list[float]) -> list[LiveTrade]:
    return [(NOW - (len(net_bps) - 1 - k) * DAY_MS, net) for k, net in enumerate(net_bps)]


def test_good_trades_pass_nothing() -> None:
    assert codes(one_a_day([30.0, 20.0, -10.0] * 8)) == {}


def test_each_threshold_has_its_own_number() -> None:
    net = [10.0, -11.0] * 12
    found = codes(one_a_day(net))
    assert found["accuracy_low"] == 0.5
    daily = np.array(net) / 1e4
    assert found["sharpe_low"] == pytest.approx(daily.mean() / daily.std(ddof=1) * 365**0.5)
    assert "drawdown_low" not in found
    deep = one_a_day([200.0] * 14 + [-300.0] * 4 + [100.0] * 2)
    assert codes(deep) == {"drawdown_low": pytest.approx(-0.12)}


def test_few_or_old_trades_or_no_limits_give_no_alert() -> None:
    assert codes(one_a_day([-50.0] * 19)) == {}
    assert codes([(at - 31 * DAY_MS, net) for at, net in one_a_day([-50.0] * 25)]) == {}
    assert codes(one_a_day([-50.0, -60.0] * 12), Thresholds(None, None, None)) == {}


def test_a_sharpe_ratio_needs_a_week() -> None:
    hours = [(NOW - k * HOUR_MS, -50.0 - k) for k in range(30, -1, -1)]
    assert set(codes(hours)) == {"accuracy_low", "drawdown_low"}
