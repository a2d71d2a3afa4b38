"""Candles to compute features of, real and random, and the comparison with plain formulas."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from ares.domain.timeframe import Timeframe
from ares.kernel.bars import F64, Bars
from ares.kernel.features import FEATURES, features_of

MINUTE = 60_000
MIDNIGHT = 1_700_006_400_000
Walk = Callable[..., Bars]
Agree = Callable[..., None]

# Beyond float32's rounding: TA-Lib never forgets its first bars, ours do after 211.
ABSOLUTE = {"adx_14": 3e-5, "rsi_14": 1e-6, "di_14": 1e-6, "true_range_ratio_14": 1e-6}
SLACK = {"price_volume_20": 1e-6, "trend_fit_20": 1e-6, "bollinger_20": 1e-5, "cci_20": 1e-5}


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


def _make_bad_bars(seed: int = 0, n: int = 1200) -> Bars:
    """Return a walk with a dead stretch, no volume, jumps up and down, dust and huge prices."""
    bars = _walk(seed, n)
    scale = np.ones(n)
    scale[n // 4 :] *= 1e3
    scale[n // 3 :] *= 1e-9
    scale[n // 2 : n // 2 + 1] *= 1e6
    scale[3 * n // 4 :] *= 1e8
    o, h, l, c = (x * scale for x in (bars.open, bars.high, bars.low, bars.close))  # noqa: E741 - as in OHLC
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
def bad_bars() -> Walk:
    return _make_bad_bars


@pytest.fixture(scope="session")
def real_hours(ares_data: Path) -> Bars:
    """Return 4,000 hours of BTC/USDT, as they are."""
    return read_candles(ares_data / "binance" / "BTCUSDT_1h.parquet")[40_000:44_000]


@pytest.fixture(scope="session")
def real_hours_of_another(ares_data: Path) -> Bars:
    """Return ETH/USDT over the same and later hours."""
    return read_candles(ares_data / "binance" / "ETHUSDT_1h.parquet")[40_000:46_000]


class Plain:
    """What several formulas are made of."""

    @staticmethod
    def rolling(x: F64, n: int, name: str) -> F64:
        """Return a rolling statistic of pandas."""
        return np.asarray(getattr(pd.Series(x).rolling(n), name)(), np.float64)

    @staticmethod
    def lag(x: F64, n: int) -> F64:
        """Return the values of ``n`` bars ago."""
        out = np.full_like(x, np.nan)
        out[n:] = x[:-n]
        return out

    @staticmethod
    def correlations(x: F64, y: F64, n: int) -> F64:
        """Return rolling correlations, 0 where either stands still."""
        out = np.full_like(x, np.nan)
        a, b = sliding_window_view(x, n), sliding_window_view(y, n)
        a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
        size = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
        out[n - 1 :] = np.where(size > 0, (a * b).sum(axis=1) / np.where(size > 0, size, 1.0), 0.0)
        return out


Formulas = Callable[[Bars, F64, Plain], dict[str, F64]]


def _agree(
    formulas: Formulas, groups: tuple[str, ...], bars: Bars, reference: Bars, timeframe: Timeframe
) -> None:
    """Compare every feature of some groups with its formula."""
    table = features_of(bars, timeframe, reference)
    rows = np.searchsorted(reference.ts_ms, bars.ts_ms)
    expected = formulas(bars, reference.close[rows], Plain())
    assert set(expected) == {spec.name for spec in FEATURES if spec.group in groups}
    wrong = []
    for f, spec in enumerate(FEATURES):
        if spec.group not in groups:
            continue
        # TA-Lib's recursive averages need longer to forget their seed than ours do.
        first = max(spec.warmup_bars - 1, 600 if spec.warmup_bars == 241 else 15)
        got, want = table.values[first:, f].astype(np.float64), expected[spec.name][first:]
        atol = ABSOLUTE.get(spec.name, SLACK.get(spec.name, 3e-8))
        if not np.allclose(got, want, rtol=1e-5, atol=atol):
            worst = np.nanargmax(np.abs(got - want))
            wrong.append((spec.name, int(worst), got[worst], want[worst]))
    assert not wrong, "\n".join(map(str, wrong))


@pytest.fixture(scope="session")
def agree_on_a_walk() -> Agree:
    """Return the comparison of features with formulas on a random walk."""

    def agree(formulas: Formulas, *groups: str) -> None:
        _agree(formulas, groups, _walk(3, 2500), _walk(4, 2500), Timeframe.M1)

    return agree


@pytest.fixture(scope="session")
def agree_on_real_hours(real_hours: Bars, real_hours_of_another: Bars) -> Agree:
    """Return the comparison of features with formulas on real hours without a gap."""
    common = np.isin(real_hours.ts_ms, real_hours_of_another.ts_ms)
    pieces = np.flatnonzero(np.diff(real_hours.ts_ms[common]) != 3_600_000)
    last = int(pieces[0]) + 1 if len(pieces) else int(common.sum())
    assert last > 1500
    bars = real_hours[common][:last]

    def agree(formulas: Formulas, *groups: str) -> None:
        _agree(formulas, groups, bars, real_hours_of_another, Timeframe.H1)

    return agree
