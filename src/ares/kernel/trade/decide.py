"""The decision of one closing instant for all instruments: value, limit, then exit or enter."""

from __future__ import annotations

from ares.kernel.jit import inlined
from ares.kernel.trade.account import mark_to_market, request, want_exit
from ares.kernel.trade.arrays import (
    Prices,
    Signal,
    Signals,
    TickBar,
    TradeParams,
    TradeRecords,
    TradeState,
)
from ares.kernel.trade.breakers import (
    breaker_refusal,
    cool_down,
    on_daily_loss,
    on_drawdown,
    on_gas,
    on_volatility,
)
from ares.kernel.trade.layout import (
    ALLOWED,
    BREAKER_DRAWDOWN,
    ENTRY,
    EXIT,
    HALTED,
    HOLD_ALL,
    MODE_TRADING,
    NOT_TRADABLE,
    OPEN,
    REASON_DRAWDOWN,
    REASON_REVERSAL,
    REASON_SIGNAL,
    REASON_TAKE,
    REASON_TIMEOUT,
    REFUSAL,
    REFUSED_DAILY_LOSS,
    REFUSED_HALTED,
    REFUSED_LEARNING,
    REFUSED_NO_STOP,
    REFUSED_NOT_ALLOWED,
    REFUSED_NOT_TRADABLE,
    REFUSED_ORDER_CAP,
    REFUSED_ORDER_RATE,
    REFUSED_SHADOW,
)
from ares.kernel.trade.money import fee_units, notional_units
from ares.kernel.trade.sizing import size_entry, worst_ticks, worst_units
from ares.kernel.trade.virtual import advance_virtual, open_virtual

DAY_MS = 86_400_000
MINUTE_MS = 60_000


@inlined
def trade_step(
    t: int,
    now_ms: int,
    prices: Prices,
    signals: Signals,
    state: TradeState,
    params: TradeParams,
    records: TradeRecords,
) -> None:
    """Decide row ``t`` of prices and signals, whose bars close at ``now_ms``.

    Appends to the requests, outcomes and notices of ``records``.
    """
    account = state.account[0]
    day = now_ms // DAY_MS
    if day != account.day:
        account.day = day
        account.day_equity = account.equity
        account.daily_stopped = 0
    mark_to_market(t, prices.closes, state, params)
    on_drawdown(now_ms, state, params, records)
    on_daily_loss(now_ms, state, params, records)
    on_gas(now_ms, state, params, records)
    cool_down(now_ms, state, params, records)
    for i in range(state.book.shape[0]):
        close = prices.closes[t, i]
        if close <= 0:
            continue
        observe_volatility(i, close, state, params)
        on_volatility(i, now_ms, state, params, records)
        edge_bps = signals.edge_bps[t, i]
        if state.virtual[i].status != 0:
            open_ms = now_ms - params.specs[i].base_ms
            bar = TickBar(open_ms, prices.opens[t, i], prices.lows[t, i], close)
            advance_virtual(i, now_ms, bar, edge_bps, state, params, records)
        lane = state.book[i]
        if lane.exit_reason != 0 or lane.stop_filling != 0:
            continue
        hold = params.rules[0].hold
        if lane.position_lots != 0:
            if hold != HOLD_ALL:
                _consider_exit(i, now_ms, close, edge_bps, state, params, records)
        elif (
            lane.entry_open_lots == 0
            and edge_bps >= params.rules[0].edge_bps_min
            and state.virtual[i].status == 0
            and hold == 0
        ):
            signal = Signal(signals.p[t, i], edge_bps, signals.barrier_bps[t, i])
            _consider_entry(i, now_ms, close, signal, state, params, records)


@inlined
def observe_volatility(i: int, close: int, state: TradeState, params: TradeParams) -> None:
    """Add one close to the fast (a day) and slow (a month) variance of base-bar returns."""
    lane, spec = state.book[i], params.specs[i]
    if lane.last_close > 0:
        change = close / lane.last_close - 1.0
        square = change * change
        lane.n_bars += 1
        first = 1.0 / lane.n_bars
        lane.var_fast += max(spec.alpha_fast, first) * (square - lane.var_fast)
        lane.var_slow += max(spec.alpha_slow, first) * (square - lane.var_slow)
    lane.last_close = close


