"""Synthetic hourly candles of several years, on which the gate itself is tested.

The planted edge is mean reversion. With ``x`` the distance of the log close from the mean of the
last 20, in their standard deviations, the expected log return of the next hour is
``-edge * 0.108 * sign(x) * (min(|x|, 2.2) / 1.5)^4`` of that hour's standard deviation: 1/50 of it
at one deviation, 1/9 at 1.5, 1/2 at 2.2 and beyond. It is the same on both sides, so that holding
earns nothing, and visible in the feature ``bollinger_20`` and similar ones. The rule that knows it
buys below -1.8 and sells above 0 (``rule_edges``). At ``edge=0`` the expected return of every hour
is zero whatever came before: whatever is found there is luck.

The noise is that of ``prices``: three regimes of volatility that last days, GARCH(1,1) within
them, Student t innovations of 5 degrees, a daily and weekly rhythm, volume that follows
volatility, highs and lows of a Brownian bridge. A seed gives the same bits; a longer market begins
with the shorter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.timeframe import HOUR_MS
from ares.kernel.bars import F64, Bars
from ares.kernel.jit import allocating
from ares.sim.prices import VENUE, garch, innovations, regimes, rhythm_of, stream

FROM_MS = 1_577_836_800_000  # 2020-01-01
HOURS = 35_064  # four years
SYMBOL = "BTC/USDT"
PRICE = 20_000.0
PRICE_DECIMALS = 2
SIGMA = 0.0045
"""Standard deviation of a normal hour."""

VOLUME = 900.0
REGIMES = np.array([0.7, 1.0, 1.8])
REGIME_BARS = np.array([240.0, 160.0, 40.0])

PULL_SIGMAS = 0.108
PULL_BARS = 20
PULL_AT, PULL_MAX, PULL_POWER = 1.5, 2.2, 4.0
BUY_BELOW, SELL_ABOVE = -1.8, 0.0


@dataclass(frozen=True, slots=True)
class HourlyMarket:
    """Hourly candles, and the hidden values behind them.

    away  : (n_bars,) ``x`` of the module's docstring at each close; 0 for the first 20 closes.
    drift : (n_bars,) expected log return of the hour after each.
    """

    bars: Bars
    spec: InstrumentSpec
    away: F64
    drift: F64

    def rule_edges(self) -> F64:
        """Return (n_bars,) 1 where the rule that knows the planted edge buys, -1 where it sells."""
        return np.where(self.away < BUY_BELOW, 1.0, np.where(self.away > SELL_ABOVE, -1.0, 0.0))


def hours(
    seed: int, edge: float, n: int = HOURS, from_ms: int = FROM_MS, turns_at: int | None = None
) -> HourlyMarket:
    """Return ``n`` hourly candles, and the hidden values.

    edge     : strength of the planted edge (see the module); 0 is pure noise.
    turns_at : bar from which on the edge is reversed; None: never.
    """
    ts_ms = from_ms + HOUR_MS * np.arange(n, dtype=np.int64)
    regime = regimes(stream(seed, "regimes").random((n, 2)), REGIME_BARS)
    moves, vol_scale = garch(innovations(seed, "hours", n), REGIMES[regime] * rhythm_of(ts_ms))
    wide = SIGMA * vol_scale
    turn = n if turns_at is None else turns_at
    moved, away, drift = _pulled(SIGMA * moves, wide, edge * PULL_SIGMAS, turn)
    loud = np.exp(0.35 * stream(seed, "volume").standard_normal(n))
    chance = stream(seed, "range").random((n, 2))
    columns = bridged_candles(moved - 0.5 * wide * wide, wide, chance, PRICE, 10.0**PRICE_DECIMALS)
    volume = np.rint(VOLUME * vol_scale * loud * 1e5) / 1e5
    spec = InstrumentSpec(Instrument(VENUE, SYMBOL), PRICE_DECIMALS, 5, 5.0)
    return HourlyMarket(Bars.make(ts_ms, *columns, volume), spec, away, drift)


@allocating
def _pulled(shock: F64, wide: F64, pull: float, turn: int) -> tuple[F64, F64, F64]:
    """Return each bar's log return including the edge, the distance of its close from the mean, and
    the expected return of the next bar, (n,) each; from bar ``turn`` on the edge is reversed.
    """
    n = len(shock)
    moved, away, drift = np.empty(n), np.zeros(n), np.zeros(n)
    level = np.zeros(n)
    for t in range(n):
        moved[t] = shock[t] + (drift[t - 1] if t > 0 else 0.0)
        level[t] = moved[t] + (level[t - 1] if t > 0 else 0.0)
        if t < PULL_BARS or t + 1 == n:
            continue
        last = level[t + 1 - PULL_BARS : t + 1]
        away[t] = (level[t] - last.mean()) / last.std()
        size = (min(abs(away[t]), PULL_MAX) / PULL_AT) ** PULL_POWER
        drift[t] = (pull if t >= turn else -pull) * np.sign(away[t]) * size * wide[t + 1]
    return moved, away, drift


@allocating
def bridged_candles(
    moved: F64, wide: F64, chance: F64, price: float, scale: float
) -> tuple[F64, F64, F64, F64]:
    """Return open, high, low and close on the grid of 1 / scale, (n,) each.

    moved, wide : (n,) log return of each bar, and its standard deviation; chance : (n, 2) uniform.
    """
    n = len(moved)
    o, h, l, c = np.empty(n), np.empty(n), np.empty(n), np.empty(n)  # noqa: E741 - as in OHLC
    level = np.log(price)
    last = np.rint(price * scale) / scale
    for t in range(n):
        move, square = moved[t], wide[t] * wide[t]
        # Highest and lowest point of a Brownian bridge over the move (Karatzas & Shreve 1991).
        up = 0.5 * (move + np.sqrt(move * move - 2.0 * square * np.log(1.0 - chance[t, 0])))
        down = 0.5 * (move - np.sqrt(move * move - 2.0 * square * np.log(1.0 - chance[t, 1])))
        o[t] = last
        c[t] = max(np.rint(np.exp(level + move) * scale), 1.0) / scale
        h[t] = max(np.rint(np.exp(level + up) * scale) / scale, o[t], c[t])
        l[t] = min(max(np.rint(np.exp(level + down) * scale), 1.0) / scale, o[t], c[t])
        level += move
        last = c[t]
    return o, h, l, c
