"""The anytime-valid paired test: a bet against "no better", which may be read after every step.

Start with 1 and stake, before each difference ``d`` is seen, a share of what there is on ``d``
being above zero: ``K = prod(1 + f * d)``. As long as ``d`` is not above zero on average, K is a
nonnegative supermartingale, so the chance that it ever reaches ``1 / alpha`` is at most alpha
however often one looks (Ville 1939; Shafer 2021, Testing by betting; Waudby-Smith & Ramdas 2024,
Estimating means of bounded random variables by betting).

``f = min(0.03 / sd, 0.5 / B)``. ``sd`` is guessed from past differences only: a guess of one's own
that weighs as much as 50 of them, then their average square, forgetting after 1,000. ``B`` bounds
the loss of a step; without it rare big losses, which most of the time have not come yet, made 26
to 64% of equals look better. The differences must not overlap: per bar, the change in value of
the candidate's ledger less that of the champion's, not per trade.

Three questions, one test:

* beats staying flat: ``d`` is the candidate's result;
* better than the champion: ``d`` is the candidate's result less the champion's;
* not worse than the champion (a refit): the same with a ``margin`` that is added to ``d``.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from ares.kernel.bars import F64
from ares.kernel.jit import inlined, lean

STAKE_SDS = 0.03
"""Stake in differences' standard deviations: the best one for an edge of 0.03 a step."""

BOUND_SHARE = 0.5
"""The most that is lost to a difference of the bound's size, as a share of what there is."""

GUESS_WEIGHT = 50.0
MEMORY = 1_000.0

LOG_E_REPORTED_MAX = 690.0
"""exp(690) is the largest e-value that is written out; beyond it nothing is left to say."""

Records = NDArray[np.void]

_F, _I = np.float64, np.int64

BET = np.dtype(
    [
        ("log_e", _F),  # of what there is, K; -inf once all is lost
        ("log_e_max", _F),
        ("mean_square", _F),  # of the differences so far, and of the guess before them
        ("weight", _F),  # how many differences that average stands for
        ("bound", _F),
        ("margin", _F),
        ("alpha", _F),
        ("steps", _I),
        ("declared_step", _I),  # at which K first reached the goal; 0: it has not
        ("breaches", _I),  # differences beyond the bound
    ]
)


class Standing(msgspec.Struct, frozen=True):
    """How a test stands.

    e_value, e_value_max : K now, and the most that it has been.
    goal          : 1 / alpha.
    declared_step : step at which K first reached the goal, None: it has not.
    breaches      : differences beyond the bound: with many of them the bound is wrong.
    """

    e_value: float
    e_value_max: float
    goal: float
    steps: int
    declared_step: int | None
    breaches: int

    @property
    def declared(self) -> bool:
        """Return True once the goal was reached, whatever came after."""
        return self.declared_step is not None


def read_once(
    candidate: F64,
    champion: F64 | None = None,
    *,
    alpha: float,
    bound: float | F64,
    sd_guess: float,
    margin: float = 0.0,
) -> Standing:
    """Return how the test stands after all of these steps.

    candidate, champion : (n_steps,) results of the same steps, as shares of the same capital; no
        champion means staying flat.
    bound : as in ``bets``; or (n_steps,) the bound of each step, by what was known before it.
    The rest as in ``bets``.

    >>> luck = np.random.default_rng(1).normal(size=8_000)
    >>> read_once(0.05 + luck, alpha=0.05, bound=10.0, sd_guess=1.0).declared
    True
    >>> read_once(luck, alpha=0.05, bound=10.0, sd_guess=1.0).declared
    False
    """
    if champion is not None and champion.shape != candidate.shape:
        raise ValueError(f"{len(candidate)} steps against {len(champion)}: they must be the same")
    differences = candidate if champion is None else candidate - champion
    state = bets(1, alpha=alpha, bound=1.0, sd_guess=sd_guess, margin=margin)
    follow(state, 0, differences, bound)
    return standing(state)


