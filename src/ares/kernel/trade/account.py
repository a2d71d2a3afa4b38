"""The account: fills become cash, positions, fees and closed trades, in exact integers."""

from __future__ import annotations

import math

from ares.kernel.bars import I64
from ares.kernel.jit import inlined
from ares.kernel.trade.arrays import TradeParams, TradeRecords, TradeState
from ares.kernel.trade.breakers import notice, on_execution, on_slippage, on_trade
from ares.kernel.trade.confidence import next_mode, update_posterior
from ares.kernel.trade.layout import (
    ALLOWED,
    ENTRY,
    N_OUTCOMES,
    N_REQUESTS,
    NOTICE_MODE,
    REASON_STOP,
    STOP,
)
from ares.kernel.trade.money import multiply_divide, notional_units


@inlined
def apply_fill(
    i: int, row: int, state: TradeState, params: TradeParams, records: TradeRecords
) -> None:
    """Add one execution, or the end of an order, to the account; then set the wanted stop.

    row : in ``records.fills``; lots of 0: the order ended without a further execution.

    The lots sold must be held: see ``core.ledger``, which is the only caller that could know more.
    """
    fill, lane, spec = records.fills[row], state.book[i], params.specs[i]
    account = state.account[0]
    ts_ms, lots = fill.ts_ms, fill.lots
    if fill.late == 0:
        _update_order(i, row, state, params, records)
    if lots == 0:
        _want_stop(i, state)
        return
    units = notional_units(fill.price_ticks, abs(lots), spec.notional_mul, spec.notional_div)
    if fill.kind != STOP and lane.expected_ticks > 0:
        adverse = (fill.price_ticks - lane.expected_ticks) / lane.expected_ticks * 1e4
        on_slippage(ts_ms, adverse if lots > 0 else -adverse, state, params, records)
    account.fees += fill.fee_units
    account.cash -= fill.fee_units
    lane.position_fees += fill.fee_units
    if lots > 0:
        _apply_buy(i, ts_ms, lots, units, state, params)
    else:
        _apply_sell(i, -lots, units, state)
    if lane.position_lots == 0:
        _close_position(i, ts_ms, fill.kind, state, params, records)
    _want_stop(i, state)


@inlined
def _update_order(
    i: int, row: int, state: TradeState, params: TradeParams, records: TradeRecords
) -> None:
    """Note what remains of the order of a fill; at its end, whether it was executed at all."""
    fill, lane = records.fills[row], state.book[i]
    if fill.kind == ENTRY:
        _release_reserve(i, abs(fill.lots), fill.remaining_lots, state)
        lane.entry_open_lots = fill.remaining_lots
    if fill.remaining_lots == 0:
        if fill.withdrawn == 0:
            on_execution(fill.ts_ms, fill.rejected == 0, state, params, records)
        if fill.kind == STOP:
            lane.stop_filling = 0
    elif fill.kind == STOP:
        lane.stop_filling = 1


@inlined
def _want_stop(i: int, state: TradeState) -> None:
    """Set what must rest at the venue: a stop for all that is held, unless it is being sold."""
    lane = state.book[i]
    wanted = lane.stop_ticks > 0 and lane.exit_reason == 0 and lane.stop_filling == 0
    lane.stop_lots = lane.position_lots if wanted else 0


@inlined
def want_exit(i: int, reason: int, state: TradeState) -> None:
    """Have all that is held sold; the stop goes first, see ``core.execution``."""
    state.book[i].exit_reason = reason
    _want_stop(i, state)


@inlined
def _release_reserve(i: int, filled_lots: int, remaining_lots: int, state: TradeState) -> None:
    """Give back what an entry had reserved: all of it once nothing remains to be filled."""
    account, lane = state.account[0], state.book[i]
    if lane.reserved == 0:
        return
    pending = 0
    reserved = 0
    if remaining_lots > 0:
        total = filled_lots + remaining_lots
        pending = multiply_divide(lane.pending_notional, remaining_lots, total)
        reserved = multiply_divide(lane.reserved, remaining_lots, total)
    account.pending_notional -= lane.pending_notional - pending
    account.reserved -= lane.reserved - reserved
    lane.pending_notional = pending
    lane.reserved = reserved


@inlined
def _apply_buy(
    i: int, ts_ms: int, lots: int, units: int, state: TradeState, params: TradeParams
) -> None:
    """Add bought lots to the position, and set its barriers from its average price."""
    lane = state.book[i]
    state.account[0].cash -= units
    if lane.position_lots == 0:
        lane.entry_ms = ts_ms
        horizon_ms = params.specs[i].horizon_ms
        lane.expiry_ms = ts_ms + horizon_ms if horizon_ms > 0 else 0
    lane.position_lots += lots
    lane.cost_units += units
    lane.entry_lots += lots
    lane.entry_units += units
    barrier_bps = lane.entry_barrier_bps
    if not (barrier_bps > 0.0) or params.rules[0].stop_enabled == 0:
        return
    mean_ticks = average_ticks(lane.entry_units, lane.entry_lots, i, params)
    lane.stop_ticks = max(1, math.floor(mean_ticks * (1.0 - barrier_bps * 1e-4)))
    lane.take_ticks = math.ceil(mean_ticks * (1.0 + barrier_bps * 1e-4))


