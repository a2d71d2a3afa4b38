"""The anytime-valid paired test: a bet against "no better", which may be read after every step.

The bet itself is the kernel's (``kernel.betting``, with the source): the engine reads the same
test while it runs. Three questions, one test:

* beats staying flat: ``d`` is the candidate's result;
* better than the champion: ``d`` is the candidate's result less the champion's;
* not worse than the champion (a refit): the same with a ``margin`` that is added to ``d``.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from ares.kernel.bars import F64
from ares.kernel.e_process import bets, bounded_scan, scan
from ares.kernel.trade.layout import Records

__all__ = ["EProcessState", "bets", "follow", "read_once", "scan", "standing"]

LOG_E_REPORTED_MAX = 690.0
"""exp(690) is the largest e-value that is written out; beyond it nothing is left to say."""


class EProcessState(msgspec.Struct, frozen=True):
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
) -> EProcessState:
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


def standing(state: Records, k: int = 0) -> EProcessState:
    """Return how test ``k`` stands."""
    bet = state[k]
    return EProcessState(
        e_value=math.exp(min(float(bet["log_e"]), LOG_E_REPORTED_MAX)),
        e_value_max=math.exp(min(float(bet["log_e_max"]), LOG_E_REPORTED_MAX)),
        goal=1.0 / float(bet["alpha"]),
        steps=int(bet["steps"]),
        declared_step=int(bet["declared_step"]) or None,
        breaches=int(bet["breaches"]),
    )
