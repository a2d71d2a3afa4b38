"""The anytime-valid paired test: an e-process, which may be read after every step.

The e-process itself is the kernel's (``kernel.e_process``, with the source): the engine reads the
same test while it runs. It tests three hypotheses:

* beats staying flat: ``d`` is the candidate's result;
* better than the champion: ``d`` is the candidate's result less the champion's;
* not worse than the champion (a refit): the same with a ``margin`` that is added to ``d``.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from ares.kernel.bars import F64
from ares.kernel.e_process import bounded_scan, new_e_processes, scan
from ares.kernel.trade.layout import Records

__all__ = ["EProcessState", "evaluate_steps", "new_e_processes", "run_steps", "scan", "state_of"]

LOG_E_REPORTED_MAX = 690.0
"""exp(690) is the largest e-value that is reported: a larger one may overflow."""


class EProcessState(msgspec.Struct, frozen=True):
    """State of a test after some steps.

    e_value, e_value_max : the e-value now, and its maximum so far.
    threshold    : 1 / alpha.
    crossed_step : step at which the e-value first reached the threshold; None: it has not.
    breaches     : differences beyond the bound: with many of them the bound is wrong.
    """

    e_value: float
    e_value_max: float
    threshold: float
    steps: int
    crossed_step: int | None
    breaches: int

    @property
    def crossed(self) -> bool:
        """Return True once the threshold was reached, whatever came after."""
        return self.crossed_step is not None


def evaluate_steps(
    candidate: F64,
    champion: F64 | None = None,
    *,
    alpha: float,
    bound: float | F64,
    sd_guess: float,
    margin: float = 0.0,
) -> EProcessState:
    """Return the state of the test after all of these steps.

    candidate, champion : (n_steps,) results of the same steps, as shares of the same capital; no
        champion means staying flat.
    bound : as in ``new_e_processes``; or (n_steps,) the bound of each step, known before it.
    The rest as in ``new_e_processes``.

    >>> noise = np.random.default_rng(1).normal(size=8_000)
    >>> evaluate_steps(0.05 + noise, alpha=0.05, bound=10.0, sd_guess=1.0).crossed
    True
    >>> evaluate_steps(noise, alpha=0.05, bound=10.0, sd_guess=1.0).crossed
    False
    """
    if champion is not None and champion.shape != candidate.shape:
        raise ValueError(f"{len(candidate)} steps against {len(champion)}: they must be the same")
    differences = candidate if champion is None else candidate - champion
    state = new_e_processes(1, alpha=alpha, bound=1.0, sd_guess=sd_guess, margin=margin)
    run_steps(state, 0, differences, bound)
    return state_of(state)


def run_steps(state: Records, k: int, differences: F64, bound: float | F64) -> F64:
    """Step test ``k`` through all differences; return log e after each, ``(n_steps,)``.

    bound : one for all steps, or (n_steps,) one each, above zero.
    """
    log_e = np.empty(len(differences))
    bounds = np.broadcast_to(np.asarray(bound, np.float64), log_e.shape)
    if not (np.isfinite(bounds).all() and (bounds > 0.0).all()):
        raise ValueError("a bound must be a number above zero")
    bounded_scan(state, k, np.ascontiguousarray(differences, np.float64), bounds.copy(), log_e)
    return log_e


def state_of(state: Records, k: int = 0) -> EProcessState:
    """Return the state of test ``k``."""
    bet = state[k]
    return EProcessState(
        e_value=math.exp(min(float(bet["log_e"]), LOG_E_REPORTED_MAX)),
        e_value_max=math.exp(min(float(bet["log_e_max"]), LOG_E_REPORTED_MAX)),
        threshold=1.0 / float(bet["alpha"]),
        steps=int(bet["steps"]),
        crossed_step=int(bet["crossed_step"]) or None,
        breaches=int(bet["breaches"]),
    )
