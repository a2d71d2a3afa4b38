"""Gaps and longer bars, against Polars as the oracle."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares.domain.timeframe import DAY_MS, HOUR_MS, MINUTE_MS
from ares.kernel.bars import Bars
from ares.kernel.resample import GAP_MS_MAX, fill_gaps, resample

START_MS = 1_679_004_900_000  # 2023-03-16 22:15 UTC, in the middle of an hour


def bars_at(minutes: list[int], seed: int = 0) -> Bars:
    """Return 1m bars at ``minutes`` after START_MS, with random prices and volumes."""
    rng = np.random.default_rng(seed)
    n = len(minutes)
    opened = np.round(100 + rng.normal(size=n).cumsum() * 0.01, 2)
    closed = np.round(opened + rng.normal(size=n) * 0.1, 2)
    return Bars.make(
        START_MS + np.array(minutes, np.int64) * MINUTE_MS,
        opened,
        np.maximum(opened, closed) + np.round(rng.random(n), 2),
        np.minimum(opened, closed) - np.round(rng.random(n), 2),
        closed,
        np.round(rng.random(n) * 10, 5),
    )


minutes_with_gaps = st.lists(st.integers(1, 12), min_size=1, max_size=400).map(
    lambda steps: np.cumsum([0 if s < 10 else s for s in steps] + np.arange(len(steps))).tolist()
)


def oracle(bars: Bars, interval_ms: int, to_ms: int) -> pl.DataFrame:
    """Return the complete longer bars of gap-free parts, by Polars."""
    frame = pl.DataFrame(
        {
            name: getattr(bars, name)
            for name in ("ts_ms", "open", "high", "low", "close", "volume", "flat")
        }
    )
    return (
        frame.group_by((pl.col("ts_ms") // to_ms * to_ms).alias("at"), maintain_order=True)
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum(),
            pl.col("flat").all(),
            pl.len().alias("parts"),
        )
        .filter(pl.col("parts") == to_ms // interval_ms)
    )


@settings(max_examples=60, deadline=None)
@given(minutes_with_gaps, st.sampled_from([5, 15, 60]), st.booleans())
def test_resample_equals_a_group_by(minutes: list[int], parts: int, filled: bool) -> None:
    bars = bars_at(minutes)
    if filled:
        bars = fill_gaps(bars, MINUTE_MS)
    got = resample(bars, MINUTE_MS, parts * MINUTE_MS)
    want = oracle(bars, MINUTE_MS, parts * MINUTE_MS)
    assert got.ts_ms.tolist() == want["at"].to_list()
    for name in ("open", "high", "low", "close", "flat"):
        assert getattr(got, name).tolist() == want[name].to_list()
    np.testing.assert_allclose(got.volume, want["volume"].to_numpy(), rtol=1e-12)


@settings(max_examples=60, deadline=None)
@given(minutes_with_gaps)
def test_filling_keeps_every_bar_and_leaves_no_short_gap(minutes: list[int]) -> None:
    bars = bars_at(minutes)
    filled = fill_gaps(bars, MINUTE_MS)
    assert np.all(np.diff(filled.ts_ms) == MINUTE_MS)
    assert filled[~filled.flat].hash == bars.hash
    made = np.flatnonzero(filled.flat)
    for name in ("open", "high", "low", "close"):
        np.testing.assert_array_equal(getattr(filled, name)[made], filled.close[made - 1])
    assert not filled.volume[made].any()


def test_a_gap_of_exactly_the_limit_is_filled_and_a_longer_one_stays() -> None:
    hours = GAP_MS_MAX // HOUR_MS
    one = np.ones(2)
    at_limit = Bars.make(np.array([0, GAP_MS_MAX + HOUR_MS]), one, one, one, one, one)
    beyond = Bars.make(np.array([0, GAP_MS_MAX + 2 * HOUR_MS]), one, one, one, one, one)
    assert len(fill_gaps(at_limit, HOUR_MS)) == hours + 2
    assert fill_gaps(beyond, HOUR_MS) is beyond


def test_a_partial_bar_at_either_end_is_left_out() -> None:
    bars = bars_at(list(range(200)))
    hours = resample(bars, MINUTE_MS, HOUR_MS)
    assert hours.ts_ms.tolist() == [START_MS + 45 * MINUTE_MS, START_MS + 105 * MINUTE_MS]


def test_resampling_in_two_steps_gives_the_same_bars() -> None:
    bars = bars_at(list(range(3 * 1440)))
    direct = resample(bars, MINUTE_MS, 4 * HOUR_MS)
    stepped = resample(resample(bars, MINUTE_MS, HOUR_MS), HOUR_MS, 4 * HOUR_MS)
    for name in ("ts_ms", "open", "high", "low", "close"):
        np.testing.assert_array_equal(getattr(direct, name), getattr(stepped, name))


def test_the_volume_is_summed_in_order_of_time() -> None:
    bars = bars_at(list(range(45, 105)), seed=3)
    total = 0.0
    for volume in bars.volume.tolist():
        total += volume
    assert resample(bars, MINUTE_MS, HOUR_MS).volume.tolist() == [total]


def test_an_interval_that_does_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="no multiple"):
        resample(bars_at([0]), 7 * MINUTE_MS, HOUR_MS)


def test_nothing_stays_nothing() -> None:
    assert len(resample(fill_gaps(Bars.empty(), MINUTE_MS), MINUTE_MS, DAY_MS)) == 0
