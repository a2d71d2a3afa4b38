"""Calibration as the gate reads it: luck passes, lies do not, and constants are found out."""

from __future__ import annotations

import numpy as np
import pytest

from ares.learn.calibration_error import error_limit
from ares.learn.gate.calibration import (
    CalibrationQuality,
    brier_skill,
    calibration_quality,
    constant_share,
)


def rows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    p = draw.beta(4, 4, n)
    return p, draw.random(n) < p


def read(p: np.ndarray, won: np.ndarray, fold: np.ndarray | None = None) -> CalibrationQuality:
    lane = np.zeros(len(p), np.int32)
    seen = calibration_quality(p, won, lane=lane, overlap=1, fold=fold)
    assert seen is not None
    return seen


def test_perfect_models_pass_nineteen_times_in_twenty() -> None:
    seen = [read(*rows(1_205, seed)) for seed in range(60)]
    assert sum(one.error > one.limit for one in seen) <= 7
    assert np.mean([one.error for one in seen]) == pytest.approx(0.036, abs=0.004)
    assert all(one.brier_skill is not None and one.brier_skill > 0.0 for one in seen)
    assert seen[0].constant_share == 0.0


def test_the_limit_is_a_number_not_a_draw() -> None:
    p, won = rows(1_205, 3)
    exact = error_limit(p, np.zeros(len(p), np.int32), 1, seed=9, draws=20_000)
    assert read(p, won).limit == pytest.approx(exact, rel=0.03)
    assert read(p, won).limit == read(p, ~won).limit


def test_a_model_that_is_too_sure_fails() -> None:
    p, won = rows(1_205, 1)
    seen = read(np.clip(0.5 + 2.0 * (p - 0.5), 0.01, 0.99), won)
    assert seen.error > seen.limit


def test_the_base_rate_is_calibrated_and_worthless() -> None:
    _, won = rows(1_000, 2)
    seen = read(np.full(1_000, won.mean()), won)
    assert seen.error == pytest.approx(0.0, abs=1e-12)
    assert seen.brier_skill == pytest.approx(0.0, abs=1e-12)
    assert seen.constant_share == 1.0


def test_folds_with_one_output_each_are_constant() -> None:
    fold = np.repeat(np.arange(4), 100)
    p = np.array([0.4, 0.45, 0.5, 0.55])[fold]
    assert constant_share(p) == 0.0
    assert constant_share(p, fold) == 1.0
    p[:100] = np.linspace(0.3, 0.6, 100)
    assert constant_share(p, fold) == 0.75
    assert read(p, np.arange(400) % 2 == 0, fold=fold).constant_share == 0.75


def test_nothing_is_constant_and_has_no_calibration() -> None:
    none = np.empty(0)
    assert constant_share(none) == 1.0
    assert brier_skill(none, none > 0) is None
    assert calibration_quality(none, none > 0, lane=np.empty(0, np.int32), overlap=1) is None


def test_one_outcome_only_has_no_skill() -> None:
    p, _ = rows(100, 3)
    assert brier_skill(p, np.ones(100, bool)) is None


@pytest.mark.parametrize("wrong", [np.nan, -0.01, 1.01, np.inf])
def test_what_is_no_probability_is_an_error(wrong: float) -> None:
    p, won = rows(100, 4)
    p[50] = wrong
    with pytest.raises(ValueError, match="probabilities"):
        read(p, won)
