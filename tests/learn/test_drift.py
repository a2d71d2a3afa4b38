"""Drift: a planted shift is found, a world that stays as it is raises nothing."""

from __future__ import annotations

import numpy as np
import pytest

from ares.domain.timeframe import Timeframe
from ares.kernel.features import FEATURE_NAMES, features_of
from ares.kernel.resample import resample
from ares.learn.drift import block_means, drift_scores, error_change, reference_of
from ares.sim.prices import simulate


def table(seed: int, n: int = 4_000) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, 4)).astype(np.float32)


def test_psi_is_that_of_the_textbook() -> None:
    x = table(1)
    shift = np.array([0.0, 0.5, 1.0, 0.0], np.float32)
    scale = np.array([1.0, 1.0, 1.0, 2.0], np.float32)
    psi = reference_of(x).psi(table(2) * scale + shift)
    # Of a normal and one that is d away: about d^2, less what ten bins lose.
    assert psi[0] < 0.01
    assert psi[1] == pytest.approx(0.25, abs=0.06)
    assert psi[2] == pytest.approx(1.0, abs=0.2)
    assert psi[3] > 0.25
    assert drift_scores(psi)[2] > 0.70 > drift_scores(psi)[0]


def test_what_is_missing_is_a_bin_of_its_own() -> None:
    x, later = table(3), table(4)
    later[::2, 0] = np.nan
    psi = reference_of(x).psi(later)
    assert psi[0] > 1.0
    assert psi[1] < 0.02
    gone = np.full_like(x, np.nan)
    assert np.isfinite(reference_of(gone).psi(later)).all()


def test_a_feature_of_few_values_and_one_that_never_moves_are_measured_too() -> None:
    draw = np.random.default_rng(5)
    x = np.column_stack([draw.integers(0, 3, 2_000), np.ones(2_000)]).astype(np.float32)
    same = np.column_stack([draw.integers(0, 3, 500), np.ones(500)]).astype(np.float32)
    other = np.column_stack([np.zeros(500), np.full(500, 2.0)]).astype(np.float32)
    assert reference_of(x).psi(same).max() < 0.02
    assert reference_of(x).psi(other).min() > 1.0


def test_the_shipped_features_of_a_world_that_stays_as_it_is_do_not_drift() -> None:
    minutes = next(iter(simulate(("BTC/USDT",), days=90, seed=11).bars.values()))
    bars = resample(minutes, 60_000, Timeframe.M15.ms)
    values = features_of(bars, Timeframe.M15, None)
    x = values.values[values.warm]
    half = len(x) // 2
    then = reference_of(x[:half])
    scores = [drift_scores(then.psi(x[k - 1_000 : k])) for k in range(half + 1_000, len(x), 800)]
    assert max(float(one.mean()) for one in scores) < 0.60
    loud = x[-1_000:].copy()
    loud[:, [n.startswith(("volatility", "volume")) for n in FEATURE_NAMES]] *= 4.0
    moved = drift_scores(then.psi(loud))
    assert FEATURE_NAMES[int(moved.argmax())].startswith(("volatility", "volume"))
    assert moved.max() > 0.9


def test_adwin_finds_a_worse_error_and_where() -> None:
    draw = np.random.default_rng(6)
    errors = np.clip(np.concatenate([draw.normal(0.20, 0.05, 300), draw.normal(0.28, 0.05, 100)]),
                     0.0, 1.0)  # fmt: skip
    found = error_change(errors)
    assert found.index is not None
    assert 300 < found.index < 380
    assert found.before == pytest.approx(0.20, abs=0.01)
    assert found.after == pytest.approx(0.28, abs=0.02)
    assert error_change(errors[: found.index]).index is None, "known earlier, it is not news later"


def test_adwin_is_silent_on_errors_that_stay_as_they_are() -> None:
    draw = np.random.default_rng(7)
    alarms = 0
    for _ in range(50):
        found = error_change(np.clip(draw.normal(0.24, 0.06, 400), 0.0, 1.0))
        alarms += found.index is not None
        assert found.index is not None or found.before == found.after
    assert alarms <= 1
    assert np.isnan(error_change(np.empty(0)).before)


def test_errors_of_one_stretch_are_one_value() -> None:
    means, numbers = block_means(np.array([0.1, 0.3, 0.5]), np.array([2, 2, 7]))
    assert means.tolist() == [0.2, 0.5]
    assert numbers.tolist() == [2, 7]
