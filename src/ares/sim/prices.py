"""Prices of a synthetic market: clustered volatility, correlation, fat tails, a planted edge.

The planted edge. Each instrument has a hidden state ``x``: mean-reverting with a memory of 8 hours,
of mean 0 and deviation 1, half of its variance common to all. It is visible in the volume (ln v
rises by 0.7 x) and moves the price: each minute's expected log return is ``edge * 8 bps / 60 * x``,
of the state at the end of the minute before. At ``edge=1`` and x = 2 that is 80 bps over the next 8
hours, against a deviation of some 110 bps and costs of about 24 bps: no edge at one minute, a
tradeable one over hours, visible in ``volume_ratio_5_50`` and similar features on 15m and 1h bars.
At ``edge=0`` prices are a martingale: whatever a model finds there is luck.

The rest is noise like that of real markets: three regimes of volatility (calm, normal, wild) that
last hours to days, GARCH(1,1) within them (Bollerslev 1986), Student t innovations, one market
factor, a daily and weekly rhythm, volume that follows volatility, and highs and lows of a Brownian
bridge between open and close. A seed gives the same bits; a longer market begins with the shorter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.timeframe import DAY_MS, MINUTE_MS
from ares.kernel.bars import F64, I64, Bars
from ares.kernel.jit import allocating

VENUE = "simulated"
FROM_MS = 1_704_067_200_000  # 2024-01-01
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "ADA/USDT")

DRIFT_PER_BAR = 8e-4 / 60.0
"""Expected log return of a minute at edge 1 and state 1."""

MEMORY_BARS = 480
"""Time constant of the state, in minutes."""

STATE_IN_VOLUME = 0.7
TAIL_DEGREES = 5.0
INNOVATION_MAX = 12.0
REGIMES = np.array([0.6, 1.0, 2.2])
REGIME_BARS = np.array([36.0, 24.0, 6.0]) * 60.0


@dataclass(frozen=True, slots=True)
class HiddenState:
    """The hidden state, for tests.

    state  : symbol -> (n_bars,) the hidden state at the end of each bar.
    regime : (n_bars,) 0 calm, 1 normal, 2 wild; common to all.
    edge   : strength of the planted edge, 0 for none.
    """

    state: dict[str, F64]
    regime: I64
    edge: float

    def expected_return(self, symbol: str, horizon_bars: int) -> F64:
        """Return (n_bars,) the expected log return of the next ``horizon_bars`` minutes."""
        keep = _keep(MEMORY_BARS)
        reach = (1.0 - keep**horizon_bars) / (1.0 - keep)
        return np.asarray(self.edge * DRIFT_PER_BAR * reach * self.state[symbol])


@dataclass(frozen=True, slots=True)
class SyntheticMarket:
    """Synthetic candles (1m, without gaps) of several instruments, and their hidden state."""

    bars: dict[str, Bars]
    specs: dict[str, InstrumentSpec]
    hidden: HiddenState


@dataclass(frozen=True, slots=True)
class InstrumentParams:
    """Parameters of an instrument: volatility per minute, share from the market factor, volume."""

    price: float
    price_decimals: int
    sigma: float
    market_share: float
    volume: float


_KNOWN = {
    "BTC/USDT": InstrumentParams(42_000.0, 2, 4.5e-4, 0.90, 12.0),
    "ETH/USDT": InstrumentParams(2_300.0, 2, 5.0e-4, 0.85, 180.0),
    "SOL/USDT": InstrumentParams(100.0, 3, 7.5e-4, 0.70, 2_500.0),
    "ADA/USDT": InstrumentParams(0.60, 5, 7.0e-4, 0.70, 90_000.0),
}


def simulate(
    symbols: Sequence[str] = SYMBOLS,
    *,
    days: int = 60,
    seed: int = 7,
    edge: float = 1.0,
    from_ms: int = FROM_MS,
) -> SyntheticMarket:
    """Return ``days`` of 1m candles of every symbol, and the hidden state.

    edge    : strength of the planted edge (see the module); 0 is pure noise.
    from_ms : open time of the first bar, on a full minute.
    """
    ts_ms, regime, market_vol_scale, market = market_wide(days, seed, from_ms, REGIMES)
    n = len(ts_ms)
    tide = mean_reverting(stream(seed, "tide").standard_normal(n), MEMORY_BARS)
    crowd = mean_reverting(stream(seed, "crowd").standard_normal(n), 3 * MEMORY_BARS)

    bars: dict[str, Bars] = {}
    specs: dict[str, InstrumentSpec] = {}
    states: dict[str, F64] = {}
    for symbol in symbols:
        params = params_of(symbol)
        own = mean_reverting(stream(seed, symbol, "state").standard_normal(n), MEMORY_BARS)
        state = np.sqrt(0.5) * (tide + own)
        moves, vol_scale = garch(innovations(seed, symbol, n), market_vol_scale)
        shock = np.sqrt(params.market_share) * market + np.sqrt(1.0 - params.market_share) * moves
        chance = stream(seed, symbol, "range").random((n, 2))
        loud = stream(seed, symbol, "volume").standard_normal(n)
        columns = _candles(
            *(shock, vol_scale, state, crowd, loud, chance),
            *(
                params.price,
                params.sigma,
                params.volume,
                edge * DRIFT_PER_BAR,
                10.0**params.price_decimals,
            ),
        )
        bars[symbol] = Bars.make(ts_ms, *columns)
        specs[symbol] = InstrumentSpec(Instrument(VENUE, symbol), params.price_decimals, 5, 5.0)
        states[symbol] = state
    return SyntheticMarket(bars, specs, HiddenState(states, regime, edge))


def params_of(symbol: str) -> InstrumentParams:
    """Return the parameters of ``symbol``; those of an unknown one derive from its name."""
    if symbol in _KNOWN:
        return _KNOWN[symbol]
    digits = hashlib.sha256(symbol.encode()).digest()
    magnitude = digits[0] % 5 - 1
    price = 10.0**magnitude * (1.0 + digits[1] / 32.0)
    return InstrumentParams(
        price=price,
        price_decimals=5 - magnitude,
        sigma=4e-4 + digits[2] / 255.0 * 5e-4,
        market_share=0.5 + digits[3] / 255.0 * 0.4,
        volume=5e5 / price,
    )


def stream(seed: int, *names: str) -> np.random.Generator:
    """Return the random numbers of one part of the market, independent of the others."""
    digits = hashlib.sha256("|".join((str(seed), *names)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digits[:16], "little"))


def innovations(seed: int, name: str, n: int) -> F64:
    """Return (n,) Student t innovations of unit variance."""
    drawn = stream(seed, name, "innovations").standard_t(TAIL_DEGREES, n)
    unit = drawn * np.sqrt((TAIL_DEGREES - 2.0) / TAIL_DEGREES)
    return np.asarray(np.clip(unit, -INNOVATION_MAX, INNOVATION_MAX))


class MarketWide(NamedTuple):
    """What all instruments of a market share, (n_bars,) each.

    ts_ms : open times. regime : 0 calm, 1 normal, 2 wild. vol_scale : of it and of the rhythm.
    moves : of the common factor, with clustered volatility.
    """

    ts_ms: I64
    regime: I64
    vol_scale: F64
    moves: F64


def market_wide(days: int, seed: int, from_ms: int, regime_scale: F64) -> MarketWide:
    """Return what the instruments of a market share; regime_scale: (3,) volatility in each regime.

    Raises ValueError for less than a day.
    """
    if days < 1:
        raise ValueError(f"days must be at least 1, not {days}")
    n = days * DAY_MS // MINUTE_MS
    ts_ms = from_ms + MINUTE_MS * np.arange(n, dtype=np.int64)
    regime = regimes(stream(seed, "regimes").random((n, 2)), REGIME_BARS)
    vol_scale = regime_scale[regime] * rhythm_of(ts_ms)
    moves = garch(innovations(seed, "market", n), vol_scale)[0]
    return MarketWide(ts_ms, regime, vol_scale, moves)


def rhythm_of(ts_ms: I64) -> F64:
    """Return (n,) the daily and weekly rhythm of volatility, about 1."""
    day = 2.0 * np.pi * (ts_ms % DAY_MS) / DAY_MS
    weekday = (ts_ms // DAY_MS + 3) % 7
    return np.asarray((1.0 - 0.3 * np.cos(day - np.pi / 6.0)) * np.where(weekday >= 5, 0.75, 1.0))


def _keep(memory_bars: float) -> float:
    return float(np.exp(-1.0 / memory_bars))


@allocating
def regimes(chance: NDArray[np.float64], regime_bars: F64) -> I64:
    """Return (n,) the regime of each bar; ``chance`` is (n, 2) uniform.

    regime_bars : (3,) mean duration of each regime.
    """
    n = chance.shape[0]
    regime = np.empty(n, np.int64)
    now = 1
    for t in range(n):
        if chance[t, 0] < 1.0 / regime_bars[now]:
            now = (0 if chance[t, 1] < 0.6 else 2) if now == 1 else 1
        regime[t] = now
    return regime


@allocating
def mean_reverting(noise: F64, memory_bars: float) -> F64:
    """Return (n,) a stationary Ornstein-Uhlenbeck path of mean 0 and variance 1."""
    keep = np.exp(-1.0 / memory_bars)
    kick = np.sqrt(1.0 - keep * keep)
    path = np.empty_like(noise)
    x = noise[0]
    for t in range(len(noise)):
        x = keep * x + kick * noise[t]
        path[t] = x
    return path


@allocating
def garch(innovations: F64, vol_scale: F64) -> tuple[F64, F64]:
    """Return (n,) moves of variance ``vol_scale`` squared on average, and their deviation."""
    moves = np.empty_like(innovations)
    deviation = np.empty_like(innovations)
    variance = 1.0
    for t in range(len(innovations)):
        deviation[t] = vol_scale[t] * np.sqrt(variance)
        moves[t] = deviation[t] * innovations[t]
        square = min(innovations[t] * innovations[t], 25.0)
        variance = min(0.01 + 0.05 * variance * square + 0.94 * variance, 16.0)
    return moves, deviation


@allocating
def _candles(
    shock: F64,
    vol_scale: F64,
    state: F64,
    crowd: F64,
    loud: F64,
    chance: NDArray[np.float64],
    price: float,
    sigma: float,
    volume: float,
    drift: float,
    scale: float,
) -> tuple[F64, F64, F64, F64, F64]:
    """Return open, high, low, close (on the grid of 1 / scale) and volume, (n,) each."""
    n = len(shock)
    o, h, l, c, v = np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(n)  # noqa: E741 - as in OHLC
    level = np.log(price)
    last = np.rint(price * scale) / scale
    before = 0.0
    for t in range(n):
        wide = sigma * vol_scale[t]
        move = drift * before + sigma * shock[t] - 0.5 * wide * wide
        before = state[t]
        # Highest and lowest point of a Brownian bridge over the move (Karatzas & Shreve 1991).
        up = 0.5 * (move + np.sqrt(move * move - 2.0 * wide * wide * np.log(1.0 - chance[t, 0])))
        down = 0.5 * (move - np.sqrt(move * move - 2.0 * wide * wide * np.log(1.0 - chance[t, 1])))
        o[t] = last
        c[t] = max(np.rint(np.exp(level + move) * scale), 1.0) / scale
        h[t] = max(np.rint(np.exp(level + up) * scale) / scale, o[t], c[t])
        l[t] = min(max(np.rint(np.exp(level + down) * scale), 1.0) / scale, o[t], c[t])
        level += move
        last = c[t]
        log_volume = STATE_IN_VOLUME * state[t] + 0.3 * crowd[t] + 0.5 * loud[t]
        size = volume * vol_scale[t] * (0.6 + 0.5 * abs(move) / wide) * np.exp(log_volume)
        v[t] = np.rint(size * 1e5) / 1e5
    return o, h, l, c, v
