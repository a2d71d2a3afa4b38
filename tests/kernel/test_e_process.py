"""The anytime-valid test: a fair game under no difference, blind to the future, never below 0."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares.kernel.e_process import (
    E_PROCESS,
    bounded_scan,
    new_e_processes,
    scan,
    step,
    step_detector,
)

differences = st.lists(st.floats(-3.0, 3.0), min_size=0, max_size=40).map(np.array)
anything = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=20).map(np.array)


unhurried = settings(deadline=None)  # the first call may compile


def opened(bound: float = 3.0, sd_guess: float = 1.0, margin: float = 0.0) -> np.ndarray:
    state: np.ndarray = new_e_processes(
        1, alpha=0.05, bound=bound, sd_guess=sd_guess, margin=margin
    )
    return state


def path(values: np.ndarray, state: np.ndarray | None = None) -> np.ndarray:
    log_e = np.empty(len(values))
    scan(opened() if state is None else state, 0, values.astype(np.float64), log_e)
    return log_e


def e_value(state: np.ndarray) -> float:
    return math.exp(state[0]["log_e"])


def test_the_state_is_a_record_without_padding() -> None:
    assert E_PROCESS.itemsize == 88 == 8 * len(E_PROCESS.names or ())


@unhurried
@given(anything)
def test_scan_is_step_to_the_bit(values: np.ndarray) -> None:
    stepped, scanned = new_e_processes(2, alpha=0.05, bound=2.0, sd_guess=0.7), opened(2.0, 0.7)
    log_e = path(values, scanned)
    seen = []
    for value in values:
        step(stepped, 1, value)
        seen.append(stepped[1]["log_e"])
    assert stepped[1:].tobytes() == scanned.tobytes()
    assert np.array(seen).tobytes() == log_e.tobytes()
    assert (
        stepped[0] == new_e_processes(2, alpha=0.05, bound=2.0, sd_guess=0.7)[0]
    )  # its neighbour slept


@unhurried
@given(differences, differences, differences)
def test_the_future_does_not_move_the_past(
    past: np.ndarray, future: np.ndarray, other: np.ndarray
) -> None:
    one = path(np.concatenate([past, future]))
    two = path(np.concatenate([past, other]))
    assert one[: len(past)].tobytes() == two[: len(past)].tobytes()


@unhurried
@given(
    past=differences,
    one=st.floats(-3.0, 3.0),
    two=st.floats(-3.0, 3.0),
    margin=st.floats(0.0, 0.5),
    sd_guess=st.sampled_from([0.01, 1.0]),
)
def test_the_stake_is_laid_before_the_difference_is_seen(
    past: np.ndarray, one: float, two: float, margin: float, sd_guess: float
) -> None:
    """What is won or lost is one and the same share of whatever comes."""
    state = opened(margin=margin, sd_guess=sd_guess)
    path(past, state)
    shares = []
    for came in (one, two, 1.0):
        after = state.copy()
        step(after, 0, came)
        won = math.exp(after[0]["log_e"] - state[0]["log_e"]) - 1.0
        shares.append((won, came + margin))
    stake = shares[2][0] / shares[2][1]
    for won, came in shares:
        assert won == pytest.approx(stake * came, abs=1e-12)
    assert 0.0 < stake <= 0.5 / (3.0 + margin) + 1e-12


@unhurried
@given(differences, st.floats(0.01, 3.0), st.floats(0.01, 3.0))
def test_a_fair_coin_is_a_fair_game(past: np.ndarray, gain: float, loss: float) -> None:
    """Whatever came before, a difference of mean 0 leaves K where it is, on average: exactly."""
    state = opened()
    path(past, state)
    chance = loss / (gain + loss)
    mean = 0.0
    for came, weight in ((gain, chance), (-loss, 1.0 - chance)):
        after = state.copy()
        step(after, 0, came)
        mean += weight * math.exp(after[0]["log_e"] - state[0]["log_e"])
    assert mean == pytest.approx(1.0, abs=1e-12)


@unhurried
@given(anything, st.floats(0.0, 1.0))
def test_nothing_that_comes_makes_it_negative_or_not_a_number(
    values: np.ndarray, margin: float
) -> None:
    state = opened(margin=margin)
    log_e = path(values, state)
    assert not np.isnan(log_e).any()
    assert not (log_e == np.inf).any()
    assert e_value(state) >= 0.0
    assert math.exp(state[0]["log_e_max"]) >= max(1.0, e_value(state))
    assert state[0]["breaches"] == np.count_nonzero(~(np.abs(values) <= 3.0))


def test_under_no_difference_it_seldom_rises_and_never_on_average() -> None:
    """Ville's inequality, with stakes as large as they get and one loss that is eight gains."""
    draw = np.random.default_rng(0)
    worlds = np.where(draw.random((4_000, 400)) < 1.0 / 9.0, -8.0, 1.0)
    ends, declared = [], 0
    for values in worlds:
        state = opened(bound=8.0, sd_guess=0.1)
        path(values, state)
        ends.append(e_value(state))
        declared += state[0]["crossed_step"] > 0
    error = float(np.std(ends)) / math.sqrt(len(ends))
    assert np.mean(ends) == pytest.approx(1.0, abs=3.0 * error)
    assert declared / len(worlds) <= 0.05


