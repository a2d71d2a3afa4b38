"""Virtual trades: what a signal would have made where it may not trade.

One unit of notional, filled at the next open with half the spread and the fee on both sides, and
closed by the same stop, take-profit and timeout as a real trade. They move the mode confidence
and nothing else.
"""

from __future__ import annotations

from ares.kernel.jit import inlined
from ares.kernel.trade.account import update_mode
from ares.kernel.trade.arrays import Signal, TickBar, TradeParams, TradeRecords, TradeState
from ares.kernel.trade.breakers import notice
from ares.kernel.trade.layout import (
    N_OUTCOMES,
    NOTICE_VIRTUAL_OPENED,
    REASON_REVERSAL,
    REASON_STOP,
    REASON_TAKE,
    REASON_TIMEOUT,
)

NONE = 0
ENTERS = 1
HELD = 2
EXITS = 3


@inlined
def open_virtual(
    i: int,
    ts_ms: int,
    refusal_code: int,
    close_ticks: int,
    signal: Signal,
    state: TradeState,
    records: TradeRecords,
) -> None:
    """Open the virtual trade of a refused signal: it enters at the next open."""
    trade = state.virtual[i]
    trade.status = ENTERS
    trade.reference_ticks = close_ticks
    trade.p = signal.p
    trade.edge_bps = signal.edge_bps
    trade.barrier_bps = signal.barrier_bps
    trade.code = refusal_code
    edge_bps = signal.edge_bps
    notice(ts_ms, NOTICE_VIRTUAL_OPENED, i, refusal_code, 0, 0, edge_bps, records)


@inlined
def advance_virtual(
    i: int,
    now_ms: int,
    bar: TickBar,
    edge_bps: float,
    state: TradeState,
    params: TradeParams,
    records: TradeRecords,
) -> None:
    """Advance the virtual trade of an instrument by one bar that closes at ``now_ms``."""
    trade, rules = state.virtual[i], params.rules[0]
    half_spread = rules.half_spread_bps * 1e-4
    if trade.status == EXITS:
        price = bar.open * (1.0 - half_spread)
        _close_virtual(i, bar.open_ms, price, state, params, records)
        return
    if trade.status == ENTERS:
        _enter_virtual(i, bar, half_spread, state, params)
    if trade.status != HELD:
        return
    if trade.stop_ticks > 0.0 and bar.low <= trade.stop_ticks:
        trade.reason = REASON_STOP
        price = min(float(bar.open), trade.stop_ticks) * (1.0 - half_spread)
        _close_virtual(i, bar.open_ms, price, state, params, records)
        return
    reason = 0
    if trade.take_ticks > 0.0 and bar.close >= trade.take_ticks:
        reason = REASON_TAKE
    elif 0 < trade.expiry_ms <= now_ms:
        reason = REASON_TIMEOUT
    elif edge_bps <= rules.edge_bps_exit:
        reason = REASON_REVERSAL
    if reason != 0:
        trade.status = EXITS
        trade.reason = reason


@inlined
def _enter_virtual(
    i: int, bar: TickBar, half_spread: float, state: TradeState, params: TradeParams
) -> None:
    """Fill a virtual entry at the open of a bar."""
    trade = state.virtual[i]
    trade.status = HELD
    trade.entry_ms = bar.open_ms
    trade.entry_ticks = bar.open * (1.0 + half_spread)
    horizon_ms = params.specs[i].horizon_ms
    trade.expiry_ms = bar.open_ms + horizon_ms if horizon_ms > 0 else 0
    barrier = trade.barrier_bps * 1e-4
    has_barrier = barrier > 0.0 and params.rules[0].stop_enabled == 1
    trade.stop_ticks = trade.entry_ticks * (1.0 - barrier) if has_barrier else 0.0
    trade.take_ticks = trade.entry_ticks * (1.0 + barrier) if has_barrier else 0.0


@inlined
def _close_virtual(
    i: int,
    ts_ms: int,
    exit_ticks: float,
    state: TradeState,
    params: TradeParams,
    records: TradeRecords,
) -> None:
    """Record a closed virtual trade, and update the mode with it."""
    trade = state.virtual[i]
    outcome = records.outcomes[records.counts[N_OUTCOMES]]
    fees_bps = 2.0 * params.rules[0].fee_ppm * 1e-2
    net_bps = (exit_ticks / trade.entry_ticks - 1.0) * 1e4 - fees_bps
    outcome.instrument = i
    outcome.virtual = 1
    outcome.entry_ms = trade.entry_ms
    outcome.exit_ms = ts_ms
    outcome.entry_price = trade.entry_ticks
    outcome.exit_price = exit_ticks
    outcome.lots = 0
    outcome.pnl_units = 0
    outcome.fees_units = 0
    outcome.net_bps = net_bps
    outcome.p = trade.p
    outcome.edge_bps = trade.edge_bps
    outcome.reason = trade.reason
    outcome.code = trade.code
    records.counts[N_OUTCOMES] += 1
    trade.status = NONE
    update_mode(i, ts_ms, net_bps, state, params, records)
    outcome.mode_confidence = state.book[i].mode_confidence
