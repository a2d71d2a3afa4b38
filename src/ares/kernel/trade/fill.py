"""The simulated fill: one function for backtest, history and paper alike.

A market order fills at the next bar's open; a stop inside the bar at the worse of trigger and
open. Both pay half the spread and a slippage that grows with their share of the bar's volume,
rounded against us to the tick (a spread is never below one tick), and take at most
``participation_max`` of the bar's volume. What is left of an entry is dropped (immediate or
cancel: a late entry is another trade); what is left of an exit waits for the next bar.
"""

from __future__ import annotations

import math

from ares.kernel.jit import inlined
from ares.kernel.trade.arrays import TickBar, TradeParams, TradeRecords
from ares.kernel.trade.layout import EXIT, N_FILLS, STOP, Records
from ares.kernel.trade.money import fee_units, notional_units

TICK_TOLERANCE = 1e-7
"""A price this near to a tick, relative to a tick, is that tick: float noise is not a cost."""


@inlined
def lots_available(wanted: int, volume_lots: int, participation_max: float) -> int:
    """Return how many of ``wanted`` lots (positive) one bar fills."""
    if participation_max <= 0.0:
        return wanted
    return min(wanted, int(participation_max * volume_lots))


@inlined
def price_after_costs(
    reference_ticks: int, is_buy: bool, lots: int, volume_lots: int, params: TradeParams
) -> int:
    """Return the fill price in ticks: spread and slippage on top, rounded against us."""
    rules = params.rules[0]
    share = 1.0 if volume_lots <= 0 else min(1.0, lots / volume_lots)
    bps = rules.half_spread_bps + rules.slippage_bps * share
    if bps == 0.0:
        return reference_ticks
    if is_buy:
        return int(math.ceil(reference_ticks * (1.0 + bps * 1e-4) - TICK_TOLERANCE))  # noqa: RUF046 - Numba's ceil gives a float
    return max(1, int(math.floor(reference_ticks * (1.0 - bps * 1e-4) + TICK_TOLERANCE)))  # noqa: RUF046 - Numba's floor gives a float


@inlined
def venue_open(
    i: int,
    bar: TickBar,
    volume_lots: int,
    venue: Records,
    params: TradeParams,
    records: TradeRecords,
) -> None:
    """Fill what waits for this bar's open: the market order, or a stop that the open jumped.

    Appends at most one record to the fills.
    """
    order = venue[i]
    participation_max = params.rules[0].participation_max
    if order.market_lots != 0:
        is_buy = order.market_lots > 0
        lots = lots_available(abs(order.market_lots), volume_lots, participation_max)
        kind = order.market_kind
        if lots == 0 and not is_buy:
            return
        price = price_after_costs(bar.open, is_buy, lots, volume_lots, params)
        if lots == 0 or (is_buy and order.market_limit > 0 and price > order.market_limit):
            _append_fill(i, bar.open_ms, kind, 0, price, 0, 1, 0, records)
            order.market_lots = 0
            return
        signed_lots = lots if is_buy else -lots
        order.market_lots = 0 if is_buy else order.market_lots - signed_lots
        fee = _fee(i, price, lots, params)
        remaining = order.market_lots
        _append_fill(i, bar.open_ms, kind, signed_lots, price, fee, 0, remaining, records)
    elif order.stop_lots > 0 and bar.open <= order.stop_ticks:
        _trigger_stop(i, bar.open_ms, bar.open, volume_lots, venue, params, records)


@inlined
def venue_range(
    i: int,
    bar: TickBar,
    volume_lots: int,
    venue: Records,
    params: TradeParams,
    records: TradeRecords,
) -> None:
    """Fill a resting stop that this bar's low reached. Appends at most one record."""
    if venue[i].stop_lots > 0 and bar.low <= venue[i].stop_ticks:
        worst = min(bar.open, venue[i].stop_ticks)
        _trigger_stop(i, bar.open_ms, worst, volume_lots, venue, params, records)


@inlined
def _trigger_stop(
    i: int,
    ts_ms: int,
    price_ticks: int,
    volume_lots: int,
    venue: Records,
    params: TradeParams,
    records: TradeRecords,
) -> None:
    """Fill a triggered stop as far as the volume reaches; the rest becomes a market order."""
    order = venue[i]
    lots = lots_available(order.stop_lots, volume_lots, params.rules[0].participation_max)
    if lots == 0:
        return  # stops are triggered by trades, and there was none to take part in
    remaining = order.stop_lots - lots
    order.stop_lots = 0
    if remaining > 0:
        order.market_lots = -remaining
        order.market_limit = 0
        order.market_kind = STOP
    price = price_after_costs(price_ticks, False, lots, volume_lots, params)
    fee = _fee(i, price, lots, params)
    _append_fill(i, ts_ms, STOP, -lots, price, fee, 0, -remaining, records)


@inlined
def _fee(i: int, price_ticks: int, lots: int, params: TradeParams) -> int:
    """Return the fee of a fill in money units."""
    spec = params.specs[i]
    units = notional_units(price_ticks, lots, spec.notional_mul, spec.notional_div)
    return fee_units(units, params.rules[0].fee_ppm)


@inlined
def _append_fill(
    i: int,
    ts_ms: int,
    kind: int,
    lots: int,
    price_ticks: int,
    fee: int,
    is_rejected: int,
    remaining_lots: int,
    records: TradeRecords,
) -> None:
    """Append one record to the fills."""
    fill = records.fills[records.counts[N_FILLS]]
    fill.ts_ms = ts_ms
    fill.instrument = i
    fill.kind = kind
    fill.lots = lots
    fill.price_ticks = price_ticks
    fill.fee_units = fee
    fill.rejected = is_rejected
    fill.remaining_lots = remaining_lots
    records.counts[N_FILLS] += 1


@inlined
def venue_accept(i: int, kind: int, lots: int, price_ticks: int, venue: Records) -> None:
    """Take an order in: a stop rests, anything else waits for the next open."""
    if kind == STOP:
        venue[i].stop_lots = abs(lots)
        venue[i].stop_ticks = price_ticks
    else:
        venue[i].market_lots = lots
        venue[i].market_limit = 0 if kind == EXIT else price_ticks
        venue[i].market_kind = kind


@inlined
def venue_cancel_stop(i: int, venue: Records) -> None:
    """Take the resting stop away."""
    venue[i].stop_lots = 0
    venue[i].stop_ticks = 0
