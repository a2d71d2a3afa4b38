"""Scan is step over history; state is its bytes; nothing depends on where the series began."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ares.domain.timeframe import Timeframe
from ares.kernel.bars import BarRow, Bars
from ares.kernel.features import (
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
        bar = BarRow(*(column[t] for column in bars.columns))
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
    walk: Walk, bad_bars: Walk, seed: int, cut: int, hole: int, missing: bool
) -> None:
    bars = without(bad_bars(seed, 700), hole, 30 if seed % 2 else 0)
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
@pytest.mark.parametrize("kind", ["walk", "bad_bars"])
def test_features_agree_to_the_bit_from_any_start(
    walk: Walk, bad_bars: Walk, start: int, kind: str
) -> None:
    bars = walk(5, 1200) if kind == "walk" else bad_bars(5, 1200)
    reference = without(walk(6, 1200), 300, 20)
    whole = features_of(bars, Timeframe.M1, reference).values
    later = features_of(bars[start:], Timeframe.M1, reference).values
    for f, spec in enumerate(FEATURES):
        known = max(spec.warmup_bars - 1 - start, 0)
        a, b = whole[start:, f], later[:, f]
        assert np.isnan(b[: spec.warmup_bars - 1]).all(), spec.name
        first = spec.warmup_bars - 1
        assert a[max(first, known) :].tobytes() == b[max(first, known) :].tobytes(), spec.name


def test_a_gap_starts_afresh(walk: Walk) -> None:
    bars = walk(2, 900)
    table = features_of(without(bars, 400, 1), Timeframe.M1, bars)
    again = features_of(bars[401:], Timeframe.M1, bars)
    assert table.age[399:402].tolist() == [400, 1, 2]
    assert table.values[400:].tobytes() == again.values.tobytes()
    assert table.warm.sum() == (400 - WARMUP_BARS + 1) + (499 - WARMUP_BARS + 1)


def test_features_do_not_know_the_unit_of_price_or_volume(walk: Walk) -> None:
    bars = walk(9, 600)
    scaled = Bars.make(
        *(bars.ts_ms, bars.open * 4096, bars.high * 4096, bars.low * 4096, bars.close * 4096),
        *(bars.volume / 64, bars.flat),
    )
    a = features_of(bars, Timeframe.M1, bars).values
    b = features_of(scaled, Timeframe.M1, bars).values
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-8)


def test_no_bars_no_features() -> None:
    table = features_of(Bars.empty(), Timeframe.M1, None)
    assert table.values.shape == (0, N_FEATURES)
    assert len(table.warm) == 0
