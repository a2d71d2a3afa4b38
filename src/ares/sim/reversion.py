"""Minute candles of a synthetic market whose planted edge is mean reversion.

The planted edge. With ``x`` the distance of the log close from its exponential mean of 10 hours, in
its own standard deviations (of 10 days), the expected log return of the next minute is
``-edge * 0.014 * sign(x) * (min(|x|, 2.2) / 1.5)^4`` of that minute's standard deviation. It
is the same on both sides, so that holding earns nothing, and a rule that follows the trend loses.
It is visible in ``bollinger_20`` and similar features. At ``edge=0`` prices are a martingale.

The noise is that of ``prices`` (twice the volatility, milder regimes), with its instruments
and their common market factor: GARCH, Student t innovations, a daily and weekly rhythm, highs and
lows of a Brownian bridge. A seed gives the same bits; a longer market begins with the shorter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ares.domain.instrument import Instrument, InstrumentSpec
from ares.kernel.bars import F64, Bars
from ares.kernel.jit import allocating
from ares.sim.hours import bridged_candles
from ares.sim.prices import (
    FROM_MS,
    VENUE,
    garch,
    innovations,
    market_wide,
    params_of,
    stream,
)

MEAN_BARS = 600.0
"""Time constant of the mean that prices revert to, in minutes."""

SPREAD_BARS = 14_400.0
"""Time constant of the deviation that the distance is measured in."""

REGIMES = np.array([0.8, 1.0, 1.5])
"""Volatility in each regime: milder than in ``prices``, so that the chance to win varies less."""

SIGMA_SCALE = 2.0
"""Volatility as a multiple of that of ``prices``: moves of hours are several times the costs."""

PULL_SIGMAS = 0.014
"""Expected return of a minute at edge 1 and x = 1.5, in that minute's standard deviations."""

PULL_AT, PULL_MAX, PULL_POWER = 1.5, 2.2, 4.0


@dataclass(frozen=True, slots=True)
class RevertingMarket:
    """Synthetic candles (1m, without gaps) of several instruments, and the values behind them.

    away  : symbol -> (n_bars,) ``x`` of the module's docstring at each close.
    drift : symbol -> (n_bars,) expected log return of the minute after each.
    """

    bars: dict[str, Bars]
    specs: dict[str, InstrumentSpec]
    away: dict[str, F64]
    drift: dict[str, F64]


def reverting(
    symbols: Sequence[str],
    *,
    days: int,
    seed: int = 7,
    edge: float = 1.0,
    from_ms: int = FROM_MS,
) -> RevertingMarket:
    """Return ``days`` of 1m candles of every symbol, and the values behind them.

    edge    : strength of the planted edge (see the module); 0 is pure noise.
    from_ms : open time of the first bar, on a full minute.
    """
    ts_ms, _, market_scale, market = market_wide(days, seed, from_ms, REGIMES)
    n = len(ts_ms)
    made = RevertingMarket({}, {}, {}, {})
    for symbol in symbols:
        params = params_of(symbol)
        moves, scale = garch(innovations(seed, symbol, n), market_scale)
        shock = np.sqrt(params.market_share) * market + np.sqrt(1.0 - params.market_share) * moves
        sigma = SIGMA_SCALE * params.sigma
        wide = sigma * scale
        moved, away, drift = _pulled(
            sigma * shock, wide, edge * PULL_SIGMAS, MEAN_BARS, SPREAD_BARS, PULL_MAX, PULL_POWER
        )
        chance = stream(seed, symbol, "range").random((n, 2))
        columns = bridged_candles(
            moved - 0.5 * wide * wide, wide, chance, params.price, 10.0**params.price_decimals
        )
        loud = 0.5 * stream(seed, symbol, "volume").standard_normal(n)
        size = params.volume * scale * (0.6 + 0.5 * np.abs(moved) / wide) * np.exp(loud)
        made.bars[symbol] = Bars.make(ts_ms, *columns, np.rint(size * 1e5) / 1e5)
        made.specs[symbol] = InstrumentSpec(
            Instrument(VENUE, symbol), params.price_decimals, 5, 5.0
        )
        made.away[symbol], made.drift[symbol] = away, drift
    return made


@allocating
def _pulled(
    shock: F64,
    wide: F64,
    pull: float,
    mean_bars: float,
    spread_bars: float,
    away_max: float,
    power: float,
) -> tuple[F64, F64, F64]:
    """Return each bar's log return including the edge, the distance of its close from the mean, and
    the expected return of the next bar, (n,) each.

    mean_bars, spread_bars : time constants of the mean, and of the deviation of the distance.
    """
    n = len(shock)
    moved, away, drift = np.empty(n), np.zeros(n), np.zeros(n)
    of_mean, of_spread = 1.0 - np.exp(-1.0 / mean_bars), 1.0 - np.exp(-1.0 / spread_bars)
    distance = 0.0
    square = 0.5 * mean_bars * wide[0] * wide[0]
    for t in range(n):
        moved[t] = shock[t] + (drift[t - 1] if t > 0 else 0.0)
        distance = (1.0 - of_mean) * (distance + moved[t])
        square += of_spread * (distance * distance - square)
        away[t] = distance / np.sqrt(square)
        if t + 1 < n:
            size = (min(abs(away[t]), away_max) / PULL_AT) ** power
            drift[t] = -pull * np.sign(away[t]) * size * wide[t + 1]
    return moved, away, drift
