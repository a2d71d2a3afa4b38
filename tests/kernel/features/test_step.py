"""One bar at a time: invalid input, markets that stand still, numbers that stay finite."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ares.domain.timeframe import Timeframe
from ares.kernel.bars import Bars
from ares.kernel.features import FEATURE_NAMES, features_of
from ares.learn.leakage import at_close, leak_test

Walk = Callable[..., Bars]


def test_whatever_the_market_does_numbers_are_finite(bad_bars: Walk) -> None:
    for seed in range(8):
        bars = bad_bars(seed)
        table = features_of(bars, Timeframe.M1, bad_bars(seed + 1))
        assert np.isfinite(table.values[table.warm]).all()
        assert np.abs(table.values[table.warm]).max() < 1e9


def test_a_market_without_trades_gives_no_information(walk: Walk) -> None:
    bars = walk(1, 600)
    dead = slice(200, 600)
    columns = [bars.open, bars.high, bars.low, bars.close]
    for price in columns:
        price[dead] = bars.close[199]
    bars.volume[dead] = 0.0
    bars.flat[dead] = True
    last = dict(
        zip(FEATURE_NAMES, features_of(bars, Timeframe.M1, bars).values[-1].tolist(), strict=True)
    )
    halves = {"downside_share_20", "rsi_14", "stochastic_14", "stochastic_14_3", "mfi_14"}
    halves |= {"channel_20", "channel_100"}
    ones = {"volatility_ratio_20_100", "idle_share_50"}
    clock = {"day_sin", "day_cos", "week_sin", "week_cos"}
    for name, value in last.items():
        if name not in clock:
            expected = 0.5 if name in halves else 1.0 if name in ones else 0.0
            assert value == expected, name


@pytest.mark.parametrize("price", [0.0, -1.0, np.nan, np.inf, 1e300, 1e-300])
def test_an_impossible_price_starts_afresh_and_harms_nothing(walk: Walk, price: float) -> None:
    bars = walk(2, 700)
    bars.low[350] = min(price, bars.low[350])
    bars.high[350] = max(price, bars.high[350])
    bars.close[350] = price
    table = features_of(bars, Timeframe.M1, None)
    assert table.age[349:352].tolist() == [350, 0, 1]
    assert np.isnan(table.values[350]).all()
    assert (
        table.values[351:].tobytes() == features_of(bars[351:], Timeframe.M1, None).values.tobytes()
    )


def test_an_impossible_volume_counts_as_none(walk: Walk) -> None:
    bars, clean = walk(2, 400), walk(2, 400)
    bars.volume[300:303] = [np.nan, -5.0, -np.inf]
    clean.volume[300:303] = 0.0
    table = features_of(bars, Timeframe.M1, None)
    assert table.values.tobytes() == features_of(clean, Timeframe.M1, None).values.tobytes()


@pytest.mark.parametrize("kind", ["walk", "bad_bars"])
def test_no_feature_leaks(
    walk: Callable[..., Bars], bad_bars: Callable[..., Bars], kind: str
) -> None:
    bars = walk(3, 1000) if kind == "walk" else bad_bars(3, 1000)
    other = walk(4, 1000)
    own = at_close(lambda part: features_of(part, Timeframe.M1, other).values, 60_000)
    report = leak_test(own, bars, FEATURE_NAMES, 60_000)
    assert report.clean, report.line()
    assert report.compared > 56 * 12 * 500
    of_reference = at_close(lambda part: features_of(part, Timeframe.M1, part).values, 60_000)
    report = leak_test(of_reference, bars, FEATURE_NAMES, 60_000)
    assert report.clean, report.line()


@pytest.mark.data
def test_no_feature_leaks_on_real_hours(real_hours: Bars) -> None:
    own = at_close(lambda part: features_of(part, Timeframe.H1, part).values, 3_600_000)
    report = leak_test(own, real_hours, FEATURE_NAMES, 3_600_000)
    assert report.clean, report.line()