def test_once_declared_it_stays_declared() -> None:
    state = opened(bound=1.0, sd_guess=0.1)
    path(np.ones(60), state)
    at = int(state[0]["crossed_step"])
    path(-np.ones(600), state)
    assert e_value(state) < 1.0
    assert state[0]["crossed_step"] == at > 0


def test_no_single_gain_decides_and_a_ruinous_loss_does() -> None:
    state = opened(bound=1.0)
    path(np.array([1e9]), state)
    assert e_value(state) <= 1.5
    path(np.array([-1e9]), state)
    path(np.ones(100_000), state)
    assert e_value(state) == 0.0
    assert state[0]["breaches"] == 2


def test_what_is_not_a_number_costs_the_bound() -> None:
    lost, unknown = opened(), opened()
    step(lost, 0, -3.0)
    step(unknown, 0, math.nan)
    assert unknown[0]["log_e"] == lost[0]["log_e"] < 0.0
    assert unknown[0]["breaches"] == 1


def test_the_bound_may_follow_the_stops() -> None:
    """A bound that is changed between steps is used from the next step on."""
    state = opened(bound=100.0)
    state["bound"] = 2.0
    step(state, 0, 1.0)
    assert math.exp(state[0]["log_e"]) == pytest.approx(1.03)


def test_a_guess_that_is_wrong_is_outgrown() -> None:
    values = np.random.default_rng(3).normal(size=10_000)
    states = [opened(sd_guess=guess) for guess in (0.1, 10.0)]
    for state in states:
        path(np.clip(values, -3.0, 3.0), state)
    assert states[0]["mean_square"] == pytest.approx(states[1]["mean_square"], rel=0.02)
    assert states[0]["mean_square"] == pytest.approx(1.0, rel=0.1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"alpha": 0.0},
        {"alpha": 1.0},
        {"bound": 0.0},
        {"bound": math.inf},
        {"sd_guess": 0.0},
        {"sd_guess": math.nan},
        {"margin": -0.1},
    ],
)
def test_a_test_that_cannot_be(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="no such test"):
        new_e_processes(1, **({"alpha": 0.05, "bound": 1.0, "sd_guess": 1.0} | wrong))


@unhurried
@given(st.integers(0, 10_000))
def test_losses_beyond_the_bound_up_to_twice_it_are_paid_in_full(seed: int) -> None:
    """The game stays fair where a gap jumps over the stop by as much again."""
    state = opened(bound=1.0, sd_guess=0.01)
    path(np.random.default_rng(seed).uniform(-1.0, 1.0, 10), state)
    after = state.copy()
    step(after, 0, -1.9)
    stake = min(0.03 / math.sqrt(state[0]["mean_square"]), 0.5)
    lost = math.exp(after[0]["log_e"] - state[0]["log_e"])
    assert lost == pytest.approx(1.0 - 1.9 * stake)


def test_an_old_calm_is_forgotten() -> None:
    draw = np.random.default_rng(4)
    state = opened(bound=30.0)
    path(draw.normal(0.0, 1.0, 20_000), state)
    path(draw.normal(0.0, 4.0, 4_000), state)
    assert state[0]["mean_square"] == pytest.approx(16.0, rel=0.12)


@unhurried
@given(differences)
def test_a_detector_never_has_to_win_back_what_it_lost(values: np.ndarray) -> None:
    test, detector = opened(), opened()
    for value in values:
        step(test, 0, value)
        step_detector(detector, 0, value)
        assert detector[0]["log_e"] >= test[0]["log_e"]
    before = detector.copy()
    step_detector(detector, 0, 1.0)
    assert detector[0]["log_e"] > max(0.0, before[0]["log_e"])


@unhurried
@given(differences, st.floats(0.5, 4.0))
def test_a_scan_with_a_bound_for_each_step_is_a_scan_with_the_bound_changed(
    values: np.ndarray, bound: float
) -> None:
    bounds = (bound * (1.0 + np.arange(len(values)) % 3)).astype(np.float64)
    scanned, stepped = opened(), opened()
    log_e = np.empty(len(values))
    bounded_scan(scanned, 0, values.astype(np.float64), bounds, log_e)
    for i, value in enumerate(values):
        stepped["bound"] = bounds[i]
        step(stepped, 0, value)
        assert log_e[i] == stepped[0]["log_e"]
    assert scanned.tobytes() == stepped.tobytes()
