"""Mode confidence: the posterior probability that the net return per trade is above zero.

Normal-inverse-gamma posterior (Murphy 2007, "Conjugate Bayesian analysis of the Gaussian
distribution", section 6) over net returns per trade in bps, with exponential forgetting. The
prior says: no edge, with the weight of one trade, and a spread of 50 bps.
"""

from __future__ import annotations

import math

from ares.kernel.jit import inlined
from ares.kernel.trade.arrays import TradeParams
from ares.kernel.trade.layout import MODE_LEARNING, MODE_TRADING, Records

PRIOR_WEIGHT = 1.0
PRIOR_SHAPE = 1.0
PRIOR_SPREAD_BPS = 50.0


@inlined
def update_posterior(i: int, net_bps: float, book: Records, params: TradeParams) -> None:
    """Add one closed trade, real or virtual, to the posterior; update the mode confidence."""
    lane = book[i]
    keep = 1.0 - 1.0 / params.rules[0].forgetting_trades
    n = lane.posterior_n * keep
    m2 = lane.posterior_m2 * keep
    mean = lane.posterior_mean
    delta = net_bps - mean
    total = n + 1.0
    mean += delta / total
    m2 += delta * delta * n / total
    lane.posterior_n = total
    lane.posterior_mean = mean
    lane.posterior_m2 = m2
    lane.mode_confidence = probability_positive(total, mean, m2)


@inlined
def seed_posterior(i: int, trades: float, mean_bps: float, sd_bps: float, book: Records) -> None:
    """Start the posterior from (already discounted) validation trades."""
    m2 = sd_bps * sd_bps * trades
    book[i].posterior_n = trades
    book[i].posterior_mean = mean_bps
    book[i].posterior_m2 = m2
    book[i].mode_confidence = probability_positive(trades, mean_bps, m2)


@inlined
def probability_positive(n: float, mean_bps: float, m2: float) -> float:
    """Return P(mean > 0) after ``n`` trades of that mean and sum of squared deviations.

    >>> round(probability_positive(0.0, 0.0, 0.0), 6)
    0.5
    """
    weight = PRIOR_WEIGHT + n
    centre = n * mean_bps / weight
    shape = PRIOR_SHAPE + 0.5 * n
    scale = 0.5 * PRIOR_SPREAD_BPS * PRIOR_SPREAD_BPS * PRIOR_SHAPE
    scale += 0.5 * m2 + 0.5 * PRIOR_WEIGHT * n * mean_bps * mean_bps / weight
    t = centre / math.sqrt(scale / (shape * weight))
    return student_t_cdf(t, 2.0 * shape)


@inlined
def next_mode(mode: int, confidence: float, params: TradeParams) -> int:
    """Return the mode after hysteresis."""
    rules = params.rules[0]
    if confidence >= rules.trading_threshold:
        return MODE_TRADING
    if confidence < rules.trading_threshold - rules.hysteresis:
        return MODE_LEARNING
    return mode


@inlined
def student_t_cdf(t: float, df: float) -> float:
    """Return the distribution function of Student's t (Press et al. 2007, section 6.14.9)."""
    within = incomplete_beta(0.5, 0.5 * df, t * t / (df + t * t))  # P(-|t| < T < |t|)
    return 0.5 + 0.5 * within if t >= 0.0 else 0.5 - 0.5 * within


@inlined
def incomplete_beta(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function (Press et al. 2007, section 6.4)."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(log_front + a * math.log(x) + b * math.log(1.0 - x))
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _beta_fraction(a, b, x) / a
    return 1.0 - front * _beta_fraction(b, a, 1.0 - x) / b


@inlined
def _beta_fraction(a: float, b: float, x: float) -> float:
    """Evaluate the continued fraction of the incomplete beta function by Lentz's method."""
    tiny = 1e-300
    c = 1.0
    d = 1.0 - (a + b) * x / (a + 1.0)
    if abs(d) < tiny:
        d = tiny
    d = 1.0 / d
    h = d
    for m in range(1, 300):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        d = 1.0 + even * d
        if abs(d) < tiny:
            d = tiny
        c = 1.0 + even / c
        if abs(c) < tiny:
            c = tiny
        d = 1.0 / d
        h *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        d = 1.0 + odd * d
        if abs(d) < tiny:
            d = tiny
        c = 1.0 + odd / c
        if abs(c) < tiny:
            c = tiny
        d = 1.0 / d
        step = d * c
        h *= step
        if abs(step - 1.0) < 1e-15:
            break
    return h