def follow(state: Records, k: int, differences: F64, bound: float | F64) -> F64:
    """Step test ``k`` through all differences and return log K after each, ``(n_steps,)``.

    bound : one for all steps, or (n_steps,) one each, above zero.
    """
    log_e = np.empty(len(differences))
    bounds = np.broadcast_to(np.asarray(bound, np.float64), log_e.shape)
    if not (np.isfinite(bounds).all() and (bounds > 0.0).all()):
        raise ValueError("a bound must be a number above zero")
    bounded_scan(state, k, np.ascontiguousarray(differences, np.float64), bounds.copy(), log_e)
    return log_e


def bets(n: int, *, alpha: float, bound: float, sd_guess: float, margin: float = 0.0) -> Records:
    """Return ``(n,)`` tests before their first step (dtype BET).

    alpha    : chance allowed of ever declaring a candidate that is not what is asked.
    bound    : largest loss of a step against the champion (or flat), in units of the differences:
               what the stops enforce. It may be changed between two steps (``state[k].bound``), by
               what is known then: positions held, distances of their stops.
    sd_guess : standard deviation expected of the differences, from data before the first of them.
    margin   : by how much a step the candidate may be worse; 0 asks for better.
    """
    fit = 0.0 < alpha < 1.0 and bound > 0.0 and sd_guess > 0.0 and margin >= 0.0
    if not fit or not math.isfinite(bound + sd_guess + margin):
        raise ValueError(f"no such test: {alpha=} {bound=} {sd_guess=} {margin=}")
    state = np.zeros(n, BET)
    state["mean_square"] = sd_guess * sd_guess
    state["weight"] = GUESS_WEIGHT
    state["bound"] = bound
    state["margin"] = margin
    state["alpha"] = alpha
    return state


@inlined
def step(state: Records, k: int, difference: float) -> None:
    """Settle test ``k``'s bet on one difference, and learn from it for the next.

    A gain beyond the bound counts as the bound, so that no single bar decides. A loss counts in
    full: the test holds for losses of up to twice the bound, and a larger one may take everything,
    for ever. What is not a number counts as a loss of the bound.
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
        STAKE_SDS / math.sqrt(state[k].mean_square), BOUND_SHARE / (bound + state[k].margin)
    )
    kept = 1.0 + stake * d
    state[k].log_e += math.log(kept) if kept > 0.0 else -math.inf
    state[k].steps += 1
    if state[k].log_e > state[k].log_e_max:
        state[k].log_e_max = state[k].log_e
        if state[k].declared_step == 0 and state[k].log_e >= -math.log(state[k].alpha):
            state[k].declared_step = state[k].steps
    weight = min(state[k].weight + 1.0, MEMORY)
    if math.isfinite(d):
        state[k].mean_square += (d * d - state[k].mean_square) / weight
    state[k].weight = weight


@lean
def scan(state: Records, k: int, differences: F64, log_e: F64) -> None:
    """Step test ``k`` through history; ``log_e`` (n_steps,) is filled with log K after each."""
    for i in range(len(differences)):
        step(state, k, differences[i])
        log_e[i] = state[k].log_e


@lean
def bounded_scan(state: Records, k: int, differences: F64, bounds: F64, log_e: F64) -> None:
    """Step test ``k`` through history as ``scan`` does, each step with a bound of its own."""
    for i in range(len(differences)):
        state[k].bound = bounds[i]
        step(state, k, differences[i])
        log_e[i] = state[k].log_e


def standing(state: Records, k: int = 0) -> Standing:
    """Return how test ``k`` stands."""
    bet = state[k]
    return Standing(
        e_value=math.exp(min(float(bet["log_e"]), LOG_E_REPORTED_MAX)),
        e_value_max=math.exp(min(float(bet["log_e_max"]), LOG_E_REPORTED_MAX)),
        goal=1.0 / float(bet["alpha"]),
        steps=int(bet["steps"]),
        declared_step=int(bet["declared_step"]) or None,
        breaches=int(bet["breaches"]),
    )