@inlined
def _consider_exit(
    i: int,
    now_ms: int,
    close: int,
    edge_bps: float,
    state: TradeState,
    params: TradeParams,
    records: TradeRecords,
) -> None:
    """Request an exit when a barrier is reached, the time is over, the signal has turned, or the
    drawdown breaker sells everything.
    """
    lane, rules = state.book[i], params.rules[0]
    reason = 0
    if rules.close_on_drawdown == 1 and state.account[0].breaker_status[BREAKER_DRAWDOWN] == OPEN:
        reason = REASON_DRAWDOWN
    elif 0 < lane.take_ticks <= close:
        reason = REASON_TAKE
    elif 0 < lane.expiry_ms <= now_ms:
        reason = REASON_TIMEOUT
    elif edge_bps <= rules.edge_bps_exit:
        reason = REASON_REVERSAL
    if reason == 0:
        return
    want_exit(i, reason, state)
    lane.expected_ticks = close
    request(i, now_ms, EXIT, -lane.position_lots, 0, reason, ALLOWED, state, records)


@inlined
def _consider_entry(
    i: int,
    now_ms: int,
    close: int,
    signal: Signal,
    state: TradeState,
    params: TradeParams,
    records: TradeRecords,
) -> None:
    """Turn a signal into an order, or into a refusal with its virtual trade."""
    account, lane = state.account[0], state.book[i]
    lane.inherited = 0
    lane.entry_p = signal.p
    lane.entry_edge_bps = signal.edge_bps
    lane.entry_barrier_bps = signal.barrier_bps
    rules = params.rules[0]
    code = entry_refusal(i, now_ms, state, params)
    has_stop = rules.stop_enabled == 1 and signal.barrier_bps > 0.0
    if code == ALLOWED and rules.stop_required == 1 and not has_stop:
        code = REFUSED_NO_STOP
    lots = 0
    if code == ALLOWED:
        lots, code = size_entry(i, close, signal.barrier_bps, state, params)
    if code == ALLOWED and 0 < rules.order_units_cap < worst_units(i, close, lots, params):
        code = REFUSED_ORDER_CAP
    if code != ALLOWED:
        request(i, now_ms, REFUSAL, 0, 0, REASON_SIGNAL, code, state, records)
        open_virtual(i, now_ms, code, close, signal, state, records)
        return
    minute = now_ms // MINUTE_MS
    if minute != account.minute:
        account.minute = minute
        account.minute_orders = 0
    account.minute_orders += 1
    _reserve_cash(i, close, lots, state, params)
    limit = worst_ticks(close, params) if rules.collar_bps > 0.0 else 0
    lane.entry_open_lots = lots
    lane.expected_ticks = close
    request(i, now_ms, ENTRY, lots, limit, REASON_SIGNAL, ALLOWED, state, records)


@inlined
def _reserve_cash(i: int, close: int, lots: int, state: TradeState, params: TradeParams) -> None:
    """Reserve the most that an entry can cost, so that no other order spends it too."""
    account, lane, rules, spec = state.account[0], state.book[i], params.rules[0], params.specs[i]
    worst = worst_units(i, close, lots, params)
    lane.pending_notional = notional_units(close, lots, spec.notional_mul, spec.notional_div)
    lane.reserved = worst + fee_units(worst, rules.fee_ppm)
    account.pending_notional += lane.pending_notional
    account.reserved += lane.reserved
    account.gross += lane.pending_notional


@inlined
def entry_refusal(i: int, now_ms: int, state: TradeState, params: TradeParams) -> int:
    """Return the code of the first rule that forbids an entry now, or ALLOWED."""
    account, rules = state.account[0], params.rules[0]
    if account.halted == 1 or state.book[i].halted == HALTED:
        return REFUSED_HALTED
    if state.book[i].halted == NOT_TRADABLE:
        return REFUSED_NOT_TRADABLE
    if params.specs[i].has_champion == 0:
        return REFUSED_SHADOW
    if params.specs[i].allowed == 0:
        return REFUSED_NOT_ALLOWED
    if rules.gate_mode == 1 and state.book[i].mode != MODE_TRADING:
        return REFUSED_LEARNING
    if account.daily_stopped == 1:
        return REFUSED_DAILY_LOSS
    code = breaker_refusal(i, state)
    if code != ALLOWED:
        return code
    same_minute = account.minute == now_ms // MINUTE_MS
    orders = account.minute_orders if same_minute else 0
    if orders >= rules.orders_per_minute:
        return REFUSED_ORDER_RATE
    return ALLOWED
