"""The decision of one closing instant: mark, break, decide, size, limit, for all instruments."""

from __future__ import annotations

import math

from ares.kernel.bars import F64, I64
from ares.kernel.jit import inlined
from ares.kernel.trade.account import mark, request
from ares.kernel.trade.breakers import (
    cool_down,
    notice,
    on_drawdown,
    on_trial,
    on_volatility,
    refusal_of_breakers,
)
from ares.kernel.trade.layout import (
    ALLOWED,
    CANCEL_STOP,
    ENTRY,
    EXIT,
    MODE_TRADING,
    NOTICE_DAILY_LOSS,
    REASON_REVERSAL,
    REASON_SIGNAL,
    REASON_STOP,
    REASON_TAKE,
    REASON_TIMEOUT,
    REFUSAL,
    REFUSED_CASH,
    REFUSED_DAILY_LOSS,
    REFUSED_EXPOSURE,
    REFUSED_HALTED,
    REFUSED_LEARNING,
    REFUSED_ORDER_MAX,
    REFUSED_ORDER_MIN,
    REFUSED_ORDER_RATE,
    REFUSED_POSITION_CAP,
    REFUSED_SHADOW,
    SIZE_ALL,
    SIZE_FIXED,
    Records,
)
from ares.kernel.trade.money import fee_units, notional_units
from ares.kernel.trade.virtual import advance_virtual, open_virtual

DAY_MS = 86_400_000
MINUTE_MS = 60_000


@inlined
def trade_step(
    t: int,
    now_ms: int,
    opens: I64,
    lows: I64,
    closes: I64,
    p: F64,
    edge: F64,
    width: F64,
    account: Records,
    book: Records,
    virtual: Records,
    rules: Records,
    specs: Records,
    requests: Records,
    outcomes: Records,
    notices: Records,
    counts: I64,
) -> None:
    """Decide row ``t`` of the given ``(n_rows, n_instruments)`` columns, closing at ``now_ms``.

    opens, lows, closes : ticks; a close of 0 says that the instrument has no bar here.
    p, edge, width      : ensemble's probability, edge in bps, barrier width in bps; NaN: none.
    Appends to requests, outcomes and notices, whose lengths are in ``counts``.
    """
    day = now_ms // DAY_MS
    if day != account[0].day:
        account[0].day = day
        account[0].day_equity = account[0].equity
        account[0].daily_stopped = 0
    mark(t, closes, account, book, specs)
    on_drawdown(now_ms, account, rules, notices, counts)
    _on_daily_loss(now_ms, account, rules, notices, counts)
    cool_down(now_ms, account, rules, notices, counts)
    for i in range(book.shape[0]):
        if closes[t, i] <= 0:
            continue
        observe_volatility(i, closes[t, i], book, specs)
        on_volatility(i, now_ms, book, rules, notices, counts)
        if virtual[i].status != 0:
            advance_virtual(
                i,
                now_ms,
                opens[t, i],
                lows[t, i],
                closes[t, i],
                edge[t, i],
                virtual,
                book,
                rules,
                specs,
                outcomes,
                notices,
                counts,
            )
        if book[i].working_lots != 0:
            continue
        if book[i].position_lots != 0:
            _consider_exit(i, now_ms, closes[t, i], edge[t, i], book, rules, requests, counts)
        elif edge[t, i] >= rules[0].edge_bps_min and virtual[i].status == 0:
            _consider_entry(
                i,
                now_ms,
                closes[t, i],
                p[t, i],
                edge[t, i],
                width[t, i],
                account,
                book,
                virtual,
                rules,
                specs,
                requests,
                notices,
                counts,
            )


@inlined
def observe_volatility(i: int, close: int, book: Records, specs: Records) -> None:
    """Fold one close into the fast (a day) and slow (a month) variance of base-bar returns."""
    if book[i].last_close > 0:
        change = close / book[i].last_close - 1.0
        square = change * change
        book[i].n_bars += 1
        first = 1.0 / book[i].n_bars
        book[i].var_fast += max(specs[i].alpha_fast, first) * (square - book[i].var_fast)
        book[i].var_slow += max(specs[i].alpha_slow, first) * (square - book[i].var_slow)
    book[i].last_close = close


