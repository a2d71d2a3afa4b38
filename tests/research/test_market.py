"""The market on which orders fill at the close is a market."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ares.domain.timeframe import MINUTE_MS
from ares.research.market import Candles, filled_at_close, market_of

Maker = Callable[..., Candles]


@given(seed=st.integers(0, 1000), gaps=st.sampled_from([0.0, 0.3]))
@settings(max_examples=20, deadline=None)
def test_bars_filled_at_the_close_are_bars(walk: Maker, seed: int, gaps: float) -> None:
    candles = [walk("A/USDT", 50, seed, gaps=gaps), walk("B/USDT", 30, seed, gaps=gaps)]
    market = market_of(candles)
    shifted = filled_at_close(market, [MINUTE_MS, MINUTE_MS])
    assert len(shifted.close_ms) == len(market.close_ms) + 1
    np.testing.assert_array_equal(shifted.closes[:-1], market.closes)
    shown = shifted.closes > 0
    for i in range(2):
        rows = np.flatnonzero(shown[:, i])
        opens, closes = shifted.opens[rows, i], shifted.closes[rows, i]
        np.testing.assert_array_equal(opens[1:], closes[:-1])
        assert (shifted.lows[rows, i] <= np.minimum(opens, closes)).all()
        assert (shifted.highs[rows, i] >= np.maximum(opens, closes)).all()
