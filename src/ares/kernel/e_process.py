"""The e-process of an anytime-valid test: wealth from bets that differences are above zero.

Start with a wealth of 1. Before each difference ``d`` is seen, stake a fraction ``f`` of the wealth
on ``d`` being above zero: ``K = prod(1 + f * d)``. As long as ``d`` is not above zero on average, K
is a nonnegative supermartingale, so the probability that it ever reaches ``1 / alpha`` is at most
alpha however often one looks (Ville 1939; Shafer 2021, Testing by betting; Waudby-Smith & Ramdas
2024, Estimating means of bounded random variables by betting).

``f = min(stake / sd, 0.5 / B)``. ``sd`` is estimated from past differences only: a first guess that
weighs as much as 50 of them, then their average square, forgetting after 1,000. ``B`` bounds the
loss of a step; without it rare large losses, most of the time still to come, made 26 to 64% of
equal candidates look better. The differences must not overlap: per bar, the change in value of the
candidate's account less that of the champion's, not per trade.
"""

from __future__ import annotations

import math

import numpy as np

from ares.kernel.bars import F64
from ares.kernel.jit import inlined, njit
from ares.kernel.trade.layout import Records

STAKE_SDS = 0.03
"""Stake in standard deviations of the differences: optimal for an edge of 0.03 a step."""

BOUND_SHARE = 0.5
"""The most that a difference of the bound's size may cost, as a share of the wealth."""

GUESS_WEIGHT = 50.0
MEMORY = 1_000.0

_F, _I = np.float64, np.int64

E_PROCESS = np.dtype(
    [
        ("log_e", _F),  # log of the wealth K; -inf once all is lost
        ("log_e_max", _F),
        ("mean_square", _F),  # of the differences so far and of the first guess
        ("weight", _F),  # how many differences that average counts as
        ("bound", _F),
        ("margin", _F),
        ("alpha", _F),
        ("stake_sds", _F),
        ("steps", _I),
        ("crossed_step", _I),  # at which K first reached 1 / alpha; 0: not yet
        ("breaches", _I),  # differences beyond the bound
    ]
)


def new_e_processes(
    n: int,
    *,
    alpha: float,
    bound: float,
    sd_guess: float,
    margin: float = 0.0,
    stake_sds: float = STAKE_SDS,
) -> Records:
    """Return ``(n,)`` tests before their first step (dtype E_PROCESS).

    alpha    : probability allowed of ever declaring a candidate that is not better.
    bound    : largest loss of a step against the champion (or flat), in units of the differences:
               what the stops enforce. It may be changed between two steps (``state[k].bound``) from
               what is known then: positions held, distances of their stops.
    sd_guess : standard deviation expected of the differences, from data before the first of them.
    margin   : by how much a step the candidate may be worse; 0: it must be better.
    stake_sds : stake in standard deviations: optimal for an edge of as many a step.
    """
    valid = 0.0 < alpha < 1.0 and bound > 0.0 and sd_guess > 0.0 and margin >= 0.0
    if not valid or not math.isfinite(bound + sd_guess + margin):
        raise ValueError(f"no such test: {alpha=} {bound=} {sd_guess=} {margin=}")
    state = np.zeros(n, E_PROCESS)
    state["mean_square"] = sd_guess * sd_guess
    state["weight"] = GUESS_WEIGHT
    state["bound"] = bound
    state["margin"] = margin
    state["alpha"] = alpha
    state["stake_sds"] = stake_sds
    return state


@inlined
def step(state: Records, k: int, difference: float) -> None:
    """Update test ``k`` with one difference: its wealth, then the stake of the next step.

    A gain beyond the bound counts as the bound, so that no single bar decides. A loss counts in
    full: the test is valid for losses of up to twice the bound, and a larger one may take all of it
    for good. NaN counts as a loss of the bound.
    """
    bound = state[k].bound
    d = difference
    if not -bound <= d <= bound:
        state[k].breaches += 1
        if math.isnan(d):
            d = -bound
        d = min(d, bound)
    d += state[k].margin
    stake = min(
        state[k].stake_sds / math.sqrt(state[k].mean_square),
        BOUND_SHARE / (bound + state[k].margin),
    )
    factor = 1.0 + stake * d
    state[k].log_e += math.log(factor) if factor > 0.0 else -math.inf
    state[k].steps += 1
    if state[k].log_e > state[k].log_e_max:
        state[k].log_e_max = state[k].log_e
        if state[k].crossed_step == 0 and state[k].log_e >= -math.log(state[k].alpha):
            state[k].crossed_step = state[k].steps
    weight = min(state[k].weight + 1.0, MEMORY)
    if math.isfinite(d):
        state[k].mean_square += (d * d - state[k].mean_square) / weight
    state[k].weight = weight


@njit
def step_test(state: Records, k: int, difference: float) -> None:
    """Update test ``k`` with one difference."""
    step(state, k, difference)


@njit
def step_detector(state: Records, k: int, difference: float) -> None:
    """Update test ``k`` as ``step`` does, but never let it fall below where it began.

    An e-detector (Shin, Ramdas & Rinaldo 2024, E-detectors): ``M = max(M, 1) * (1 + f * d)``. It
    detects a change at an unknown time without having to win back what it lost before; as long as
    nothing changes, it takes 1 / alpha steps or more, on average, until it alarms.
    """
    state[k].log_e = max(state[k].log_e, 0.0)
    step(state, k, difference)


@njit
def scan(state: Records, k: int, differences: F64, log_e: F64) -> None:
    """Update test ``k`` with each difference; write log K after each into ``log_e`` (n_steps,)."""
    for i in range(len(differences)):
        step(state, k, differences[i])
        log_e[i] = state[k].log_e


@njit
def bounded_scan(state: Records, k: int, differences: F64, bounds: F64, log_e: F64) -> None:
    """Update test ``k`` as ``scan`` does, each step with a bound of its own."""
    for i in range(len(differences)):
        state[k].bound = bounds[i]
        step(state, k, differences[i])
        log_e[i] = state[k].log_e
