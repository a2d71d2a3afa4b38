"""The mode confidence against scipy, sampling and the closed form; forgetting; hysteresis."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from ares.kernel.trade import Rules, trade_params
from ares.kernel.trade.confidence import (
    next_mode,
    probability_positive,
    seed_posterior,
    student_t_cdf,
    update_posterior,
)
from ares.kernel.trade.layout import BOOK, MODE_LEARNING, MODE_TRADING, zeros

BPS = st.floats(-500.0, 500.0).map(lambda x: round(x, 3))


@settings(deadline=None, max_examples=300)
@given(st.floats(-50.0, 50.0), st.floats(2.0, 2_000.0))
@example(1e-7, 128.0)
def test_students_t_is_scipys(t: float, df: float) -> None:
    assert student_t_cdf(t, df) == pytest.approx(stats.t.cdf(t, df), abs=1e-12)


def test_students_t_in_its_tails_and_its_middle() -> None:
    for df in (2.0, 3.0, 50.0, 202.0):
        assert student_t_cdf(0.0, df) == 0.5
        assert student_t_cdf(1e9, df) == pytest.approx(1.0, abs=1e-12)
        assert student_t_cdf(-1e9, df) == pytest.approx(0.0, abs=1e-12)
        grid = np.linspace(-8, 8, 401)
        computed = np.array([student_t_cdf(float(t), df) for t in grid])
        assert np.all(np.diff(computed) > 0)
        assert computed == pytest.approx(stats.t.cdf(grid, df), abs=1e-12)


@settings(deadline=None, max_examples=200)
@given(st.lists(BPS, max_size=60))
def test_the_posterior_is_murphys(trades: list[float]) -> None:
    """Murphy 2007, section 3.3: prior mean 0 of weight 1, shape 1, scale half of 50 bps squared."""
    n, x = len(trades), np.array(trades)
    mean = float(x.mean()) if n else 0.0
    spread = float(((x - mean) ** 2).sum())
    kappa, alpha = 1.0 + n, 1.0 + n / 2.0
    beta = 0.5 * 50.0**2 + 0.5 * spread + n * mean**2 / (2.0 * kappa)
    t = (n * mean / kappa) / np.sqrt(beta / (alpha * kappa))
    assert probability_positive(n, mean, spread) == pytest.approx(
        stats.t.cdf(t, 2.0 * alpha), abs=1e-11
    )


def test_the_posterior_equals_its_sampled_estimate() -> None:
    draw = np.random.default_rng(7)
    trades = np.array([30.0, -20.0, 55.0, 10.0, -5.0, 40.0])
    n, mean = len(trades), trades.mean()
    # importance sampling from the prior: variance ~ inverse gamma, mean ~ normal
    variance = 1.0 / draw.gamma(1.0, 1.0 / 1_250.0, 400_000)
    mu = draw.normal(0.0, np.sqrt(variance))
    log_weight = stats.norm.logpdf(trades[:, None], mu, np.sqrt(variance)).sum(axis=0)
    weight = np.exp(log_weight - log_weight.max())
    sampled = weight[mu > 0].sum() / weight.sum()
    signals = probability_positive(n, mean, ((trades - mean) ** 2).sum())
    assert signals == pytest.approx(sampled, abs=0.01)


@settings(deadline=None, max_examples=100)
@given(st.lists(BPS, min_size=1, max_size=80), st.sampled_from([1.0, 2.0, 10.0, 100.0]))
def test_old_trades_are_forgotten_exponentially(trades: list[float], memory: float) -> None:
    params = trade_params(Rules(forgetting_trades=memory), [])
    book = zeros(BOOK, 2)
    for net in trades:
        update_posterior(1, net, book, params)
    weight = (1.0 - 1.0 / memory) ** np.arange(len(trades))[::-1]
    x, n = np.array(trades), weight.sum()
    mean = (weight * x).sum() / n
    spread = (weight * (x - mean) ** 2).sum()
    assert book[1]["posterior_n"] == pytest.approx(n)
    assert book[1]["posterior_mean"] == pytest.approx(mean, abs=1e-6)
    assert book[1]["posterior_m2"] == pytest.approx(spread, abs=1e-4)
    assert book[1]["mode_confidence"] == pytest.approx(
        probability_positive(n, mean, spread), abs=1e-11
    )
    assert book[0].tobytes() == zeros(BOOK, 1).tobytes()  # the other instrument's is its own


def test_more_and_better_trades_raise_it_and_no_trade_gives_one_half() -> None:
    assert probability_positive(0.0, 0.0, 0.0) == 0.5
    rising = [probability_positive(20.0, mean, 20.0 * 2_500.0) for mean in (-20, -5, 0, 5, 20)]
    assert rising == sorted(rising)
    assert rising[2] == 0.5
    surer = [probability_positive(n, 10.0, n * 2_500.0) for n in (1.0, 5.0, 25.0, 125.0)]
    assert surer == sorted(surer)


def test_validation_trades_are_what_it_starts_from() -> None:
    book = zeros(BOOK, 1)
    seed_posterior(0, 25.0, 12.0, 40.0, book)
    assert book[0]["mode_confidence"] == probability_positive(25.0, 12.0, 25.0 * 1_600.0) > 0.8


@pytest.mark.parametrize(
    ("mode", "confidence", "after"),
    [
        (MODE_LEARNING, 0.7999, MODE_LEARNING),
        (MODE_LEARNING, 0.80, MODE_TRADING),
        (MODE_TRADING, 0.7501, MODE_TRADING),
        (MODE_TRADING, 0.7499, MODE_LEARNING),
        (MODE_LEARNING, 0.7501, MODE_LEARNING),
    ],
)
def test_the_mode_changes_with_hysteresis(mode: int, confidence: float, after: int) -> None:
    params = trade_params(Rules(trading_threshold=0.80, hysteresis=0.05), [])
    assert next_mode(mode, confidence, params) == after
