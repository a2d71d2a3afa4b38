"""Sharpe ratios beside luck: the papers' examples, the cases without an answer, and noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.learn.gate.sharpe import (
    OBSERVATIONS_MIN,
    deflate,
    deflated_sharpe,
    expected_max,
    moments,
    probabilistic_sharpe,
    trial_variance,
)

DAYS = 250
ANNUAL = 2.5 / math.sqrt(DAYS)
VARIANCE = 0.5 / DAYS


@pytest.mark.parametrize(
    ("trials", "skew", "kurtosis", "dsr"),
    [(100, -3.0, 10.0, 0.9004), (46, -3.0, 10.0, 0.9505), (88, 0.0, 3.0, 0.9505)],
)
def test_the_published_example(trials: int, skew: float, kurtosis: float, dsr: float) -> None:
    """Bailey & López de Prado 2014, section "A numerical example"."""
    seen = deflated_sharpe(ANNUAL, 1250, skew, kurtosis, trials, VARIANCE)
    assert seen is not None
    assert round(seen, 4) == dsr


def test_the_published_expected() -> None:
    expected = expected_max(100, VARIANCE)
    assert expected is not None
    assert round(expected, 4) == 0.1132


def test_the_expected_is_what_the_best_of_noise_shows() -> None:
    draw = np.random.default_rng(1)
    best = draw.normal(0.0, 0.2, (4_000, 50)).max(axis=1).mean()
    assert expected_max(50, 0.04) == pytest.approx(best, rel=0.02)


def test_one_trial_is_not_deflated() -> None:
    alone = deflated_sharpe(0.1, 500, -1.0, 5.0, trials=1, variance=None)
    assert alone == probabilistic_sharpe(0.1, 500, -1.0, 5.0)


@pytest.mark.parametrize("variance", [None, math.nan, math.inf, -1.0])
def test_several_trials_of_unknown_variance_give_no_number(variance: float | None) -> None:
    assert expected_max(2, variance) is None
    assert deflated_sharpe(0.1, 500, 0.0, 3.0, 2, variance) is None
    assert deflate(np.random.default_rng(0).normal(size=100), 2, variance) is None


def test_no_trial_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 trials"):
        expected_max(0, 0.1)


@pytest.mark.parametrize(
    "returns",
    [
        np.empty(0),
        np.random.default_rng(0).normal(size=OBSERVATIONS_MIN - 1),
        np.zeros(500),
        np.full(500, 0.1 + 0.2),
        np.append(np.random.default_rng(0).normal(size=100), np.nan),
    ],
)
def test_returns_without_an_answer(returns: np.ndarray) -> None:
    assert moments(returns) is None
    assert deflate(returns, 1, None) is None


def test_too_few_or_impossible_numbers_have_no_probability() -> None:
    assert probabilistic_sharpe(0.3, OBSERVATIONS_MIN - 1, 0.0, 3.0) is None
    assert probabilistic_sharpe(math.nan, 500, 0.0, 3.0) is None
    assert probabilistic_sharpe(0.3, 500, 0.0, 3.0, benchmark=math.nan) is None
    assert probabilistic_sharpe(2.0, 500, 1.0, 2.0) is None  # no doubt left: not a distribution


def test_moments_are_those_of_the_series() -> None:
    returns = np.random.default_rng(2).gamma(2.0, size=50_000) - 1.9
    seen = moments(returns)
    assert seen is not None
    assert seen.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1))
    assert seen.skew == pytest.approx(2.0 / math.sqrt(2.0), rel=0.05)
    assert seen.kurtosis == pytest.approx(6.0, rel=0.1)


def test_trials_without_a_sharpe_are_counted_but_have_no_spread() -> None:
    assert trial_variance(np.array([0.25, np.nan, 0.75, np.inf])) == 0.125
    assert trial_variance(np.array([0.25, np.nan])) is None


def test_the_best_of_many_without_skill_seldom_passes() -> None:
    """The Deflated Sharpe of the best of 20 worthless recipes: above 0.95 hardly ever."""
    draw = np.random.default_rng(3)
    passed, alone = 0, 0
    for _ in range(300):
        returns = draw.standard_t(5, (400, 20)) * 0.01
        sharpes = returns.mean(axis=0) / returns.std(axis=0, ddof=1)
        best = returns[:, sharpes.argmax()]
        deflated, as_one = deflate(best, 20, trial_variance(sharpes)), deflate(best, 1, None)
        assert deflated is not None
        assert as_one is not None
        passed += deflated.probability >= 0.95
        alone += as_one.probability >= 0.95
    assert passed <= 6
    assert alone > 150  # what forgetting the other 19 would have let through


@given(
    sharpe=st.floats(-0.5, 0.5),
    trials=st.integers(1, 10_000),
    variance=st.floats(1e-6, 0.1),
    skew=st.floats(-3.0, 3.0),
    more=st.integers(1, 1_000),
)
def test_more_trials_never_help(
    sharpe: float, trials: int, variance: float, skew: float, more: int
) -> None:
    kurtosis = 1.5 + skew**2
    few = deflated_sharpe(sharpe, 300, skew, kurtosis, trials, variance)
    many = deflated_sharpe(sharpe, 300, skew, kurtosis, trials + more, variance)
    assert few is not None
    assert many is not None
    assert 0.0 <= many <= few <= 1.0
