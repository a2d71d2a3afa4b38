"""The hourly worlds: drawn by seed to the bit, a martingale without an edge, pulled back with."""

from __future__ import annotations

import numpy as np

from ares.domain.timeframe import HOUR_MS, Timeframe
from ares.kernel.features import FEATURE_NAMES, features_of
from ares.sim.hours import PULL_SIGMAS, SIGMA, HourlyMarket, hours


def test_the_same_seed_is_the_same_world_and_a_longer_one_begins_alike() -> None:
    each, two, longer = hours(1, 1.0, 2_000), hours(1, 1.0, 2_000), hours(1, 1.0, 3_000)
    for name in ("open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(each.bars, name), getattr(two.bars, name))
        assert np.array_equal(getattr(each.bars, name)[:-1], getattr(longer.bars, name)[:1_999])
    assert not np.array_equal(each.bars.close, hours(2, 1.0, 2_000).bars.close)


def test_bars_are_candles() -> None:
    bars = hours(3, 1.0, 5_000).bars
    assert np.all(np.diff(bars.ts_ms) == HOUR_MS)
    assert np.all(bars.low <= np.minimum(bars.open, bars.close))
    assert np.all(bars.high >= np.maximum(bars.open, bars.close))
    assert np.all(bars.open[1:] == bars.close[:-1])


def moved(world: HourlyMarket) -> np.ndarray:
    return np.diff(np.log(world.bars.close))


def test_without_an_edge_nothing_is_expected_and_the_noise_is_a_markets() -> None:
    worlds = [hours(seed, 0.0, 20_000) for seed in range(4)]
    assert all(not world.drift.any() for world in worlds)
    r = np.concatenate([moved(world) for world in worlds])
    z = (r - r.mean()) / r.std()
    assert np.mean(z**4) > 5.0  # fat tails
    assert np.corrcoef(np.abs(z[1:]), np.abs(z[:-1]))[0, 1] > 0.1  # clustered
    assert abs(np.corrcoef(z[1:], z[:-1])[0, 1]) < 0.02
    assert 0.5 * SIGMA < r.std() < 2.0 * SIGMA


def test_the_planted_edge_is_as_documented() -> None:
    world = hours(5, 1.0, 30_000)
    far = world.away[:-1] < -1.5
    gained = moved(world)[far].mean()
    assert abs(gained - world.drift[:-1][far].mean()) < 4.0 * SIGMA / np.sqrt(far.sum())
    at = np.argmin(np.abs(world.away + 1.5))
    assert abs(world.drift[at]) < 3.0 * PULL_SIGMAS * SIGMA
    # on either side alike: holding earns nothing
    assert abs(world.drift.mean()) < 0.06 * np.abs(world.drift).mean()


def test_a_shipped_feature_shows_it() -> None:
    world = hours(6, 1.0, 4_000)
    table = features_of(world.bars, Timeframe.H1, world.bars)
    shown = table.values[:, FEATURE_NAMES.index("bollinger_20")]
    seen = np.isfinite(shown) & (np.arange(len(shown)) > 300)
    assert np.corrcoef(shown[seen], world.away[seen])[0, 1] > 0.99
