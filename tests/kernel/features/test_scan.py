"""Scan is step over history; state is its bytes; nothing depends on where the series began."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ares.domain.timeframe import Timeframe
from ares.kernel.bars import Bar, Bars
from ares.kernel.features import (
    FEATURE_NAMES,
    FEATURES,
    N_FEATURES,
    WARMUP_BARS,
    feature_scan,
    feature_state,
    feature_step,
    features_of,
)
from ares.kernel.features.scan import reference_close

Walk = Callable[..., Bars]
F32 = NDArray[np.float32]


def stepped(state: NDArray[np.void], k: int, bars: Bars, reference: Bars | None) -> F32:
    """Return the features of bars stepped through one by one."""
    ref_close = reference_close(bars, reference)
    values = np.empty((len(bars), N_FEATURES), np.float32)
    for t in range(len(bars)):
        bar = Bar(*(column[t] for column in bars.columns))
        feature_step(state, k, bar, ref_close[t], values[t])
    return values


def scanned(state: NDArray[np.void], k: int, bars: Bars, reference: Bars | None) -> F32:
    values = np.empty((len(bars), N_FEATURES), np.float32)
    age = np.empty(len(bars), np.int64)
    feature_scan(state, k, bars.columns, reference_close(bars, reference), values, age)
    return values


def without(bars: Bars, first: int, count: int) -> Bars:
    """Return the bars with a hole."""
    return Bars.concat([bars[:first], bars[first + count :]])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    cut=st.integers(1, 699),
    hole=st.integers(0, 650),
    missing=st.booleans(),
)
def test_scan_is_repeated_step_and_state_is_its_bytes(
    walk: Walk, trouble: Walk, seed: int, cut: int, hole: int, missing: bool
) -> None:
    bars = without(trouble(seed, 700), hole, 30 if seed % 2 else 0)
    reference = without(walk(seed + 1, 700), 5, 40) if missing else None
    cut = min(cut, len(bars) - 1)

    steps, scan = feature_state(3, 60_000), feature_state(3, 60_000)
    one_by_one = stepped(steps, 1, bars, reference)
    at_once = scanned(scan, 1, bars, reference)
    assert one_by_one.tobytes() == at_once.tobytes()
    assert steps.tobytes() == scan.tobytes()

    before = feature_state(1, 60_000)
    scanned(before, 0, bars[:cut], reference)
    after = np.frombuffer(before.tobytes(), before.dtype).copy()
    rest = scanned(after, 0, bars[cut:], reference)
    assert rest.tobytes() == at_once[cut:].tobytes()
    assert after.tobytes() == scan[1:2].tobytes()


@pytest.mark.parametrize("start", [1, 29, 30, 241, 500])
@pytest.mark.parametrize("kind", ["walk", "trouble"])
def test_features_agree_to_the_bit_from_any_start(
    walk: Walk, trouble: Walk, start: int, kind: str
) -> None:
    bars = walk(5, 1200) if kind == "walk" else trouble(5, 1200)
    reference = without(walk(6, 1200), 300, 20)
    whole = features_of(bars, Timeframe.M1, reference).values
    later = features_of(bars[start:], Timeframe.M1, reference).values
    for f, spec in enumerate(FEATURES):
        known = max(spec.warmup_bars - 1 - start, 0)
        a, b = whole[start:, f], later[:, f]
        assert np.isnan(b[: spec.warmup_bars - 1]).all(), spec.name
        first = spec.warmup_bars - 1
        assert a[max(first, known) :].tobytes() == b[max(first, known) :].tobytes(), spec.name


def test_the_state_itself_forgets_its_start(walk: Walk) -> None:
    bars = walk(7, 800)
    one, other = feature_state(1, 60_000), feature_state(1, 60_000)
    scanned(one, 0, bars, None)
    scanned(other, 0, bars[100:], None)
    for name in ("emas", "extremes", "values_32", "values_64", "values_128", "streak", "bar"):
        assert one[name].tobytes() == other[name].tobytes(), name


def test_whatever_the_market_does_numbers_are_finite(trouble: Walk) -> None:
    for seed in range(8):
        bars = trouble(seed)
        table = features_of(bars, Timeframe.M1, trouble(seed + 1))
        assert np.isfinite(table.values[table.warm]).all()
        assert np.abs(table.values[table.warm]).max() < 1e9


def test_a_dead_market_says_nothing(walk: Walk) -> None:
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


def test_a_steady_drift_has_no_variance_to_divide_by() -> None:
    close = 100.0 * np.exp(1e-3 * np.arange(400))
    ts = 60_000 * np.arange(400)
    bars = Bars.make(ts, close, close, close, close, np.ones(400))
    last = features_of(bars, Timeframe.M1, bars).values[-1]
    assert last[FEATURE_NAMES.index("volatility_20")] == 0.0
    assert last[FEATURE_NAMES.index("return_z_20")] == 0.0
    assert last[FEATURE_NAMES.index("beta_50")] == 0.0


def test_a_gap_starts_afresh(walk: Walk) -> None:
    bars = walk(2, 900)
    table = features_of(without(bars, 400, 1), Timeframe.M1, bars)
    again = features_of(bars[401:], Timeframe.M1, bars)
    assert table.age[399:402].tolist() == [400, 1, 2]
    assert table.values[400:].tobytes() == again.values.tobytes()
    assert table.warm.sum() == (400 - WARMUP_BARS + 1) + (499 - WARMUP_BARS + 1)


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


def test_features_do_not_know_the_unit_of_price_or_volume(walk: Walk) -> None:
    bars = walk(9, 600)
    scaled = Bars.make(
        *(bars.ts_ms, bars.open * 4096, bars.high * 4096, bars.low * 4096, bars.close * 4096),
        *(bars.volume / 64, bars.flat),
    )
    a = features_of(bars, Timeframe.M1, bars).values
    b = features_of(scaled, Timeframe.M1, bars).values
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-8)


def test_a_missing_reference_is_neutral(walk: Walk) -> None:
    bars, reference = walk(1, 400), walk(2, 400)
    cross = [f for f, spec in enumerate(FEATURES) if spec.group == "cross"]
    assert not features_of(bars, Timeframe.M1, None).values[60:, cross].any()
    assert not features_of(bars, Timeframe.M1, Bars.empty()).values[60:, cross].any()
    holes = features_of(bars, Timeframe.M1, without(reference, 300, 1)).values
    full = features_of(bars, Timeframe.M1, reference).values
    relative = FEATURE_NAMES.index("relative_return_5")
    differs = np.flatnonzero(holes[60:, relative] != full[60:, relative]) + 60
    assert differs.tolist() == [300, 305]
    assert np.isfinite(holes[60:, cross]).all()


def test_the_reference_against_itself(walk: Walk) -> None:
    bars = walk(1, 400)
    last = features_of(bars, Timeframe.M1, bars).values[-1]
    named = dict(zip(FEATURE_NAMES, last.tolist(), strict=True))
    assert named["beta_50"] == 1.0
    assert named["correlation_50"] == pytest.approx(1.0)
    assert named["relative_return_20"] == 0.0


def test_equal_averages_are_a_tie_to_the_bit() -> None:
    close = np.tile([100.1, 100.2, 100.3, 100.4], 100)
    bars = Bars.make(60_000 * np.arange(400), close, close, close, close, close)
    table = features_of(bars, Timeframe.M1, None)
    assert not table.values[250:, FEATURE_NAMES.index("sma_ratio_20_100")].any()


def test_no_bars_no_features() -> None:
    table = features_of(Bars.empty(), Timeframe.M1, None)
    assert table.values.shape == (0, N_FEATURES)
    assert len(table.warm) == 0
