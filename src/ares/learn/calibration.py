"""Calibration: from a model's raw score to a probability, and from that to an edge in bps."""

from __future__ import annotations

import msgspec
import numpy as np

from ares.kernel.bars import F64, Bools

P_MIN = 1e-6
"""Probabilities are clipped to [1e-6, 1 - 1e-6] before a logit is taken."""


SD_OF_LEVEL = 0.1
SD_OF_SLOPE = 0.35
"""Standard deviations of the prior of a calibration's level and slope, in log-odds.

A model with an area under the curve of 0.54, good for markets, has a slope of 0.14 per standard
deviation of its score. Measured on 39 walks over BTC, ETH and SOL, 1m to 1d: these priors took the
mean Brier skill from -0.0107 (plain Platt) to -0.0035.
"""

SD_OF_CALIBRATED_LEVEL = 0.05
SD_OF_CALIBRATED_SLOPE = 0.3
"""The same for scores that are log-odds of calibrated probabilities; the slope's mean is 1."""

SD_OF_PAYOFF = 0.35
"""Standard deviation of the prior of a payoff's slope, as a share of its mean."""

ITERATIONS_MAX = 50


class Platt(msgspec.Struct, frozen=True):
    """p = sigmoid(a * raw + b) (Platt 1999, Probabilistic outputs for support vector machines).

    >>> float(Platt(a=2.0, b=0.0).probability(np.array([0.0]))[0])
    0.5
    """

    a: float = 1.0
    b: float = 0.0

    def probability(self, raw: F64) -> F64:
        """Return the calibrated probabilities, ``(n,)`` for ``(n,)`` raw scores (log-odds)."""
        return sigmoid(self.a * raw + self.b)


class Payoff(msgspec.Struct, frozen=True):
    """Mean net result of won and of lost trades in units of the barrier width, both positive."""

    gain: float
    loss: float

    def edge_bps(self, p: F64, width: F64) -> F64:
        """Return the expected net return of a trade in bps, ``(n,)``: costs are inside.

        p, width : (n,) calibrated probability of a won trade; barriers' distance as a fraction.

        >>> Payoff(gain=0.9, loss=1.1).edge_bps(np.array([0.5, 0.6]), np.array([0.01, 0.01]))
        array([-10.,  10.])
        """
        edge: F64 = 1e4 * width * (p * self.gain - (1.0 - p) * self.loss)
        return edge


def fit_platt(
    raw: F64, won: Bools, *, overlap: int, base_rate: float, calibrated: bool = False
) -> Platt:
    """Return the maximum a posteriori calibration of held-out raw scores.

    Trades that overlap have correlated outcomes, so ``n`` rows count as ``n / overlap`` outcomes; a
    few dozen of those would fit a steep line to noise. The prior is normal: its level is that of
    the base rate, its slope 0 (no skill). The mean of calibrated scores has a prior slope of 1.
    With many outcomes the prior has no weight.

    A score that ranks the held-out trades in reverse is not inverted, which would fit noise: its
    slope becomes 0 and every probability about the base rate.

    raw, won  : (n,) scores of a model that was not fitted on these rows, and their outcomes.
    overlap   : rows that a trade lasts on average.
    base_rate : share of won trades among all outcomes known so far, fitted on or not.
    calibrated : True where the scores are log-odds of (a mean of) calibrated probabilities.
    """
    known = float(logit(np.array([base_rate]))[0])
    spread = float(raw.std()) if len(raw) else 0.0
    centre = float(raw.mean()) if len(raw) else 0.0
    weight = 1.0 / overlap
    slope, level = 0.0, 0.0
    if spread > 1e-9:
        z = (raw - centre) / spread
        prior, sd = (0.0, known), (SD_OF_SLOPE, SD_OF_LEVEL)
        if calibrated:
            prior, sd = (spread, centre), (SD_OF_CALIBRATED_SLOPE * spread, SD_OF_CALIBRATED_LEVEL)
        slope, level = _newton(z, won, weight, prior, sd)
    if slope <= 0.0:
        sd = (SD_OF_SLOPE, SD_OF_LEVEL)
        _, level = _newton(np.zeros(len(raw)), won, weight, (0.0, known), sd)
        return Platt(0.0, level)
    return Platt(slope / spread, level - slope * centre / spread)


