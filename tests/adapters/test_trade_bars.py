"""Bars from trades: exact, whatever the order; the first minute counts only when it is whole."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from ares.adapters.trade_bars import TradeBars
from ares.domain.market_data import BarSeen
from ares.domain.timeframe import MINUTE_MS

TRADES = [
    ("1", 60_000, 10.0, 0.1),
    ("2", 61_000, 12.0, 0.2),
    ("3", 90_000, 9.0, 0.3),
    ("4", 119_999, 11.0, 0.1),
]


def last_of(bars: list[BarSeen], open_ms: int) -> BarSeen:
    return [bar for bar in bars if bar.open_ms == open_ms][-1]


@given(st.permutations(TRADES))
def test_the_order_of_trades_changes_nothing(trades: list[tuple[str, int, float, float]]) -> None:
    builder = TradeBars(3, 0)
    bars = [bar for trade in trades for bar in builder.add(*trade)]
    assert last_of(bars, 60_000) == BarSeen(3, 60_000, 10.0, 12.0, 9.0, 11.0, 0.7, False)
    bars = builder.add("5", 120_000, 11.5, 1.0)
    assert bars == [
        BarSeen(3, 60_000, 10.0, 12.0, 9.0, 11.0, 0.7, True),
        BarSeen(3, 120_000, 11.5, 11.5, 11.5, 11.5, 1.0, False),
    ]


def test_a_trade_counts_once_and_a_late_one_corrects() -> None:
    builder = TradeBars(0, 0)
    for trade in TRADES[:3]:
        builder.add(*trade)
    assert builder.add(*TRADES[1]) == []
    builder.add("5", 120_000, 11.5, 1.0)
    (late,) = builder.add(*TRADES[3])
    assert (late.open_ms, late.close, late.volume, late.is_closed) == (60_000, 11.0, 0.7, True)


def test_a_minute_that_began_before_the_trades_gives_no_bar() -> None:
    builder = TradeBars(0, 60_001)
    assert builder.add("1", 70_000, 1.0, 1.0) == []
    assert [bar.open_ms for bar in builder.add("2", 125_000, 1.0, 1.0)] == [120_000]
    assert TradeBars(0, 60_000).add("1", 70_000, 1.0, 1.0)


def test_nothing_grows_without_bound() -> None:
    builder = TradeBars(0, 0)
    for k in range(40_000):
        builder.add(str(k), k * 1_000, 1.0 + random.Random(k).random(), 0.1)
    assert len(builder._minutes) <= 12
    assert len(builder._seen) <= 20_000
    assert builder.add("x", 39_999_000 // MINUTE_MS * MINUTE_MS, 1.0, 0.1)
