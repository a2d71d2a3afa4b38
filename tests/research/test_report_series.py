"""The series of the charts: thinned, with the extremes of what they stand for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ares.domain.timeframe import Timeframe
from ares.research import BacktestResult, Candles
from ares.research.report_series import (
    CANDLES_MAX,
    POINTS_MAX,
    account_series,
    candle_series,
    step_for,
)

Maker = Callable[..., Candles]


def test_series_are_thinned_but_true(baseline: BacktestResult) -> None:
    account = account_series(baseline)
    assert len(account["time"]) <= POINTS_MAX
    assert np.all(np.diff(account["time"]) > 0)
    assert account["equity"][-1] == pytest.approx(baseline.metrics.equity_end, abs=0.01)
    assert min(account["drawdown"]) == pytest.approx(-100 * baseline.metrics.max_drawdown, abs=1e-3)
    for candles, drawn in zip(baseline.candles, candle_series(baseline), strict=True):
        assert len(drawn["time"]) <= CANDLES_MAX
        assert np.all(np.diff(drawn["time"]) > 0)
        assert max(drawn["high"]) == candles.bars.high.max()
        assert min(drawn["low"]) == candles.bars.low.min()
        assert drawn["close"][-1] == candles.bars.close[-1]
        times = set(drawn["time"])
        assert drawn["trades"]
        assert all(entry in times and exit_ in times for entry, exit_, *_ in drawn["trades"])


@pytest.mark.parametrize("n", [1, 2, 2999, 3000, 3001, 50_000])
def test_charted_bars_have_common_lengths(walk: Maker, n: int) -> None:
    candles = walk(n=n)
    step_ms = step_for(candles)
    assert len(np.unique(candles.bars.ts_ms // step_ms)) <= CANDLES_MAX
    assert step_ms % candles.timeframe.ms == 0
    daily = walk(n=min(n, 4000), timeframe=Timeframe.D1)
    assert step_for(daily) >= Timeframe.D1.ms
