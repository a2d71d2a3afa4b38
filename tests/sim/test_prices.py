"""The simulated world: the same by seed, plausible, and predictable by exactly what was planted."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ares.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from ares.kernel.bars import Bars
from ares.kernel.features import FEATURE_NAMES, features_of
from ares.kernel.resample import resample
from ares.sim.prices import FROM_MS, SYMBOLS, SyntheticMarket, params_of, simulate

HORIZON_BARS = 480


@pytest.fixture(scope="module")
def world() -> SyntheticMarket:
    return simulate(days=60)


@pytest.fixture(scope="module")
def noise() -> SyntheticMarket:
    return simulate(days=60, edge=0.0)


def later(bars: Bars, horizon_bars: int) -> NDArray[np.float64]:
    level = np.log(bars.close)
    return np.asarray(level[horizon_bars:] - level[:-horizon_bars])


def seen(bars: Bars) -> float:
    """Return the correlation of a shipped feature on 1h bars with the next eight hours."""
    hours = resample(bars, MINUTE_MS, Timeframe.H1.ms)
    table = features_of(hours, Timeframe.H1, None)
    feature = table.values[:-8, FEATURE_NAMES.index("volume_ratio_5_50")]
    warm = table.warm[:-8]
    return float(np.corrcoef(feature[warm], later(hours, 8)[warm])[0, 1])


def test_the_same_seed_is_the_same_world_to_the_bit() -> None:
    each, again, other = simulate(days=2), simulate(days=2), simulate(days=2, seed=8)
    for symbol in SYMBOLS:
        assert each.bars[symbol].hash == again.bars[symbol].hash
        assert each.bars[symbol].hash != other.bars[symbol].hash


def test_a_longer_world_or_one_with_more_in_it_begins_alike() -> None:
    small = simulate(["ETH/USDT"], days=2).bars["ETH/USDT"]
    large = simulate(["BTC/USDT", "ETH/USDT"], days=3).bars["ETH/USDT"]
    assert large[: len(small)].hash == small.hash


def test_bars_are_candles_on_the_grid(world: SyntheticMarket) -> None:
    for symbol, bars in world.bars.items():
        assert len(bars) == 60 * DAY_MS // MINUTE_MS
        assert bars.ts_ms[0] == FROM_MS
        assert (np.diff(bars.ts_ms) == MINUTE_MS).all()
        assert (bars.low > 0).all()
        assert (bars.low <= np.minimum(bars.open, bars.close)).all()
        assert (bars.high >= np.maximum(bars.open, bars.close)).all()
        assert (bars.open[1:] == bars.close[:-1]).all()
        assert (bars.volume > 0).all()
        for price in (bars.open, bars.high, bars.low, bars.close):
            assert (np.round(price, world.specs[symbol].price_decimals) == price).all()


def test_it_behaves_as_markets_do(world: SyntheticMarket) -> None:
    moves = np.array([later(bars, 1) for bars in world.bars.values()])
    together = np.corrcoef(moves)
    assert (together > 0.5).all()
    assert (together[~np.eye(4, dtype=bool)] < 0.95).all()
    for r, bars in zip(moves, world.bars.values(), strict=True):
        size = np.abs(r)
        assert 2e-4 < r.std() < 1.5e-3
        assert ((r - r.mean()) ** 4).mean() / r.var() ** 2 > 6  # fat tails
        assert np.corrcoef(size[1:], size[:-1])[0, 1] > 0.15  # clustered volatility
        assert abs(np.corrcoef(r[1:], r[:-1])[0, 1]) < 0.05
        assert np.corrcoef(size, bars.volume[1:])[0, 1] > 0.2
    assert set(np.unique(world.hidden.regime)) == {0, 1, 2}


def test_the_hidden_state_predicts_as_documented(world: SyntheticMarket) -> None:
    for symbol, bars in world.bars.items():
        expected = world.hidden.expected_return(symbol, HORIZON_BARS)[:-HORIZON_BARS]
        got = later(bars, HORIZON_BARS)
        slope = np.polyfit(expected, got, 1)[0]
        assert 0.5 < slope < 1.6
        assert 25e-4 < expected.std() < 60e-4  # 25 to 60 bps in eight hours


def test_shipped_features_see_the_planted_part_and_nothing_in_noise(
    world: SyntheticMarket, noise: SyntheticMarket
) -> None:
    planted = [seen(world.bars[symbol]) for symbol in SYMBOLS]
    luck = [seen(noise.bars[symbol]) for symbol in SYMBOLS]
    assert min(planted) > 0.05
    assert np.mean(planted) > 0.12
    assert abs(np.mean(luck)) < 0.1
    assert not noise.hidden.expected_return("BTC/USDT", HORIZON_BARS).any()


def test_noise_has_no_drift() -> None:
    ends = [
        float(np.log(bars.close[-1] / bars.close[0]) / later(bars, 1).std() / np.sqrt(len(bars)))
        for seed in range(40)
        for bars in simulate(["BTC/USDT"], days=2, seed=seed, edge=0.0).bars.values()
    ]
    assert abs(np.mean(ends)) < 4 / np.sqrt(len(ends))


def test_an_unknown_symbol_has_a_character_of_its_own() -> None:
    assert params_of("DOGE/USDT") == params_of("DOGE/USDT")
    assert params_of("DOGE/USDT") != params_of("XRP/USDT")
    bars = simulate(["DOGE/USDT"], days=1).bars["DOGE/USDT"]
    assert len(np.unique(bars.close)) > 100


def test_days_must_be_at_least_one() -> None:
    with pytest.raises(ValueError, match="days must be at least 1"):
        simulate(days=0)
