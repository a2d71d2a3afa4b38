"""Calibration: probabilities that mean what they say, and errors read beside luck."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from ares.learn.calibration import Payoff, fit_payoff, fit_platt, logit, sigmoid


def drawn(a: float, b: float, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    raw = draw.normal(0.0, 0.7, n)
    return raw, draw.random(n) < sigmoid(a * raw + b)


def test_many_outcomes_recover_the_true_calibration() -> None:
    raw, won = drawn(1.8, -0.4, 60_000)
    platt = fit_platt(raw, won, overlap=1, base_rate=float(won.mean()))
    assert platt.a == pytest.approx(1.8, abs=0.06)
    assert platt.b == pytest.approx(-0.4, abs=0.04)


def test_overlapping_outcomes_weigh_less() -> None:
    raw, won = drawn(1.8, -0.4, 600)
    plain = fit_platt(raw, won, overlap=1, base_rate=0.4)
    overlapping = fit_platt(raw, won, overlap=60, base_rate=0.4)
    assert 0.0 < overlapping.a < 0.4 * plain.a


def test_without_outcomes_the_prior_remains() -> None:
    raw = np.linspace(-1, 1, 100)
    won = np.arange(100) % 2 == 0
    platt = fit_platt(raw, won, overlap=10**6, base_rate=0.3)
    assert platt.probability(raw) == pytest.approx(0.3, abs=0.01)
    kept = fit_platt(raw, won, overlap=10**6, base_rate=0.5, calibrated=True)
    assert kept.a == pytest.approx(1.0, abs=0.01)


def test_a_reversed_ranking_is_not_inverted() -> None:
    raw, won = drawn(-1.5, 0.0, 5_000)
    platt = fit_platt(raw, won, overlap=1, base_rate=0.5)
    assert platt.a == 0.0
    assert platt.probability(raw) == pytest.approx(won.mean(), abs=0.01)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(-50, 50), st.booleans()), min_size=1, max_size=60),
    st.integers(1, 100),
    st.floats(0.0, 1.0),
    st.booleans(),
)
def test_any_scores_give_rising_probabilities(
    rows: list[tuple[float, bool]], overlap: int, base_rate: float, calibrated: bool
) -> None:
    raw = np.array([row[0] for row in rows])
    won = np.array([row[1] for row in rows])
    platt = fit_platt(raw, won, overlap=overlap, base_rate=base_rate, calibrated=calibrated)
    p = platt.probability(np.sort(raw))
    assert np.all(np.isfinite(p))
    assert np.all((p >= 0.0) & (p <= 1.0))
    assert np.all(np.diff(p) >= 0.0)


def test_edge_weighs_gain_and_loss_in_widths() -> None:
    net = np.array([0.008, 0.010, -0.012, -0.011])
    width = np.array([0.01, 0.01, 0.01, 0.02])
    payoff = fit_payoff(net, width)
    assert payoff.gain == pytest.approx(0.9)
    assert payoff.loss == pytest.approx((1.2 + 0.55) / 2)
    edge = payoff.edge_bps(np.array([0.5]), np.array([0.02]))
    assert edge[0] == pytest.approx(200 * (0.5 * 0.9 - 0.5 * 0.875))


def test_held_out_trades_show_how_much_more_a_likelier_trade_earns() -> None:
    """Results whose mean moves with their chance: wins and losses alone promise too little."""
    draw = np.random.default_rng(3)
    drift = 0.4 * draw.standard_normal(40_000)
    came = drift + draw.standard_normal(len(drift)) - 0.3
    p = ndtr(drift - 0.3)
    width = np.full(len(drift), 0.01)
    net = came * width
    alone, weighted = fit_payoff(net, width), fit_payoff(net, width, p, overlap=1)
    good = p > 0.6
    truth = 1e4 * float(net[good].mean())
    assert weighted.edge_bps(p, width)[good].mean() == pytest.approx(truth, abs=3.0)
    assert alone.edge_bps(p, width)[good].mean() < truth - 10.0
    # on average both say the same, and few outcomes leave the doubt its say
    assert weighted.edge_bps(p, width).mean() == pytest.approx(1e4 * float(net.mean()), abs=3.0)
    doubted = fit_payoff(net, width, p, overlap=20_000)
    assert doubted.gain + doubted.loss == pytest.approx(alone.gain + alone.loss, rel=0.01)


def test_without_held_out_trades_the_means_remain() -> None:
    net, width = np.array([0.01, -0.02, 0.03]), np.full(3, 0.01)
    silent = np.full(3, np.nan)
    assert fit_payoff(net, width, silent, overlap=5) == fit_payoff(net, width)


def test_payoff_without_outcomes_is_pessimistic() -> None:
    assert fit_payoff(np.array([-0.01]), np.array([0.01])) == Payoff(0.0, 1.0)
    assert fit_payoff(np.array([0.02]), np.array([0.01])) == Payoff(2.0, 1.0)


def test_logit_and_sigmoid_undo_each_other_and_hold_the_ends() -> None:
    p = np.array([0.0, 1e-9, 0.2, 0.5, 0.999, 1.0])
    assert sigmoid(logit(p)) == pytest.approx(np.clip(p, 1e-6, 1 - 1e-6))


def test_the_engine_and_the_learner_hold_probabilities_alike() -> None:
    from ares.kernel.ensemble import P_EDGE
    from ares.learn.calibration import P_MIN

    assert P_EDGE == P_MIN
