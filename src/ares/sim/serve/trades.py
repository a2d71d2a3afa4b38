"""Trades made from 1m bars: prices, quantities and times that add up to each bar exactly.

Within a bar the price runs from the open to one extreme, to the other and to the close: first the
low where the bar rises, first the high where it falls. The quantities add up to the bar's volume,
so that a candle made from the trades is the bar to the last digit. Nothing is drawn at random: the
same bar of the same symbol gives the same trades.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ares.domain.timeframe import MINUTE_MS
from ares.kernel.bars import F64, I64, Bools

TRADES_PER_BAR = 8
LOT_DECIMALS = 8
"""Quantities are counted in units of 1e-8 of the base currency."""

WEIGHT_MAX = 8
"""A trade's share of the volume is between 1 and this many parts."""


class BarTicks(NamedTuple):
    """Bars in whole numbers, all (n_bars,): prices in ticks, volume in lots of 1e-8."""

    ts_ms: I64
    open: I64
    high: I64
    low: I64
    close: I64
    lots: I64

    def rows(self, first: int, last: int) -> BarTicks:
        """Return the bars from row ``first`` up to but not including ``last``."""
        return BarTicks(*(column[first:last] for column in self))


class TradeColumns(NamedTuple):
    """Trades in order, all (n_trades,).

    bar    : row of the trade's bar in the bars that the trades were made from.
    is_buy : the taker bought.
    """

    bar: I64
    ts_ms: I64
    ticks: I64
    lots: I64
    is_buy: Bools


def key_of(symbol: str) -> int:
    """Return the number that the trades of a symbol are derived from."""
    return zlib.crc32(symbol.encode())


def has_trades(bars: BarTicks) -> Bools:
    """Return (n_bars,) whether trades can be made: each needs a lot of its own, at least."""
    return np.asarray(bars.lots >= TRADES_PER_BAR * WEIGHT_MAX)


def trades_of(bars: BarTicks, key: int, lot_unit: int) -> TradeColumns:
    """Return the trades of ``bars``: ``TRADES_PER_BAR`` of each bar that has a volume.

    key      : of the symbol (``key_of``).
    lot_unit : quantities are multiples of this, where the bar's volume is large enough.
    """
    rows = np.flatnonzero(has_trades(bars))
    bars = BarTicks(*(column[rows] for column in bars))
    n = TRADES_PER_BAR
    minute = bars.ts_ms // MINUTE_MS
    ticks = _path(bars, _noise(key, minute, 1), _noise(key, minute, 2))
    lots = _shares(bars.lots, _noise(key, minute, 3), lot_unit)
    slot_ms = MINUTE_MS // n
    shift = np.stack([_noise(key, minute, 16 + k) % slot_ms for k in range(n)], axis=1)
    ts_ms = bars.ts_ms[:, None] + slot_ms * np.arange(n)[None, :] + shift
    before = np.concatenate([ticks[:, :1], ticks[:, :-1]], axis=1)
    chance = np.stack([_noise(key, minute, 32 + k) % 2 == 0 for k in range(n)], axis=1)
    is_buy = np.where(ticks == before, chance, ticks > before)
    return TradeColumns(
        np.repeat(rows, n), ts_ms.ravel(), ticks.ravel(), lots.ravel(), is_buy.ravel()
    )


def _path(bars: BarTicks, chance_first: I64, chance_second: I64) -> I64:
    """Return (n_bars, TRADES_PER_BAR) prices: open, both extremes and close are among them."""
    n = TRADES_PER_BAR
    rises = bars.close >= bars.open
    first = np.where(rises, bars.low, bars.high)
    second = np.where(rises, bars.high, bars.low)
    at_first = 1 + chance_first % (n // 2 - 1)
    at_second = n // 2 + chance_second % (n // 2 - 1)
    ticks = np.empty((len(rises), n), np.int64)
    for k in range(n):
        leg_1 = _between(bars.open, first, k, at_first)
        leg_2 = _between(first, second, k - at_first, at_second - at_first)
        leg_3 = _between(second, bars.close, k - at_second, n - 1 - at_second)
        ticks[:, k] = np.where(k <= at_first, leg_1, np.where(k <= at_second, leg_2, leg_3))
    return ticks


def _between(start: I64, end: I64, step: I64 | int, steps: I64) -> I64:
    """Return the price ``step`` of ``steps`` on the way from ``start`` to ``end``."""
    return np.asarray(start + (end - start) * step // steps)


def _shares(lots: I64, chance: I64, lot_unit: int) -> I64:
    """Return (n_bars, TRADES_PER_BAR) quantities, each above 0, that add up to ``lots``."""
    n = TRADES_PER_BAR
    weights = np.stack([1 + (chance >> (3 * k)) % WEIGHT_MAX for k in range(n)], axis=1)
    unit = np.where(lots >= n * WEIGHT_MAX * lot_unit, lot_unit, 1)
    units = lots // unit
    shares = units[:, None] * weights // weights.sum(axis=1)[:, None] * unit[:, None]
    shares[:, -1] += lots - shares.sum(axis=1)
    return np.asarray(shares)


def _noise(key: int, minute: I64, purpose: int) -> I64:
    """Return (n,) numbers from 0 to 2**62 that look random (SplitMix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        z: NDArray[np.uint64] = minute.astype(np.uint64) * np.uint64(64)
        z = z + np.uint64(purpose) + np.uint64(key << 32)
        z = z * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return np.asarray((z >> np.uint64(2)).astype(np.int64))


def decimals_of(values: F64) -> int:
    """Return the decimals, 8 at most, with which all ``values`` are written exactly.

    >>> decimals_of(np.array([27_000.5, 26_999.25]))
    2
    """
    for decimals in range(LOT_DECIMALS):
        scale = 10.0**decimals
        if np.array_equal(np.rint(values * scale) / scale, values):
            return decimals
    return LOT_DECIMALS
