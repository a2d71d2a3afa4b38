"""Baselines: rules that anyone could follow, for a model to be better than."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ares.domain.errors import UserError
from ares.domain.timeframe import Timeframe
from ares.learn.gate.baselines import HOLD_COLLAR_BPS, sma_level
from ares.research.market import Candles, complete_closes, several
from ares.research.strategy import Strategy, long_flat


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
        raise UserError(
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
