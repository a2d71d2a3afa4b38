"""Baselines: rules that anyone could follow, for a model to be better than."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ares.domain.errors import UserMistake
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import F64
from ares.kernel.trade import to_grid
from ares.research.market import Candles, complete_closes, several
from ares.research.strategy import Strategy, long_flat

HOLD_COLLAR_BPS = 20.0
"""Who buys once can wait for a bar that does not jump, and so leaves less cash idle."""


def buy_hold(candles: Candles | Sequence[Candles]) -> Strategy:
    """Return the strategy that buys at the first chance and never sells."""
    always = [np.ones(len(one.bars)) for one in several(candles)]
    return long_flat(several(candles), always, "buy & hold", collar_bps=HOLD_COLLAR_BPS)


def sma_cross(
    candles: Candles | Sequence[Candles],
    fast_bars: int = 20,
    slow_bars: int = 100,
    timeframe: Timeframe | None = None,
) -> Strategy:
    """Return the strategy that is long while the fast simple moving average is above the slow one.

    It follows the level, not the crossing, and has no opinion until the slow average exists.

    timeframe : of the closes that are averaged; None: the candles' own.

    Raises UserMistake when the averages are not 1 <= fast < slow.
    """
    if not 1 <= fast_bars < slow_bars:
        raise UserMistake(
            f"sma_cross {fast_bars}/{slow_bars}: the fast average must have at least 1 bar and "
            "fewer than the slow one"
        )
    levels = []
    for one in several(candles):
        if timeframe is None or timeframe is one.timeframe:
            levels.append(sma_level(one.bars.close, one.spec.price_decimals, fast_bars, slow_bars))
            continue
        closes, closes_here = complete_closes(one, timeframe)
        level = np.full(len(one.bars), np.nan)
        level[closes_here] = sma_level(closes, one.spec.price_decimals, fast_bars, slow_bars)
        levels.append(level)
    name = f"sma_cross {fast_bars}/{slow_bars}"
    if timeframe is not None:
        name += f" on {timeframe.value}"
    return long_flat(several(candles), levels, name)


def sma_level(close: F64, price_decimals: int, fast_bars: int, slow_bars: int) -> F64:
    """Return 1 where the fast average is above the slow one, 0 where not, NaN until both exist.

    The averages are compared in whole ticks, where no rounding can turn a tie into a cross.

    >>> sma_level(np.array([1.0, 1.0, 2.0, 1.0]), 0, fast_bars=1, slow_bars=2)
    array([nan,  0.,  1.,  0.])
    """
    level = np.full(len(close), np.nan)
    if len(close) < slow_bars:
        return level
    total = np.concatenate([[0], np.cumsum(to_grid(close, price_decimals))])
    fast = total[slow_bars:] - total[slow_bars - fast_bars : -fast_bars]
    slow = total[slow_bars:] - total[:-slow_bars]
    level[slow_bars - 1 :] = fast * slow_bars > slow * fast_bars
    return level
