"""Sharpe ratios read beside luck: probabilistic (PSR) and deflated by the number of trials (DSR).

Bailey & López de Prado 2014, The Deflated Sharpe Ratio, Journal of Portfolio Management 40(5):
the best of many worthless recipes has a fine Sharpe ratio, so a Sharpe ratio is compared with
the one that the best of as many recipes without skill would be expected to show.

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
"""With fewer there is no saying: the formulas hold for many, and skew and kurtosis want them."""

SPREAD_MIN = 1e-12
"""Returns closer together than this share of the largest do not vary."""


class Moments(msgspec.Struct, frozen=True):
    """A series of returns in numbers.

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
    """A Sharpe ratio beside luck.

    hurdle : Sharpe ratio expected of the best of ``trials`` recipes without skill.
    dsr    : probability that the true Sharpe ratio is above the hurdle.
    """

    sharpe: float
    trials: int
    hurdle: float
    dsr: float


def deflate(returns: F64, trials: int, variance: float | None) -> DeflatedSharpe | None:
    """Return how the Sharpe ratio of ``returns`` stands against the best of ``trials`` by luck.

    returns  : (n,) per observation, after costs.
    trials   : distinct recipes tried; a refit is none.
    variance : of the trials' Sharpe ratios (``trial_variance``); not asked for with one trial.
    returns  : None where nothing can be said: too few observations, returns that do not vary, or
               several trials whose variance is not known.
    """
    seen = moments(returns)
    hurdle = expected_best(trials, variance)
    if seen is None or hurdle is None:
        return None
    dsr = probabilistic_sharpe(seen.sharpe, seen.observations, seen.skew, seen.kurtosis, hurdle)
    return None if dsr is None else DeflatedSharpe(seen.sharpe, trials, hurdle, dsr)


def deflated_sharpe(
    sharpe: float,
    observations: int,
    skew: float,
    kurtosis: float,
    trials: int,
    variance: float | None,
) -> float | None:
    """Return the Deflated Sharpe Ratio: the probability that a Sharpe ratio is more than luck.

    The example of the paper: an annual 2.5 over five years of 250 days, the best of 100 trials
    whose annual Sharpe ratios have a variance of 1/2.

    >>> round(deflated_sharpe(2.5 / 250**0.5, 1250, -3.0, 10.0, trials=100, variance=0.5 / 250), 4)
    0.9004
    """
    hurdle = expected_best(trials, variance)
    if hurdle is None:
        return None
    return probabilistic_sharpe(sharpe, observations, skew, kurtosis, hurdle)


def probabilistic_sharpe(
    sharpe: float, observations: int, skew: float, kurtosis: float, benchmark: float = 0.0
) -> float | None:
    """Return the probability that the true Sharpe ratio is above ``benchmark``.

    Bailey & López de Prado 2012, The Sharpe Ratio Efficient Frontier, Journal of Risk 15(2).

    returns : None with fewer than OBSERVATIONS_MIN observations, or where a number is not finite
              or the ratio would be known without doubt.

    >>> probabilistic_sharpe(0.1, 1001, 0.0, 3.0, benchmark=0.1)
    0.5
    """
    from scipy.special import ndtr

    doubt = 1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
    known = math.isfinite(doubt) and math.isfinite(benchmark)
    if observations < OBSERVATIONS_MIN or not known or doubt <= 0.0:
        return None
    return float(ndtr((sharpe - benchmark) * math.sqrt((observations - 1) / doubt)))


def expected_best(trials: int, variance: float | None) -> float | None:
    """Return the Sharpe ratio expected of the best of ``trials`` recipes without skill.

    variance : of the trials' Sharpe ratios. One trial was not chosen among others: its hurdle is
               0 whatever the variance. Of several trials it must be known, else None.

    >>> round(expected_best(100, 0.5 / 250), 4)
    0.1132
    >>> expected_best(1, None)
    0.0
    """
    from scipy.special import ndtri

    if trials < 1:
        raise ValueError(f"{trials} trials: what is judged is a trial itself")
    if trials == 1:
        return 0.0
    if variance is None or not math.isfinite(variance) or variance < 0.0:
        return None
    gamma = float(np.euler_gamma)
    best = -(1.0 - gamma) * ndtri(1.0 / trials) - gamma * ndtri(1.0 / (trials * math.e))
    return math.sqrt(variance) * float(best)


def trial_variance(sharpes: F64) -> float | None:
    """Return the variance of the trials' Sharpe ratios, or None with fewer than two known.

    sharpes : (n_trials,) per observation; not finite where a trial made too few trades to have one.

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
