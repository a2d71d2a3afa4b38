"""The SMA cross in the form of the trade half: bars on their integer grid, signals of the level."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ares.domain.instrument import Instrument, InstrumentSpec
from ares.kernel.trade import (
    InstrumentRules,
    Market,
    Rules,
    Signals,
    TradeLog,
    first_state,
    scan,
    to_grid,
    trade_params,
)
from ares.kernel.trade.layout import SIZE_FIXED
from bench.bars import MINUTE_MS, columns

SPEC = InstrumentSpec(Instrument("binance", "BTC/USDT"), price_decimals=2, qty_decimals=5)
FAST_BARS, SLOW_BARS = 20, 100
EDGE_BPS = 50.0
WIDTH_BPS = 100.0
UNITS_PER_QUOTE = 1e8

PLAIN = replace(
    Rules().without_limits(),
    spread_bps=0.0,
    slippage_bps=0.0,
    participation_max=0.0,
    collar_bps=0.0,
    sizing=SIZE_FIXED,
    fixed_lots=10**SPEC.qty_decimals,
)
"""What the peers run: one unit a trade, 0.1% a side, next open, no slippage, no stop, no limit."""


def crossing(path: Path) -> tuple[Market, Signals]:
    """Return the bars of a file and the signals of the SMA cross on them."""
    bars = columns(path)
    prices = {
        name: to_grid(bars[name], SPEC.price_decimals)[:, None]
        for name in ("open", "high", "low", "close")
    }
    market = Market(
        bars["ts"] + MINUTE_MS,
        prices["open"],
        prices["high"],
        prices["low"],
        prices["close"],
        to_grid(bars["volume"], SPEC.qty_decimals)[:, None],
    )
    edge = np.where(long_wanted(prices["close"][:, 0]), EDGE_BPS, -EDGE_BPS)[:, None]
    flat = np.ones_like(edge)
    return market, Signals(0.6 * flat, edge, WIDTH_BPS * flat)


def long_wanted(close_ticks: np.ndarray) -> np.ndarray:
    """Return ``(n_bars,)`` True where SMA 20 > SMA 100, in whole ticks."""
    total = np.concatenate(([0], np.cumsum(close_ticks)))
    wanted = np.zeros(len(close_ticks), bool)
    fast = total[SLOW_BARS:] - total[SLOW_BARS - FAST_BARS : -FAST_BARS]
    slow = total[SLOW_BARS:] - total[:-SLOW_BARS]
    wanted[SLOW_BARS - 1 :] = fast * (SLOW_BARS // FAST_BARS) > slow
    return wanted


def trade(market: Market, signals: Signals, rules: Rules, cash_quote: float) -> TradeLog:
    """Return the result of the trade half with the signals."""
    traded = [InstrumentRules(SPEC, MINUTE_MS)]
    params = trade_params(rules, traded)
    return scan(market, signals, first_state(traded, cash_quote, params), params)


def head(market: Market, signals: Signals, rows: int) -> tuple[Market, Signals]:
    """Return the first rows of both."""
    return (
        Market(*(column[:rows] for column in market)),
        Signals(*(column[:rows] for column in signals)),
    )
