"""The simulated fill: one function for backtest, history and paper alike.

A market order fills at the next bar's open; a stop inside the bar at the worse of trigger and
open. Both pay half the spread and a slippage that grows with their share of the bar's volume,
rounded against us to the tick (a spread is never below one tick), and take at most
``participation_max`` of the bar's volume. What is left of an entry is dropped (immediate or
cancel: a late entry is another trade); what is left of an exit waits for the next bar.
"""

from __future__ import annotations

import math

from ares.kernel.bars import I64
from ares.kernel.jit import inlined
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
    reference_ticks: int, buy: bool, lots: int, volume_lots: int, rules: Records
) -> int:
    """Return the fill price in ticks: spread and slippage on top, rounded against us."""
    share = 1.0 if volume_lots <= 0 else min(1.0, lots / volume_lots)
    bps = rules[0].half_spread_bps + rules[0].slippage_bps * share
    if bps == 0.0:
        return reference_ticks
    if buy:
        return int(math.ceil(reference_ticks * (1.0 + bps * 1e-4) - TICK_TOLERANCE))  # noqa: RUF046
    return max(1, int(math.floor(reference_ticks * (1.0 - bps * 1e-4) + TICK_TOLERANCE)))  # noqa: RUF046


@inlined
def venue_open(
    i: int,
    ts_ms: int,
    open_ticks: int,
    volume_lots: int,
    venue: Records,
    rules: Records,
    specs: Records,
    fills: Records,
    counts: I64,
) -> None:
    """Fill what waits for this bar's open: the market order, or a stop that the open jumped.

    Appends at most one record to ``fills``.
    """
    if venue[i].market_lots != 0:
        buy = venue[i].market_lots > 0
        lots = lots_available(abs(venue[i].market_lots), volume_lots, rules[0].participation_max)
        kind = venue[i].market_kind
        if lots == 0 and not buy:
            return
        price = price_after_costs(open_ticks, buy, lots, volume_lots, rules)
        if lots == 0 or (buy and venue[i].market_limit > 0 and price > venue[i].market_limit):
            _append(i, ts_ms, kind, 0, price, 0, 1, 0, fills, counts)
            venue[i].market_lots = 0
            return
        signed = lots if buy else -lots
        venue[i].market_lots = 0 if buy else venue[i].market_lots - signed
        fee = _fee(i, price, lots, rules, specs)
        _append(i, ts_ms, kind, signed, price, fee, 0, venue[i].market_lots, fills, counts)
    elif venue[i].stop_lots > 0 and open_ticks <= venue[i].stop_ticks:
        _trigger(i, ts_ms, open_ticks, volume_lots, venue, rules, specs, fills, counts)


@inlined
def venue_range(
    i: int,
    ts_ms: int,
    open_ticks: int,
    low_ticks: int,
    volume_lots: int,
    venue: Records,
    rules: Records,
    specs: Records,
    fills: Records,
    counts: I64,
) -> None:
    """Fill a resting stop that this bar's low reached. Appends at most one record."""
    if venue[i].stop_lots > 0 and low_ticks <= venue[i].stop_ticks:
        worst = min(open_ticks, venue[i].stop_ticks)
        _trigger(i, ts_ms, worst, volume_lots, venue, rules, specs, fills, counts)


@inlined
def _trigger(
    i: int,
    ts_ms: int,
    price_ticks: int,
    volume_lots: int,
    venue: Records,
    rules: Records,
    specs: Records,
    fills: Records,
    counts: I64,
) -> None:
    """Fill a triggered stop as far as the volume reaches; the rest becomes a market order."""
    lots = lots_available(venue[i].stop_lots, volume_lots, rules[0].participation_max)
    if lots == 0:
        return  # stops are triggered by trades, and there was none to take part in
    rest = venue[i].stop_lots - lots
    venue[i].stop_lots = 0
    if rest > 0:
        venue[i].market_lots = -rest
        venue[i].market_limit = 0
        venue[i].market_kind = STOP
    price = price_after_costs(price_ticks, False, lots, volume_lots, rules)
    fee = _fee(i, price, lots, rules, specs)
    _append(i, ts_ms, STOP, -lots, price, fee, 0, -rest, fills, counts)


@inlined
def _fee(i: int, price_ticks: int, lots: int, rules: Records, specs: Records) -> int:
    units = notional_units(price_ticks, lots, specs[i].notional_mul, specs[i].notional_div)
    return fee_units(units, rules[0].fee_ppm)


@inlined
def _append(
    i: int,
    ts_ms: int,
    kind: int,
    lots: int,
    price: int,
    fee: int,
    rejected: int,
    rest: int,
    fills: Records,
    counts: I64,
) -> None:
    n = counts[N_FILLS]
    fills[n].ts_ms = ts_ms
    fills[n].instrument = i
    fills[n].kind = kind
    fills[n].lots = lots
    fills[n].price_ticks = price
    fills[n].fee_units = fee
    fills[n].rejected = rejected
    fills[n].remaining_lots = rest
    counts[N_FILLS] = n + 1


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
