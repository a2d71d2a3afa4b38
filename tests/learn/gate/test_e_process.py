"""The anytime-valid paired test: what it finds, what its margin allows, and how it is reported."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ares.learn.gate.e_process import (
    LOG_E_REPORTED_MAX,
    evaluate_steps,
    new_e_processes,
    run_steps,
    state_of,
)


def test_a_better_one_is_found_and_a_worse_one_is_not() -> None:
    luck = np.random.default_rng(1).normal(size=8_000)
    better = evaluate_steps(luck + 0.1, luck * 0.0, alpha=0.05, bound=8.0, sd_guess=1.0)
    assert better.crossed
    assert better.crossed_step is not None
    assert better.crossed_step < 4_000
    assert better.threshold == 20.0
    assert better.e_value_max >= 20.0
    assert not evaluate_steps(luck - 0.1, alpha=0.05, bound=8.0, sd_guess=1.0).crossed


def test_steps_that_are_not_the_same_are_an_error() -> None:
    with pytest.raises(ValueError, match="3 steps against 1"):
        evaluate_steps(np.ones(3), np.ones(1), alpha=0.05, bound=1.0, sd_guess=1.0)


def test_a_refit_that_is_as_good_passes_with_a_margin_only() -> None:
    draw = np.random.default_rng(2)
    champion = draw.normal(size=30_000)
    refit = champion + draw.normal(0.0, 0.3, 30_000)
    refit -= (refit - champion).mean()
    settings = {"alpha": 0.05, "bound": 2.0, "sd_guess": 0.3}
    assert evaluate_steps(refit, champion, **settings, margin=0.02).crossed
    assert not evaluate_steps(refit, champion, **settings).crossed
    assert not evaluate_steps(refit - 0.02, champion, **settings, margin=0.02).crossed


@pytest.mark.parametrize("bound", [0.0, -1.0, math.nan, math.inf])
def test_a_bound_must_be_a_number_above_zero(bound: float) -> None:
    steps = np.zeros(3)
    with pytest.raises(ValueError, match="a bound must be a number above zero"):
        evaluate_steps(steps, alpha=0.05, bound=bound, sd_guess=1.0)
    with pytest.raises(ValueError, match="a bound must be a number above zero"):
        evaluate_steps(steps, alpha=0.05, bound=np.array([1.0, bound, 1.0]), sd_guess=1.0)


def test_the_state_is_reported_as_numbers_that_a_file_can_hold() -> None:
    tests = new_e_processes(2, alpha=0.05, bound=1.0, sd_guess=0.01)
    log_e = run_steps(tests, 1, np.ones(40_000), 1.0)
    assert log_e[-1] > LOG_E_REPORTED_MAX
    begun, rich = state_of(tests, 0), state_of(tests, 1)
    assert (begun.e_value, begun.steps, begun.crossed_step, begun.crossed) == (1.0, 0, None, False)
    assert rich.e_value == rich.e_value_max == math.exp(LOG_E_REPORTED_MAX)
    assert rich.crossed_step == int(np.argmax(log_e >= math.log(20.0))) + 1
