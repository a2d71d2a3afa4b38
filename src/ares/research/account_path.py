"""Cash, positions and execution costs over time, computed from the fills alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ares.domain.instrument import InstrumentSpec
from ares.kernel.bars import F64, I64, Bools
from ares.kernel.trade import Market, TradeLog
from ares.kernel.trade.layout import STOP, Records
from ares.research.market import last_known


@dataclass(frozen=True, slots=True)
class AccountPath:
    """Cash and positions at each close, money in units of 1e-8 quote.

    cash  : (n_bars,) after the fills so far.
    gross : (n_bars,) positions at the last known closes; cash + gross is the equity.
    held  : (n_bars,) whether there is any position.
    """

    cash: I64
    gross: I64
    held: Bools


@dataclass(frozen=True, slots=True)
class ExecutionCosts:
    """Costs of trading against the price on the chart, in quote currency.

    spread   : half the spread on the notional of each fill.
    slippage : the rest of the difference to the fill price: impact, and rounding to the tick.
    traded   : notional of all fills.
    """

    fees: float
    spread: float
    slippage: float
    traded: float

    @property
    def total(self) -> float:
        """Return fees, spread and slippage together."""
        return self.fees + self.spread + self.slippage


def account_path(
    market: Market,
    specs: Sequence[InstrumentSpec],
    base_ms: Sequence[int],
    log: TradeLog,
    cash_units: int,
) -> AccountPath:
    """Return cash and positions at each close of ``market``, from fills and closes."""
    n = len(market.close_ms)
    fills = log.fills
    instruments = fills["instrument"]
    rows = fill_rows(market.close_ms, base_ms, fills)
    flow = np.zeros(n, np.int64)
    gross = np.zeros(n, np.int64)
    held = np.zeros(n, np.bool_)
    for i, spec in enumerate(specs):
        fills_i = instruments == i
        lots = fills["lots"][fills_i]
        paid = notional(fills["price_ticks"][fills_i], lots, spec) + fills["fee_units"][fills_i]
        np.subtract.at(flow, rows[fills_i], paid)
        change = np.zeros(n, np.int64)
        np.add.at(change, rows[fills_i], lots)
        position = np.cumsum(change)
        closes = last_known(market.closes[:, i : i + 1])[:, 0]
        gross += notional(closes, position, spec)
        held |= position != 0
    return AccountPath(cash_units + np.cumsum(flow), gross, held)


def execution_costs(
    market: Market,
    specs: Sequence[InstrumentSpec],
    base_ms: Sequence[int],
    log: TradeLog,
    spread_bps: float,
) -> ExecutionCosts:
    """Return the costs of all fills against the price on the chart.

    That price is the bar's open for a market order, and for a stop inside a bar the worse of
    trigger and open.
    """
    fills = log.fills[log.fills["rejected"] == 0]
    rows = fill_rows(market.close_ms, base_ms, fills)
    shown = market.opens[rows, fills["instrument"]]
    reference = np.where(_inside(fills), np.minimum(shown, _triggers(log, fills)), shown)
    worse = (fills["price_ticks"] - reference) * np.sign(fills["lots"])
    total = spread = traded = 0.0
    for i, spec in enumerate(specs):
        fills_i = fills["instrument"] == i
        value = 10.0 ** -(spec.price_decimals + spec.qty_decimals)
        size = np.abs(fills["lots"][fills_i]) * value
        total += float(worse[fills_i] @ size)
        spread += float(reference[fills_i] @ size) * spread_bps / 2e4
        traded += float(fills["price_ticks"][fills_i] @ size)
    fees = float(fills["fee_units"].sum()) / 1e8
    return ExecutionCosts(fees, spread, total - spread, traded)


def fill_rows(close_ms: I64, base_ms: Sequence[int], fills: Records) -> NDArray[np.intp]:
    """Return (n_fills,) the row of each fill's bar: a fill is stamped by its bar's open."""
    opened_ms = fills["ts_ms"] + np.asarray(base_ms, np.int64)[fills["instrument"]]
    rows: NDArray[np.intp] = np.searchsorted(close_ms, opened_ms)
    return np.minimum(rows, len(close_ms) - 1)


def notional(ticks: I64, lots: I64, spec: InstrumentSpec) -> I64:
    """Return ticks x lots in money units (1e-8 quote), rounded half to even as the kernel does."""
    divisor = spec.notional_div
    if divisor == 1:
        product: I64 = ticks * lots * spec.notional_mul
        return product
    many = lots // divisor  # lots = many x divisor + rest: the full product may overflow int64
    part = ticks * (lots - many * divisor)
    whole: I64 = ticks * many + part // divisor
    twice = 2 * (part % divisor)
    rounded: I64 = whole + ((twice > divisor) | ((twice == divisor) & (whole % 2 != 0)))
    return rounded


def _inside(fills: Records) -> Bools:
    """Return which fills are of a triggered stop, excluding later fills of its remainder."""
    inside: Bools = fills["kind"] == STOP
    for i in np.unique(fills["instrument"]):
        rows = np.flatnonzero(fills["instrument"] == i)
        left = (fills["kind"][rows] == STOP) & (fills["remaining_lots"][rows] != 0)
        inside[rows[1:]] &= ~left[:-1]
    return inside


def _triggers(log: TradeLog, fills: Records) -> F64:
    """Return (n_fills,) the trigger of the last stop requested before each fill."""
    trigger = np.full(len(fills), np.inf)
    stops = log.requests[log.requests["kind"] == STOP]
    for i in np.unique(fills["instrument"]):
        requested = stops[stops["instrument"] == i]
        rows = np.flatnonzero((fills["instrument"] == i) & (fills["kind"] == STOP))
        newest = np.searchsorted(requested["ts_ms"], fills["ts_ms"][rows], side="right") - 1
        known = newest >= 0
        trigger[rows[known]] = requested["price_ticks"][newest[known]]
    return trigger