def fit_payoff(
    net: F64,
    width: F64,
    p: F64 | None = None,
    *,
    overlap: int = 1,
) -> Payoff:
    """Return the mean result of wins and losses, from which the expected result of a trade follows.

    The line of a trade's result on p goes through the mean of all. Its slope would be that of wins
    and losses if these paid the same at every p; but what makes a win likelier makes it larger
    too. So the slope is estimated from the probabilities of held-out trades, with a prior of
    standard deviation SD_OF_PAYOFF around that of the means, which is what few outcomes leave.
    Without any outcome a win pays 0 and a loss costs 1.

    net, width : (n,) of trades whose outcome was known before the trades that it is applied to.
    p          : (n,) calibrated probabilities of those of them that were held out; NaN elsewhere.
    overlap    : rows that a trade lasts on average.
    """
    won = net > 0.0
    in_widths = net / width
    gain = float(in_widths[won].mean()) if won.any() else 0.0
    loss = float(-in_widths[~won].mean()) if (~won).any() else 1.0
    slope = gain + loss
    if p is None:
        return Payoff(gain, loss)
    held = np.flatnonzero(np.isfinite(p))
    if len(held) < 2:
        return Payoff(gain, loss)
    x, y = p[held] - p[held].mean(), in_widths[held] - in_widths[held].mean()
    noise = max(float(y.var()), 1e-12)
    precision = float(x @ x) / (overlap * noise)
    prior = 1.0 / (SD_OF_PAYOFF * slope) ** 2
    slope = (float(x @ y) / (overlap * noise) + prior * slope) / (precision + prior)
    slope = max(slope, gain + loss)
    base, mean = float(won.mean()), float(in_widths.mean())
    return Payoff(mean + slope * (1.0 - base), slope * base - mean)


def sigmoid(raw: F64) -> F64:
    """Return 1 / (1 + exp(-raw)) without overflow, ``(n,)``."""
    half: F64 = 0.5 * (1.0 + np.tanh(0.5 * raw))
    return half


def logit(p: F64) -> F64:
    """Return the log-odds of probabilities clipped to [P_MIN, 1 - P_MIN], ``(n,)``."""
    clipped = np.clip(p, P_MIN, 1.0 - P_MIN)
    odds: F64 = np.log(clipped / (1.0 - clipped))
    return odds


def _newton(
    z: F64,
    won: Bools,
    weight: float,
    prior_mean: tuple[float, float],
    prior_sd: tuple[float, float],
) -> tuple[float, float]:
    """Minimise weighted log loss of sigmoid(slope * z + level) plus the prior, by damped Newton.

    prior_mean, prior_sd : of (slope, level). Loss and prior are convex, so there is one minimum.
    """
    target = won.astype(np.float64)
    expected = np.array(prior_mean)
    at, precision = expected, 1.0 / np.array(prior_sd) ** 2

    def loss(point: F64) -> float:
        score = point[0] * z + point[1]
        fit = float(np.sum(np.logaddexp(0.0, score) - target * score))
        return weight * fit + 0.5 * float(np.sum(precision * (point - expected) ** 2))

    now = loss(at)
    for _ in range(ITERATIONS_MAX):
        p = sigmoid(at[0] * z + at[1])
        error, curvature = p - target, p * (1.0 - p)
        gradient = np.array([error @ z, error.sum()])
        hessian = np.array([[curvature @ (z * z), curvature @ z], [curvature @ z, curvature.sum()]])
        step = np.linalg.solve(
            weight * hessian + np.diag(precision),
            weight * gradient + precision * (at - expected),
        )
        size = 1.0
        while (tried := loss(at - size * step)) > now and size > 1e-6:
            size /= 2.0
        if now - tried < 1e-12 * max(1.0, abs(now)):
            break
        at, now = at - size * step, tried
    return float(at[0]), float(at[1])
