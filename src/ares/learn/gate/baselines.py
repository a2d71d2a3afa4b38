"""Baselines on the evaluated bars: rules that need no model, at the same costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ares.domain.timeframe import Timeframe
from ares.kernel.bars import F64, Bars
from ares.kernel.resample import resample
from ares.kernel.trade import Rules, Signals, to_grid
from ares.learn.gate.account import AccountTerms, EvidenceAccount, trade

HOLD_COLLAR_BPS = 20.0
"""A rule that buys once can wait for a bar without a jump, and a narrow collar idles less cash."""

FOLLOW_COLLAR_BPS = 100.0
CERTAIN_EDGE_BPS = 10_000.0
"""The edge of a rule whose signal is binary: above every threshold, or below."""

FAST_BARS, SLOW_BARS = 20, 100


def buy_and_hold(bars: Bars, interval_ms: int, terms: AccountTerms) -> EvidenceAccount:
    """Return the account that buys with all its cash on the first bar and never sells."""
    return _follow(bars, interval_ms, np.ones(len(bars)), terms, HOLD_COLLAR_BPS)


def sma_cross(
    bars: Bars, before: Bars, interval_ms: int, on: Timeframe, terms: AccountTerms
) -> EvidenceAccount:
    """Return the account that is long while the average of 20 closes is above that of 100.

    before : the bars that lead up to ``bars``: the averages exist from the first bar on.
    on     : the timeframe of the closes that are averaged.
    """
    whole = Bars.concat([before, bars])
    longer = resample(whole, interval_ms, on.ms)
    level = np.full(len(whole), np.nan)
    here = np.isin(whole.ts_ms + interval_ms, longer.ts_ms + on.ms, assume_unique=True)
    level[here] = sma_level(longer.close, terms.spec.price_decimals, FAST_BARS, SLOW_BARS)
    return _follow(bars, interval_ms, level[len(before) :], terms, FOLLOW_COLLAR_BPS)


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


def free_rules(rules: Rules, collar_bps: float, n_instruments: int) -> Rules:
    """Return the same costs without stops, limits and breakers; each instrument an equal share.

    Orders of any size are filled: a baseline is a measure, not a strategy to trade.
    """
    free = replace(rules.without_limits(), participation_max=0.0, collar_bps=collar_bps)
    affordable = affordable_share(free)
    return replace(free, position_max=affordable / n_instruments, exposure_max=affordable)


def affordable_share(rules: Rules) -> float:
    """Return the share of equity whose worst fill (at the collar, with the fee) takes it all.

    Positions and pending orders together stay below it, so that pending orders are always covered.
    """
    return 1.0 / ((1.0 + rules.collar_bps * 1e-4) * (1.0 + rules.fee_bps * 1e-4))


def _follow(
    bars: Bars, interval_ms: int, target: F64, terms: AccountTerms, collar_bps: float
) -> EvidenceAccount:
    edge = np.where(np.isnan(target), np.nan, np.where(target > 0, 1.0, -1.0) * CERTAIN_EDGE_BPS)
    unknown = np.full((len(bars), 1), np.nan)
    free = replace(terms, rules=free_rules(terms.rules, collar_bps, 1))
    return trade(bars, interval_ms, Signals(unknown, edge[:, None], unknown), free)
