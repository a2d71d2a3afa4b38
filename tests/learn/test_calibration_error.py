"""Calibration error: its value, and the limit that chance explains."""

from __future__ import annotations

import numpy as np
import pytest

from ares.learn.calibration import Platt
from ares.learn.calibration_error import calibration_error, error_limit


def test_calibration_error_is_the_mean_distance_of_predicted_and_observed() -> None:
    p = np.repeat([0.2, 0.6], 50)
    won = np.concatenate([np.arange(50) < 15, np.arange(50) < 30])
    error, bins = calibration_error(p, won)
    assert error == pytest.approx(0.5 * 0.1)
    assert [(bin.rows, round(bin.observed, 9)) for bin in bins] == [(50, 0.3), (50, 0.6)]


def test_calibrated_models_are_within_the_limit_nineteen_times_of_twenty() -> None:
    draw = np.random.default_rng(5)
    lane = np.zeros(1205, np.int32)
    inside = 0
    for seed in range(100):
        p = draw.uniform(0.3, 0.6, 1205)
        error, _ = calibration_error(p, draw.random(1205) < p)
        inside += error <= error_limit(p, lane, 1, seed, draws=60)
    assert 86 <= inside <= 100


def test_the_limit_grows_with_the_overlap_of_trades() -> None:
    p = np.random.default_rng(1).uniform(0.3, 0.6, 2_000)
    lane = np.zeros(2_000, np.int32)
    assert error_limit(p, lane, 20, 0) > 1.5 * error_limit(p, lane, 1, 0)
    assert error_limit(p, lane, 20, 0) == error_limit(p, lane, 20, 0)


def test_an_uncalibrated_model_is_outside() -> None:
    draw = np.random.default_rng(2)
    p = draw.uniform(0.3, 0.6, 3_000)
    error, _ = calibration_error(np.clip(2 * p - 0.45, 0, 1), draw.random(3_000) < p)
    assert error > error_limit(p, np.zeros(3_000, np.int32), 1, 0)


def test_constant_probabilities_have_one_bin() -> None:
    error, bins = calibration_error(np.full(10, 0.5), np.arange(10) < 5)
    assert error == 0.0
    assert len(bins) == 1
    assert Platt(0.0, 0.0).probability(np.array([3.0]))[0] == 0.5