@inlined
def _on_daily_loss(
    now_ms: int, account: Records, rules: Records, notices: Records, counts: I64
) -> None:
    limit = rules[0].daily_loss_max
    if limit <= 0.0 or account[0].daily_stopped == 1:
        return
    lost = account[0].day_equity - account[0].equity
    if lost >= limit * account[0].day_equity and lost > 0:
        account[0].daily_stopped = 1
        share = lost / account[0].day_equity
        notice(now_ms, NOTICE_DAILY_LOSS, -1, 0, 0, 1, share, notices, counts)


@inlined
def _consider_exit(
    i: int,
    now_ms: int,
    close: int,
    edge: float,
    book: Records,
    rules: Records,
    requests: Records,
    counts: I64,
) -> None:
    """Ask for the way out when a barrier, the clock or the signal says so."""
    reason = 0
    if 0 < book[i].take_ticks <= close:
        reason = REASON_TAKE
    elif 0 < book[i].expiry_ms <= now_ms:
        reason = REASON_TIMEOUT
    elif edge <= rules[0].edge_bps_exit:
        reason = REASON_REVERSAL
    if reason == 0:
        return
    if book[i].stop_lots > 0:
        request(i, now_ms, CANCEL_STOP, 0, 0, REASON_STOP, ALLOWED, book, requests, counts)
        book[i].stop_lots = 0
    held = book[i].position_lots
    book[i].working_lots = -held
    book[i].working_kind = EXIT
    book[i].working_reason = reason
    book[i].expected_ticks = close
    request(i, now_ms, EXIT, -held, 0, reason, ALLOWED, book, requests, counts)


@inlined
def _consider_entry(
    i: int,
    now_ms: int,
    close: int,
    p: float,
    edge: float,
    width: float,
    account: Records,
    book: Records,
    virtual: Records,
    rules: Records,
    specs: Records,
    requests: Records,
    notices: Records,
    counts: I64,
) -> None:
    """Turn a signal into an order, or into a refusal with its virtual trade."""
    book[i].foreign = 0
    book[i].entry_p = p
    book[i].entry_edge = edge
    book[i].entry_width = width
    code = permission(i, now_ms, account, book, rules, specs)
    lots = 0
    if code == ALLOWED:
        lots, code = size_entry(i, close, width, account, book, rules, specs)
    if code != ALLOWED:
        request(i, now_ms, REFUSAL, 0, 0, REASON_SIGNAL, code, book, requests, counts)
        open_virtual(i, now_ms, code, p, edge, width, close, virtual, notices, counts)
        return
    minute = now_ms // MINUTE_MS
    if minute != account[0].minute:
        account[0].minute = minute
        account[0].minute_orders = 0
    account[0].minute_orders += 1
    limit = 0
    if rules[0].collar_bps > 0.0:
        limit = math.floor(close * (1.0 + rules[0].collar_bps * 1e-4))
    _set_aside(i, close, limit, lots, account, book, rules, specs)
    book[i].working_lots = lots
    book[i].working_kind = ENTRY
    book[i].working_reason = REASON_SIGNAL
    book[i].expected_ticks = close
    request(i, now_ms, ENTRY, lots, limit, REASON_SIGNAL, ALLOWED, book, requests, counts)


@inlined
def _set_aside(
    i: int,
    close: int,
    limit: int,
    lots: int,
    account: Records,
    book: Records,
    rules: Records,
    specs: Records,
) -> None:
    """Count an entry that is on its way as money spent, so that no other order spends it too."""
    worst = limit
    if limit == 0:
        bps = rules[0].half_spread_bps + rules[0].slippage_bps
        worst = math.ceil(close * (1.0 + bps * 1e-4))
    mul = specs[i].notional_mul
    div = specs[i].notional_div
    dearest = notional_units(worst, lots, mul, div)
    book[i].waiting = notional_units(close, lots, mul, div)
    book[i].reserved = dearest + fee_units(dearest, rules[0].fee_ppm)
    account[0].waiting += book[i].waiting
    account[0].reserved += book[i].reserved
    account[0].gross += book[i].waiting


