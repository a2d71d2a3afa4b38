"""Levels of a rule; its agreement with a baseline is in tests/runtime/test_strategies.py."""

from __future__ import annotations

import numpy as np

from ares.adapters.strategy_file import load_strategy
from ares.domain.strategy import StrategySource
from ares.domain.timeframe import HOUR_MS, Timeframe
from ares.kernel.bars import Bars
from ares.research.market import Candles
from ares.research.user_strategy import strategy_rule
from ares.sim.hours import hours

SOURCE = b"""
from ares.kernel.features.strategy import strategy
@strategy(warmup_bars=2)
def rise(bars, features):
    return bars.close[1] - bars.close[0]
"""


def test_it_is_long_from_a_close_with_a_positive_score_and_keeps_between_its_bars() -> None:
    market = hours(3, 1.0, 1_200)

    def history_of(_key: str, timeframe: Timeframe, from_ms: int, to_ms: int) -> Bars:
        assert timeframe is Timeframe.H1
        return market.bars.between(from_ms, to_ms - HOUR_MS + 1)

    candles = Candles(market.spec, Timeframe.H1, market.bars[600:])
    columns = load_strategy(StrategySource("rules.py", SOURCE, "rise")).columns
    made = strategy_rule([candles], columns, "rise", history_of, None)
    edge = made.signals.edge_bps[:, 0]
    rises = np.diff(market.bars.close)[599:] > 0.0
    assert np.array_equal(edge > 0.0, rises)
    assert made.kind == "baseline"
