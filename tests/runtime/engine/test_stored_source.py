"""Stored candles as a source: at the clock's time, with interruptions, and its history."""

from __future__ import annotations

import asyncio

import numpy as np
from tests.runtime.engine.stored_source import StoredSource
from tests.runtime.engine.virtual_time import VirtualTime

from ares.domain.market_data import BarSeen, Connected, Disconnected, MarketData
from ares.domain.timeframe import MINUTE_MS
from ares.kernel.bars import Bars
from ares.runtime.engine.clocks import RunningClock

START = 1_704_153_600_000


def candles(n: int, gap: int | None = None) -> Bars:
    """Return minutes of which one is flat: a gap that was filled."""
    ones, flat = np.ones(n), np.arange(n) == (-1 if gap is None else gap)
    ts_ms = START + MINUTE_MS * np.arange(n, dtype=np.int64)
    return Bars.make(ts_ms, ones, ones, ones, ones, ones, flat)


def delivered(*drops: tuple[int, int], gap: int | None = None) -> list[MarketData]:
    values: list[MarketData] = []
    time = VirtualTime(START)
    time.run(StoredSource([candles(5, gap)], time.clock, START, values.append, drops).run())
    return values


def minutes(values: list[MarketData]) -> list[int]:
    return [(v.open_ms - START) // MINUTE_MS for v in values if isinstance(v, BarSeen)]


def test_each_minute_is_delivered_with_a_proof_that_it_has_passed() -> None:
    values = delivered()
    assert minutes(values) == [0, 1, 2, 3, 4]
    alive = [v.ts_ms for v in values if isinstance(v, Connected)]
    assert alive == [START + 1] + [START + k * MINUTE_MS + 1 for k in range(1, 6)]


def test_an_interruption_delivers_nothing() -> None:
    values = delivered((START + 2 * MINUTE_MS, START + 4 * MINUTE_MS))
    assert minutes(values) == [0, 3, 4]
    assert [type(v) for v in values].count(Disconnected) == 1


def test_a_minute_without_a_trade_has_no_bar() -> None:
    assert minutes(delivered(gap=2)) == [0, 1, 3, 4]


def test_its_history_ends_now() -> None:
    clock = RunningClock(START + 3 * MINUTE_MS)
    source = StoredSource([candles(5, 1)], clock, START, lambda _: None)
    answer = asyncio.run(source.history(0, START, START + 5 * MINUTE_MS))
    assert minutes(list(answer.bars)) == [0, 2]
    assert (answer.from_ms, answer.until_ms) == (START, START + 3 * MINUTE_MS)
