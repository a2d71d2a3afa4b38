"""The market that a world's server plays, and the engine's feed of the same bars."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import TYPE_CHECKING

import numpy as np
from tests.sim.world_market import Market
from tests.sim.world_setup import START_MS, N

from ares.domain.timeframe import MINUTE_MS
from ares.kernel.bars import Bars
from ares.sim.serve.market import SimMarket

if TYPE_CHECKING:
    from tests.sim.world import World

SYMBOLS = tuple(f"T{i}/USDT" for i in range(N))
STEP_TICKS = 30
"""A minute moves a price of 10,000 ticks by about so many."""

PRICE_TICKS = 10_000
SEEDS = 16


@cache
def served_bars(seed: int, n: int) -> dict[str, Bars]:
    """Return ``n`` minutes of each instrument, for a server to play."""
    bars = {}
    for i, symbol in enumerate(SYMBOLS):
        rng = np.random.default_rng(100 * seed + i)
        close = np.maximum(1_000, PRICE_TICKS + np.cumsum(rng.integers(-STEP_TICKS, STEP_TICKS, n)))
        opened = np.concatenate([[PRICE_TICKS], close[:-1]])
        wick = rng.integers(0, STEP_TICKS // 2, (2, n))
        high, low = np.maximum(opened, close) + wick[0], np.minimum(opened, close) - wick[1]
        volume = rng.integers(200_000, 600_000, n) / 1_000
        ts_ms = START_MS + MINUTE_MS * np.arange(n, dtype=np.int64)
        prices = [column / 100.0 for column in (opened, high, low, close)]
        bars[symbol] = Bars.make(ts_ms, prices[0], prices[1], prices[2], prices[3], volume)
    return bars


def served_market(seed: int, n: int) -> SimMarket:
    """Return the market of a seed."""
    return SimMarket(served_bars(seed % SEEDS, n))


class ServedMarket(Market):
    """The feed of a market that a server plays."""

    def __init__(self, world: World, draw: Random, bars: dict[str, Bars]) -> None:
        super().__init__(world, draw)
        self._bars = [bars[symbol] for symbol in SYMBOLS]

    def traded(self, i: int) -> list[float]:
        bars = self._bars[i]
        k = min((self._schedule.now_ms - START_MS) // MINUTE_MS, len(bars.ts_ms)) - 1
        columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
        return [float(column[k]) for column in columns]

    def trade_a_minute(self) -> None:
        return  # the server lets it trade