@inlined
def _apply_sell(i: int, lots: int, units: int, state: TradeState) -> None:
    """Take sold lots out of the position at their share of its cost."""
    account, lane = state.account[0], state.book[i]
    held = lane.position_lots
    cost_of_sold = multiply_divide(lane.cost_units, lots, held)
    account.cash += units
    account.realized += units - cost_of_sold
    lane.cost_units -= cost_of_sold
    lane.position_lots = held - lots
    lane.exit_units += units


@inlined
def _close_position(
    i: int, ts_ms: int, kind: int, state: TradeState, params: TradeParams, records: TradeRecords
) -> None:
    """Record the closed trade, update the mode with it, and clear the position.

    kind : of the order that sold the last lots.
    """
    lane = state.book[i]
    outcome = records.outcomes[records.counts[N_OUTCOMES]]
    lots = lane.entry_lots
    pnl = lane.exit_units - lane.entry_units - lane.position_fees
    net_bps = pnl / max(1, lane.entry_units) * 1e4  # a tiny position may have cost no unit at all
    outcome.instrument = i
    outcome.virtual = 0
    outcome.entry_ms = lane.entry_ms
    outcome.exit_ms = ts_ms
    outcome.entry_price = average_ticks(lane.entry_units, lots, i, params)
    outcome.exit_price = average_ticks(lane.exit_units, lots, i, params)
    outcome.lots = lots
    outcome.pnl_units = pnl
    outcome.fees_units = lane.position_fees
    outcome.net_bps = net_bps
    outcome.p = lane.entry_p
    outcome.edge_bps = lane.entry_edge_bps
    outcome.reason = REASON_STOP if kind == STOP else lane.exit_reason
    outcome.code = ALLOWED
    records.counts[N_OUTCOMES] += 1
    gross = lane.exit_units - lane.entry_units
    on_trade(ts_ms, pnl > 0, gross, state, params, records)
    if lane.inherited == 0:
        update_mode(i, ts_ms, net_bps, state, params, records)
    outcome.mode_confidence = lane.mode_confidence
    _clear_position(i, state)


@inlined
def _clear_position(i: int, state: TradeState) -> None:
    """Reset the fields of a position that is closed."""
    lane = state.book[i]
    lane.inherited = 0
    lane.cost_units = 0
    lane.position_fees = 0
    lane.entry_lots = 0
    lane.entry_units = 0
    lane.exit_units = 0
    lane.entry_ms = 0
    lane.expiry_ms = 0
    lane.stop_ticks = 0
    lane.take_ticks = 0
    lane.stop_filling = 0
    lane.exit_reason = 0
    if lane.entry_open_lots == 0:  # else the rest of the entry may still buy, and needs its stop
        lane.entry_barrier_bps = 0.0


@inlined
def update_mode(
    i: int,
    ts_ms: int,
    net_bps: float,
    state: TradeState,
    params: TradeParams,
    records: TradeRecords,
) -> None:
    """Move the mode confidence by one closed trade, and the mode with it."""
    lane = state.book[i]
    lane.arm_bps += net_bps
    lane.arm_trades += 1
    update_posterior(i, net_bps, state.book, params)
    confidence = lane.mode_confidence
    before = lane.mode
    after = next_mode(before, confidence, params)
    if after != before:
        lane.mode = after
        notice(ts_ms, NOTICE_MODE, i, 0, before, after, confidence, records)


@inlined
def average_ticks(units: int, lots: int, i: int, params: TradeParams) -> float:
    """Return the average price in ticks of ``lots`` that cost ``units``."""
    spec = params.specs[i]
    return float(units / lots * (spec.notional_div / spec.notional_mul))


@inlined
def request(
    i: int,
    ts_ms: int,
    kind: int,
    lots: int,
    price_ticks: int,
    reason: int,
    code: int,
    state: TradeState,
    records: TradeRecords,
) -> None:
    """Append one record to the requests."""
    row, lane = records.requests[records.counts[N_REQUESTS]], state.book[i]
    row.ts_ms = ts_ms
    row.instrument = i
    row.kind = kind
    row.lots = lots
    row.price_ticks = price_ticks
    row.reason = reason
    row.code = code
    row.p = lane.entry_p
    row.edge_bps = lane.entry_edge_bps
    row.barrier_bps = lane.entry_barrier_bps
    records.counts[N_REQUESTS] += 1


@inlined
def mark_to_market(t: int, closes: I64, state: TradeState, params: TradeParams) -> None:
    """Value all positions at the closes of row ``t`` (0: no bar, the last close stands)."""
    account = state.account[0]
    positions = 0
    for i in range(state.book.shape[0]):
        lane, spec = state.book[i], params.specs[i]
        if lane.position_lots != 0:
            close = closes[t, i] if closes[t, i] > 0 else lane.last_close
            held = lane.position_lots
            positions += notional_units(close, held, spec.notional_mul, spec.notional_div)
    account.gross = positions + account.pending_notional
    account.equity = account.cash + positions
    account.peak_equity = max(account.peak_equity, account.equity)
