"""Calibration: from a model's raw score to a probability, and from that to an edge in bps."""

from __future__ import annotations

import msgspec
import numpy as np

from ares.kernel.bars import F64, Bools

P_MIN = 1e-6
"""Probabilities are held inside [1e-6, 1 - 1e-6] before a logit is taken."""


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
    """Mean net result of a won and of a lost trade in widths of their barriers, both positive."""

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


def fit_platt(raw: F64, won: Bools, steps_max: int = 50) -> Platt:
    """Return the calibration of held-out raw scores.

    A score that ranks the held-out trades the wrong way round is not turned over, which would
    bet on noise: its slope becomes 0 and every probability the base rate.

    raw, won : (n,) scores of a model that has not seen these rows, and what happened.
    """
    wins, losses = int(np.count_nonzero(won)), int(np.count_nonzero(~won))
    target = np.where(won, (wins + 1.0) / (wins + 2.0), 1.0 / (losses + 2.0))
    flat = Platt(0.0, float(logit(np.array([(wins + 1.0) / (wins + losses + 2.0)]))[0]))
    spread = float(raw.std()) if len(raw) else 0.0
    if wins == 0 or losses == 0 or spread < 1e-9:
        return flat
    centre = float(raw.mean())
    z = (raw - centre) / spread
    slope, level = _newton(z, target, flat.b, steps_max)
    if slope <= 0.0:
        return flat
    return Platt(slope / spread, level - slope * centre / spread)


def fit_payoff(net: F64, width: F64, won: Bools) -> Payoff:
    """Return the mean result of wins and losses; without any, a win pays 0 and a loss costs 1."""
    in_widths = net / width
    gain = float(in_widths[won].mean()) if won.any() else 0.0
    loss = float(-in_widths[~won].mean()) if (~won).any() else 1.0
    return Payoff(gain, loss)


def sigmoid(raw: F64) -> F64:
    """Return 1 / (1 + exp(-raw)) without overflow, ``(n,)``."""
    half: F64 = 0.5 * (1.0 + np.tanh(0.5 * raw))
    return half


def logit(p: F64) -> F64:
    """Return the log-odds of probabilities held inside [P_MIN, 1 - P_MIN], ``(n,)``."""
    held = np.clip(p, P_MIN, 1.0 - P_MIN)
    odds: F64 = np.log(held / (1.0 - held))
    return odds


def _newton(z: F64, target: F64, level: float, steps_max: int) -> tuple[float, float]:
    """Minimise the log loss of sigmoid(slope * z + level) by damped Newton steps."""
    slope = 0.0
    loss = _log_loss(slope * z + level, target)
    for _ in range(steps_max):
        p = sigmoid(slope * z + level)
        error, weight = p - target, p * (1.0 - p)
        pull = np.array([error @ z, error.sum()])
        bend = np.array([[weight @ (z * z), weight @ z], [weight @ z, weight.sum()]])
        bend += 1e-9 * np.eye(2)
        step = np.linalg.solve(bend, pull)
        size = 1.0
        while size > 1e-6:
            tried_slope, tried_level = slope - size * step[0], level - size * step[1]
            tried = _log_loss(tried_slope * z + tried_level, target)
            if tried <= loss:
                break
            size /= 2.0
        else:
            break
        slope, level = float(tried_slope), float(tried_level)
        done = loss - tried < 1e-12 * max(1.0, abs(loss))
        loss = tried
        if done:
            break
    return slope, level


def _log_loss(score: F64, target: F64) -> float:
    return float(np.sum(np.logaddexp(0.0, score) - target * score))
