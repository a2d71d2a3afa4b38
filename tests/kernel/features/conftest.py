"""Candles to compute features of: real ones, and walks with everything that markets do wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars
import pytest

from ares.kernel.bars import Bars

MINUTE = 60_000
MIDNIGHT = 1_700_006_400_000
Walk = Callable[..., Bars]


def _walk(seed: int = 0, n: int = 900, from_ms: int = MIDNIGHT, interval_ms: int = MINUTE) -> Bars:
    """Return a random walk with cent ticks, ties, idle stretches and volume bursts."""
    rng = np.random.default_rng(seed)
    close = np.round(500.0 * np.exp(np.cumsum(rng.normal(0, 1e-3, n) * rng.random(n))), 2)
    open_ = np.concatenate([close[:1], close[:-1]])
    high = np.maximum(open_, close) + np.round(rng.random(n), 2)
    low = np.minimum(open_, close) - np.round(rng.random(n), 2)
    volume = np.round(rng.lognormal(1, 1, n), 3) * (rng.random(n) > 0.05)
    ts = from_ms + interval_ms * np.arange(n)
    return Bars.make(ts, open_, high, low, close, volume, volume == 0)


def _trouble(seed: int = 0, n: int = 1200) -> Bars:
    """Return a walk with a dead stretch, no volume, jumps up and down, dust and huge prices."""
    bars = _walk(seed, n)
    scale = np.ones(n)
    scale[n // 4 :] *= 1e3
    scale[n // 3 :] *= 1e-9
    scale[n // 2 : n // 2 + 1] *= 1e6
    scale[3 * n // 4 :] *= 1e8
    o, h, l, c = (x * scale for x in (bars.open, bars.high, bars.low, bars.close))  # noqa: E741
    dead = slice(n // 2 + 20, n // 2 + 300)
    for price in (o, h, l, c):
        price[dead] = c[dead.start - 1]
    volume = bars.volume.copy()
    volume[dead] = 0.0
    volume[n // 8 : n // 8 + 120] = 0.0
    volume[n - 50 :] *= 1e12
    return Bars.make(bars.ts_ms, o, h, l, c, volume, volume == 0)


def read_candles(path: Path) -> Bars:
    """Return the candles of a Parquet file."""
    table = polars.read_parquet(path)
    names = ("ts", "open", "high", "low", "close", "volume")
    return Bars.make(*(table[name].to_numpy() for name in names))


@pytest.fixture(scope="session")
def walk() -> Walk:
    return _walk


@pytest.fixture(scope="session")
def trouble() -> Walk:
    return _trouble


@pytest.fixture(scope="session")
def real_hours(ares_data: Path) -> Bars:
    """Return 4,000 hours of BTC/USDT, as they are."""
    return read_candles(ares_data / "binance" / "BTCUSDT_1h.parquet")[40_000:44_000]


@pytest.fixture(scope="session")
def real_hours_of_another(ares_data: Path) -> Bars:
    """Return ETH/USDT over the same and later hours."""
    return read_candles(ares_data / "binance" / "ETHUSDT_1h.parquet")[40_000:46_000]
