"""The line through twenty bars: exact where nothing moves, and with large prices."""

from __future__ import annotations

import numpy as np
import pytest

from ares.domain.timeframe import Timeframe
from ares.kernel.bars import F64, Bars
from ares.kernel.features import FEATURE_NAMES, features_of

NAMES = ("trend_slope_20", "trend_fit_20", "bollinger_20", "price_volume_20", "cci_20")
N = 60


def columns(close: F64, volume: F64 | None = None) -> dict[str, F64]:
    """Return the features of a line by name, in the bars that have twenty behind them."""
    traded = np.full(len(close), 5.0) if volume is None else volume
    bars = Bars.make(60_000 * np.arange(len(close)), close, close, close, close, traded)
    values = features_of(bars, Timeframe.M1, None).values[19:]
    return {name: values[:, FEATURE_NAMES.index(name)].astype(np.float64) for name in NAMES}


def test_where_nothing_moves_all_are_exactly_zero() -> None:
    for price in (0.1, 61_234.56, 1e12):
        found = columns(np.full(N, price))
        for name in NAMES:
            assert (found[name] == 0.0).all(), name


@pytest.mark.parametrize("base", [100.0, 1e9, 1e14])
def test_no_digits_are_lost_where_prices_are_large(base: float) -> None:
    """Sums of squares of such prices have no digits left for the moves."""
    moves = np.round(16 * np.random.default_rng(2).standard_normal(N))
    close = base + moves
    found = columns(close)
    time = np.arange(20) - 9.5
    for t in range(N - 19):
        own = moves[t : t + 20]
        own = own - own.mean()
        slope = (own * time).sum() / (time * time).sum()
        assert found["trend_slope_20"][t] == pytest.approx(slope / close[t + 19], rel=1e-6)
        fit = (own * time).sum() / np.sqrt((own * own).sum() * (time * time).sum())
        assert found["trend_fit_20"][t] == pytest.approx(fit, rel=1e-5, abs=1e-7)
        band = own[-1] / (2.0 * np.sqrt((own * own).mean()))
        assert found["bollinger_20"][t] == pytest.approx(band, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("step", [0.5, -0.5])
def test_a_straight_line_is_fitted_whole(step: float) -> None:
    close: F64 = (100.0 + step * np.arange(N)).astype(np.float64)
    found = columns(close, volume=close)
    np.testing.assert_allclose(found["trend_fit_20"], np.sign(step), rtol=1e-6)
    np.testing.assert_allclose(found["trend_slope_20"], step / close[19:], rtol=1e-6)
    np.testing.assert_allclose(found["price_volume_20"], 1.0, rtol=1e-6)
    # The typical price is the close: 9.5 steps from the mean, which is 5 steps on average.
    np.testing.assert_allclose(found["cci_20"], np.sign(step) * 9.5 / 5 / 1.5, rtol=1e-6)
