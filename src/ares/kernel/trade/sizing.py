"""The size of an entry: risk per trade, then every cap on position, exposure, order and cash."""

from __future__ import annotations

import math

from ares.kernel.jit import inlined
from ares.kernel.trade.arrays import TradeParams, TradeState
from ares.kernel.trade.breakers import is_on_trial
from ares.kernel.trade.layout import (
    ALLOWED,
    REFUSED_CASH,
    REFUSED_EXPOSURE,
    REFUSED_ORDER_CAP,
    REFUSED_ORDER_MAX,
    REFUSED_ORDER_MIN,
    REFUSED_POSITION_CAP,
    SIZE_ALL,
    SIZE_FIXED,
)
from ares.kernel.trade.money import notional_units


@inlined
def size_entry(
    i: int, close: int, barrier_bps: float, state: TradeState, params: TradeParams
) -> tuple[int, int]:
    """Return (lots, code): the largest size that every limit allows, or 0 and the limit's code.

    Risk sizing loses ``risk_per_trade`` of equity when a stop at ``barrier_bps`` is hit; then the
    caps on position, exposure, order and cash; half of it above the volatility target; the trial
    size while a breaker is half-open.
    """
    account, rules, spec = state.account[0], params.rules[0], params.specs[i]
    units_per_lot = close * (spec.notional_mul / spec.notional_div)
    equity = float(account.equity)
    limit_price = 1.0 + rules.collar_bps * 1e-4
    costs = 1.0 + rules.fee_ppm * 1e-6 + rules.half_spread_bps * 1e-4
    cash = (account.cash - account.reserved) / (limit_price * costs)
    if rules.sizing == SIZE_FIXED:
        lots = rules.fixed_lots
        return (lots, ALLOWED) if lots * units_per_lot <= cash else (0, REFUSED_CASH)
    units = cash
    code = REFUSED_CASH
    if rules.sizing != SIZE_ALL:
        if barrier_bps > 0.0:
            risk = rules.risk_per_trade * equity / (barrier_bps * 1e-4)
            if risk < units:
                units, code = risk, REFUSED_ORDER_MIN
        position_room = rules.position_max * equity - _value_of_twin(i, state, params)
        if position_room < units:
            units, code = position_room, REFUSED_POSITION_CAP
        exposure_room = rules.exposure_max * equity - account.gross
        if exposure_room < units:
            units, code = exposure_room, REFUSED_EXPOSURE
        if rules.order_units_max < units:
            units, code = float(rules.order_units_max), REFUSED_ORDER_MAX
        if rules.order_units_cap > 0:
            cap = float(rules.order_units_cap) * close / worst_ticks(close, params)
            if cap < units:
                units, code = cap, REFUSED_ORDER_CAP
        annual_volatility = math.sqrt(state.book[i].var_fast * spec.bars_per_year)
        if 0.0 < rules.volatility_target < annual_volatility:
            units *= 0.5
        if is_on_trial(i, state):
            units *= rules.trial_size
        units *= spec.size_share
    lots = math.floor(units / units_per_lot) if units > 0.0 else 0
    units_min = max(rules.order_units_min, spec.cost_units_min)
    if 0 < spec.order_lots_max < lots:
        lots = spec.order_lots_max
    if lots <= 0 or lots < spec.order_lots_min or lots * units_per_lot < units_min:
        return 0, code
    return lots, ALLOWED


@inlined
def worst_ticks(close: int, params: TradeParams) -> int:
    """Return the worst price of an entry: its collar; without one what the costs expect."""
    rules = params.rules[0]
    bps = rules.half_spread_bps + rules.slippage_bps
    ticks: int = math.ceil(close * (1.0 + bps * 1e-4))
    if rules.collar_bps > 0.0:
        ticks = math.floor(close * (1.0 + rules.collar_bps * 1e-4))
    return ticks


@inlined
def worst_units(i: int, close: int, lots: int, params: TradeParams) -> int:
    """Return the most that an entry can cost, fees aside."""
    spec = params.specs[i]
    return notional_units(worst_ticks(close, params), lots, spec.notional_mul, spec.notional_div)


@inlined
def _value_of_twin(i: int, state: TradeState, params: TradeParams) -> float:
    """Return what the other lane of the instrument holds or has ordered, at its newest close."""
    twin = params.specs[i].twin
    if twin < 0:
        return 0.0
    lane, spec = state.book[twin], params.specs[twin]
    units_per_lot = lane.last_close * (spec.notional_mul / spec.notional_div)
    return float(lane.position_lots * units_per_lot + lane.pending_notional)
