"""Baselines that a model is compared with: buy & hold, and a moving average crossover."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ares.domain.errors import UserError
from ares.domain.timeframe import Timeframe
from ares.learn.gate.baselines import HOLD_COLLAR_BPS, sma_level
from ares.research.market import Candles, complete_closes, several
from ares.research.strategy import Strategy, long_flat


def buy_hold(candles: Candles | Sequence[Candles]) -> Strategy:
    """Return the strategy that buys at the first bar and never sells."""
    always = [np.ones(len(each.bars)) for each in several(candles)]
    return long_flat(several(candles), always, "buy & hold", collar_bps=HOLD_COLLAR_BPS)


def sma_cross(
    candles: Candles | Sequence[Candles],
    fast_bars: int = 20,
    slow_bars: int = 100,
    timeframe: Timeframe | None = None,
) -> Strategy:
    """Return the strategy that is long while the fast simple moving average is above the slow each.

    It follows the level, not the crossing, and has no signal until the slow average exists.

    timeframe : of the closes that are averaged; None: that of the candles.

    Raises UserError unless 1 <= fast < slow.
    """
    if not 1 <= fast_bars < slow_bars:
        raise UserError(
            f"sma_cross {fast_bars}/{slow_bars}: the fast average needs at least 1 bar and "
            "fewer bars than the slow average"
        )
    levels = []
    for each in several(candles):
        if timeframe is None or timeframe is each.timeframe:
            levels.append(
                sma_level(each.bars.close, each.spec.price_decimals, fast_bars, slow_bars)
            )
            continue
        closes, closes_here = complete_closes(each, timeframe)
        level = np.full(len(each.bars), np.nan)
        level[closes_here] = sma_level(closes, each.spec.price_decimals, fast_bars, slow_bars)
        levels.append(level)
    name = f"sma_cross {fast_bars}/{slow_bars}"
    if timeframe is not None:
        name += f" on {timeframe.value}"
    return long_flat(several(candles), levels, name)
