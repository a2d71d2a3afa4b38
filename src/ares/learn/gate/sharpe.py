"""Sharpe ratios as probabilities: probabilistic (PSR), and deflated by the number of trials (DSR).

Bailey & López de Prado 2014, The Deflated Sharpe Ratio, Journal of Portfolio Management 40(5):
the best of many recipes without skill has a high Sharpe ratio, so a Sharpe ratio is compared with
the one expected of the best of as many recipes without skill.

Every Sharpe ratio here is per observation (per day, per trade), never annualised; those of the
trials must be per the same kind of observation. An annual one is divided by the square root of
the observations of a year, an annual variance by their number.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from ares.kernel.bars import F64

OBSERVATIONS_MIN = 30
"""The formulas are asymptotic, and skew and kurtosis need this many observations."""

SPREAD_MIN = 1e-12
"""Returns closer together than this share of the largest do not vary."""


class Moments(msgspec.Struct, frozen=True):
    """Moments of a series of returns.

    sharpe   : mean / sd, per observation.
    skew     : 0 for a normal distribution.
    kurtosis : 3 for a normal distribution (not the excess).
    """

    observations: int
    mean: float
    sd: float
    sharpe: float
    skew: float
    kurtosis: float


class DeflatedSharpe(msgspec.Struct, frozen=True):
    """A Deflated Sharpe ratio.

    expected_max : Sharpe ratio expected of the best of ``trials`` recipes without skill.
    probability  : that the true Sharpe ratio is above it: the Deflated Sharpe ratio.
    """

    sharpe: float
    trials: int
    expected_max: float
    probability: float


def deflate(returns: F64, trials: int, variance: float | None) -> DeflatedSharpe | None:
    """Return the Deflated Sharpe ratio of ``returns`` over ``trials`` recipes.

    returns  : (n,) per observation, after costs.
    trials   : distinct recipes tried; a refit is none.
    variance : of the trials' Sharpe ratios (``trial_variance``); not needed with one trial.
    returns  : None where it is not defined: too few observations, returns that do not vary, or
               several trials whose variance is not known.
    """
    found = moments(returns)
    expected = expected_max(trials, variance)
    if found is None or expected is None:
        return None
    probability = probabilistic_sharpe(
        found.sharpe, found.observations, found.skew, found.kurtosis, expected
    )
    if probability is None:
        return None
    return DeflatedSharpe(found.sharpe, trials, expected, probability)


def deflated_sharpe(
    sharpe: float,
    observations: int,
    skew: float,
    kurtosis: float,
    trials: int,
    variance: float | None,
) -> float | None:
    """Return the Deflated Sharpe ratio: the probability of skill beyond selection among trials.

    The example of the paper: an annual 2.5 over five years of 250 days, the best of 100 trials
    whose annual Sharpe ratios have a variance of 1/2.

    >>> round(deflated_sharpe(2.5 / 250**0.5, 1250, -3.0, 10.0, trials=100, variance=0.5 / 250), 4)
    0.9004
    """
    expected = expected_max(trials, variance)
    if expected is None:
        return None
    return probabilistic_sharpe(sharpe, observations, skew, kurtosis, expected)


def probabilistic_sharpe(
    sharpe: float, observations: int, skew: float, kurtosis: float, benchmark: float = 0.0
) -> float | None:
    """Return the probability that the true Sharpe ratio is above ``benchmark``.

    Bailey & López de Prado 2012, The Sharpe Ratio Efficient Frontier, Journal of Risk 15(2).

    returns : None with fewer than OBSERVATIONS_MIN observations, or where a number is not finite
              or the variance of the estimate is not positive.

    >>> probabilistic_sharpe(0.1, 1001, 0.0, 3.0, benchmark=0.1)
    0.5
    """
    from scipy.special import ndtr

    variance = 1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
    known = math.isfinite(variance) and math.isfinite(benchmark)
    if observations < OBSERVATIONS_MIN or not known or variance <= 0.0:
        return None
    return float(ndtr((sharpe - benchmark) * math.sqrt((observations - 1) / variance)))


def expected_max(trials: int, variance: float | None) -> float | None:
    """Return the Sharpe ratio expected of the best of ``trials`` recipes without skill.

    variance : of the trials' Sharpe ratios. One trial was not selected among others: 0 is
               expected whatever the variance. Of several trials it must be known, else None.

    >>> round(expected_max(100, 0.5 / 250), 4)
    0.1132
    >>> expected_max(1, None)
    0.0
    """
    from scipy.special import ndtri

    if trials < 1:
        raise ValueError(f"{trials} trials: the evaluated recipe is a trial itself")
    if trials == 1:
        return 0.0
    if variance is None or not math.isfinite(variance) or variance < 0.0:
        return None
    gamma = float(np.euler_gamma)
    best = -(1.0 - gamma) * ndtri(1.0 / trials) - gamma * ndtri(1.0 / (trials * math.e))
    return math.sqrt(variance) * float(best)


def trial_variance(sharpes: F64) -> float | None:
    """Return the variance of the trials' Sharpe ratios, or None with fewer than two known.

    sharpes : (n_trials,) per observation; not finite where a trial has too few trades for one.

    >>> trial_variance(np.array([0.25, 0.75, np.nan]))
    0.125
    """
    known = sharpes[np.isfinite(sharpes)]
    return float(known.var(ddof=1)) if len(known) > 1 else None


def moments(returns: F64) -> Moments | None:
    """Return the moments of ``(n,)`` returns; None where too few, or where they do not vary."""
    n = len(returns)
    if n < OBSERVATIONS_MIN or not np.isfinite(returns).all():
        return None
    mean = float(returns.mean())
    away = returns - mean
    sd = float(np.sqrt(np.sum(away**2) / (n - 1)))
    if sd <= SPREAD_MIN * float(np.abs(returns).max()):
        return None
    z = away / np.sqrt(np.mean(away**2))
    return Moments(n, mean, sd, mean / sd, float(np.mean(z**3)), float(np.mean(z**4)))