@inlined
def permission(
    i: int, now_ms: int, account: Records, book: Records, rules: Records, specs: Records
) -> int:
    """Return ALLOWED, or the code of the first thing that forbids an entry."""
    if account[0].halted == 1:
        return REFUSED_HALTED
    if specs[i].has_champion == 0:
        return REFUSED_SHADOW
    if rules[0].gate_mode == 1 and book[i].mode != MODE_TRADING:
        return REFUSED_LEARNING
    if account[0].daily_stopped == 1:
        return REFUSED_DAILY_LOSS
    code = refusal_of_breakers(i, account, book)
    if code != ALLOWED:
        return code
    same_minute = account[0].minute == now_ms // MINUTE_MS
    asked = account[0].minute_orders if same_minute else 0
    if asked >= rules[0].orders_per_minute:
        return REFUSED_ORDER_RATE
    return ALLOWED


@inlined
def size_entry(
    i: int,
    close: int,
    width: float,
    account: Records,
    book: Records,
    rules: Records,
    specs: Records,
) -> tuple[int, int]:
    """Return (lots, code): the largest size that every limit allows, or 0 and the limit's code.

    Risk sizing loses ``risk_per_trade`` of equity when a stop one width away is hit; then the
    caps on position, exposure, order and cash; half of it above the volatility target; the trial
    size while a breaker is half-open.
    """
    units_per_lot = close * (specs[i].notional_mul / specs[i].notional_div)
    equity = float(account[0].equity)
    limit_price = 1.0 + rules[0].collar_bps * 1e-4
    costs = 1.0 + rules[0].fee_ppm * 1e-6 + rules[0].half_spread_bps * 1e-4
    cash = (account[0].cash - account[0].reserved) / (limit_price * costs)
    if rules[0].sizing == SIZE_FIXED:
        lots = rules[0].fixed_lots
        return (lots, ALLOWED) if lots * units_per_lot <= cash else (0, REFUSED_CASH)
    want = cash
    code = REFUSED_CASH
    if rules[0].sizing != SIZE_ALL:
        if width > 0.0:
            risk = rules[0].risk_per_trade * equity / (width * 1e-4)
            if risk < want:
                want, code = risk, REFUSED_ORDER_MIN
        room = rules[0].position_max * equity - _value_of_twin(i, book, specs)
        if room < want:
            want, code = room, REFUSED_POSITION_CAP
        if rules[0].exposure_max * equity - account[0].gross < want:
            want, code = rules[0].exposure_max * equity - account[0].gross, REFUSED_EXPOSURE
        if rules[0].order_units_max < want:
            want, code = float(rules[0].order_units_max), REFUSED_ORDER_MAX
        annual = math.sqrt(book[i].var_fast * specs[i].bars_per_year)
        if 0.0 < rules[0].volatility_target < annual:
            want *= 0.5
        if on_trial(i, account, book):
            want *= rules[0].trial_size
        want *= specs[i].size_share
    lots = math.floor(want / units_per_lot) if want > 0.0 else 0
    least = max(rules[0].order_units_min, specs[i].cost_units_min)
    if lots <= 0 or lots * units_per_lot < least:
        return 0, code
    return lots, ALLOWED


@inlined
def _value_of_twin(i: int, book: Records, specs: Records) -> float:
    """Return what the other lane of the instrument holds or is about to, at its newest close."""
    twin = specs[i].twin
    if twin < 0:
        return 0.0
    units_per_lot = book[twin].last_close * (specs[twin].notional_mul / specs[twin].notional_div)
    return float(book[twin].position_lots * units_per_lot + book[twin].waiting)
