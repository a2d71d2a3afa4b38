"""The reverting market: the same by seed, and its edge pays whoever trades against the trend."""

from __future__ import annotations

import numpy as np
import pytest

from ares.domain.timeframe import DAY_MS, MINUTE_MS
from ares.kernel.bars import F64
from ares.kernel.resample import resample
from ares.learn.gate.baselines import sma_level
from ares.sim.reversion import RevertingMarket, reverting

SYMBOL = "BTC/USDT"
DAYS = 60


@pytest.fixture(scope="module")
def market() -> RevertingMarket:
    return reverting((SYMBOL, "ETH/USDT"), days=DAYS)


def test_the_same_seed_is_the_same_market_and_a_longer_one_begins_alike() -> None:
    short, again = reverting((SYMBOL,), days=2), reverting((SYMBOL,), days=2)
    assert short.bars[SYMBOL].hash == again.bars[SYMBOL].hash
    assert reverting((SYMBOL,), days=2, seed=8).bars[SYMBOL].hash != short.bars[SYMBOL].hash
    longer = reverting(("ETH/USDT", SYMBOL), days=3).bars[SYMBOL]
    assert longer[: len(short.bars[SYMBOL])].hash == short.bars[SYMBOL].hash
    with pytest.raises(ValueError, match="days must be at least 1"):
        reverting((SYMBOL,), days=0)


def test_bars_are_candles_on_the_grid(market: RevertingMarket) -> None:
    for symbol, bars in market.bars.items():
        assert len(bars) == DAYS * DAY_MS // MINUTE_MS
        assert (np.diff(bars.ts_ms) == MINUTE_MS).all()
        assert (bars.low <= np.minimum(bars.open, bars.close)).all()
        assert (bars.high >= np.maximum(bars.open, bars.close)).all()
        assert (bars.open[1:] == bars.close[:-1]).all()
        assert (bars.low > 0).all()
        assert (bars.volume > 0).all()
        for price in (bars.open, bars.high, bars.low, bars.close):
            assert (np.round(price, market.specs[symbol].price_decimals) == price).all()
    moves = [np.diff(np.log(bars.close)) for bars in market.bars.values()]
    assert 0.5 < np.corrcoef(moves)[0, 1] < 0.95  # they share the market's factor
    assert ((moves[0] - moves[0].mean()) ** 4).mean() / moves[0].var() ** 2 > 5  # fat tails


def later(close: F64, horizon_bars: int) -> F64:
    return np.asarray(np.log(close[horizon_bars:] / close[:-horizon_bars]))


def test_what_is_far_from_its_mean_comes_back_by_as_much_as_planted(
    market: RevertingMarket,
) -> None:
    drift, away = market.drift[SYMBOL], market.away[SYMBOL]
    assert 0.8 < away.std() < 1.3
    assert (np.sign(drift[:-1]) == -np.sign(away[:-1])).all()
    next_move = later(market.bars[SYMBOL].close, 1)
    assert 0.7 < np.polyfit(drift[:-1], next_move, 1)[0] < 1.3
    hours = later(market.bars[SYMBOL].close, 360)
    far = np.abs(away[:-360]) > 1.5
    assert np.corrcoef(-away[:-360][far], hours[far])[0, 1] > 0.2


def test_at_edge_0_it_is_noise() -> None:
    noise = reverting((SYMBOL,), days=DAYS, edge=0.0)
    assert not noise.drift[SYMBOL].any()


def test_neither_holding_nor_following_the_trend_earns_the_edge() -> None:
    hours = resample(
        reverting((SYMBOL,), days=200, edge=3.4).bars[SYMBOL], MINUTE_MS, 60 * MINUTE_MS
    )
    moves = later(hours.close, 1)
    assert abs(float(np.log(hours.close[-1] / hours.close[0]))) < 0.2
    follows = np.nan_to_num(sma_level(hours.close, 2, 20, 100))[:-1]
    against = 1.0 - follows
    assert float((follows * moves).sum()) < 0.0 < float((against * moves).sum())
