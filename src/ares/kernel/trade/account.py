"""The account: fills become cash, positions, fees and closed trades, in exact integers."""

from __future__ import annotations

import math

from ares.kernel.bars import I64
from ares.kernel.jit import inlined
from ares.kernel.trade.breakers import notice, on_execution, on_slippage, on_trade
from ares.kernel.trade.confidence import next_mode, observe_trade
from ares.kernel.trade.layout import (
    ALLOWED,
    CANCEL_STOP,
    N_OUTCOMES,
    N_REQUESTS,
    NOTICE_MODE,
    REASON_STOP,
    STOP,
    Records,
)
from ares.kernel.trade.money import multiply_divide, notional_units


@inlined
def apply_fill(
    i: int,
    fill: int,
    fills: Records,
    account: Records,
    book: Records,
    rules: Records,
    specs: Records,
    requests: Records,
    outcomes: Records,
    notices: Records,
    counts: I64,
) -> None:
    """Fold one fill (or rejection) into the account; a new stop is asked for after an entry."""
    ts_ms = fills[fill].ts_ms
    _release(i, abs(fills[fill].lots), abs(fills[fill].remaining_lots), account, book)
    if fills[fill].rejected == 1:
        book[i].working_lots = 0
        book[i].working_kind = 0
        on_execution(ts_ms, False, account, rules, notices, counts)
        return
    lots = fills[fill].lots
    price = fills[fill].price_ticks
    kind = fills[fill].kind
    units = notional_units(price, abs(lots), specs[i].notional_mul, specs[i].notional_div)
    on_execution(ts_ms, True, account, rules, notices, counts)
    if kind != STOP and book[i].expected_ticks > 0:
        adverse = (price - book[i].expected_ticks) / book[i].expected_ticks * 1e4
        sided = adverse if lots > 0 else -adverse
        on_slippage(ts_ms, sided, account, rules, notices, counts)
    account[0].fees += fills[fill].fee_units
    account[0].cash -= fills[fill].fee_units
    book[i].position_fees += fills[fill].fee_units
    if lots > 0:
        _bought(i, ts_ms, lots, units, account, book, rules, specs, requests, counts)
    else:
        _sold(i, -lots, units, kind, account, book)
    book[i].working_lots = fills[fill].remaining_lots
    book[i].working_kind = kind if fills[fill].remaining_lots != 0 else 0
    if book[i].position_lots == 0:
        _close(i, ts_ms, account, book, rules, specs, outcomes, notices, counts)


@inlined
def _release(i: int, filled: int, remaining: int, account: Records, book: Records) -> None:
    """Give back what an entry had set aside: all of it once nothing remains to be filled."""
    if book[i].reserved == 0:
        return
    waiting = 0
    reserved = 0
    if remaining > 0:
        waiting = multiply_divide(book[i].waiting, remaining, filled + remaining)
        reserved = multiply_divide(book[i].reserved, remaining, filled + remaining)
    account[0].waiting -= book[i].waiting - waiting
    account[0].reserved -= book[i].reserved - reserved
    book[i].waiting = waiting
    book[i].reserved = reserved


@inlined
def _bought(
    i: int,
    ts_ms: int,
    lots: int,
    units: int,
    account: Records,
    book: Records,
    rules: Records,
    specs: Records,
    requests: Records,
    counts: I64,
) -> None:
    """Add bought lots to the position; rest a stop for all of it, one width below its price."""
    account[0].cash -= units
    if book[i].position_lots == 0:
        book[i].entry_ms = ts_ms
        horizon = specs[i].horizon_ms
        book[i].expiry_ms = ts_ms + horizon if horizon > 0 else 0
    book[i].position_lots += lots
    book[i].cost_units += units
    book[i].entry_lots += lots
    book[i].entry_units += units
    width = book[i].entry_width
    if not (width > 0.0) or rules[0].stop_enabled == 0:
        return
    mean = average_ticks(book[i].entry_units, book[i].entry_lots, i, specs)
    book[i].stop_ticks = max(1, math.floor(mean * (1.0 - width * 1e-4)))
    book[i].take_ticks = math.ceil(mean * (1.0 + width * 1e-4))
    if book[i].stop_lots > 0:
        request(i, ts_ms, CANCEL_STOP, 0, 0, REASON_STOP, ALLOWED, book, requests, counts)
    held = book[i].position_lots
    trigger = book[i].stop_ticks
    request(i, ts_ms, STOP, -held, trigger, REASON_STOP, ALLOWED, book, requests, counts)
    book[i].stop_lots = held


@inlined
def _sold(i: int, lots: int, units: int, kind: int, account: Records, book: Records) -> None:
    """Take sold lots out of the position at their share of its cost."""
    held = book[i].position_lots
    released = multiply_divide(book[i].cost_units, lots, held)
    account[0].cash += units
    account[0].realized += units - released
    book[i].cost_units -= released
    book[i].position_lots = held - lots
    book[i].exit_units += units
    if kind == STOP:
        book[i].stop_lots = 0
        book[i].working_reason = REASON_STOP


@inlined
def _close(
    i: int,
    ts_ms: int,
    account: Records,
    book: Records,
    rules: Records,
    specs: Records,
    outcomes: Records,
    notices: Records,
    counts: I64,
) -> None:
    """Record the closed trade, learn from it, and clear the position."""
    lots = book[i].entry_lots
    pnl = book[i].exit_units - book[i].entry_units - book[i].position_fees
    net_bps = pnl / max(1, book[i].entry_units) * 1e4  # dust may have cost no unit at all
    n = counts[N_OUTCOMES]
    outcomes[n].instrument = i
    outcomes[n].virtual = 0
    outcomes[n].entry_ms = book[i].entry_ms
    outcomes[n].exit_ms = ts_ms
    outcomes[n].entry_price = average_ticks(book[i].entry_units, lots, i, specs)
    outcomes[n].exit_price = average_ticks(book[i].exit_units, lots, i, specs)
    outcomes[n].lots = lots
    outcomes[n].pnl_units = pnl
    outcomes[n].fees_units = book[i].position_fees
    outcomes[n].net_bps = net_bps
    outcomes[n].p = book[i].entry_p
    outcomes[n].edge_bps = book[i].entry_edge
    outcomes[n].reason = book[i].working_reason
    outcomes[n].code = ALLOWED
    counts[N_OUTCOMES] = n + 1
    on_trade(ts_ms, pnl > 0, account, rules, notices, counts)
    if book[i].foreign == 0:
        learn_from(i, ts_ms, net_bps, book, rules, notices, counts)
    book[i].foreign = 0
    outcomes[n].mode_confidence = book[i].mode_confidence
    book[i].cost_units = 0
    book[i].position_fees = 0
    book[i].entry_lots = 0
    book[i].entry_units = 0
    book[i].exit_units = 0
    book[i].entry_ms = 0
    book[i].expiry_ms = 0
    book[i].stop_ticks = 0
    book[i].take_ticks = 0
    book[i].stop_lots = 0
    book[i].entry_width = 0.0
    book[i].working_reason = 0


@inlined
def learn_from(
    i: int,
    ts_ms: int,
    net_bps: float,
    book: Records,
    rules: Records,
    notices: Records,
    counts: I64,
) -> None:
    """Move the mode confidence by one closed trade, and the mode with it."""
    book[i].arm_bps += net_bps
    book[i].arm_trades += 1
    observe_trade(i, net_bps, book, rules)
    before = book[i].mode
    after = next_mode(before, book[i].mode_confidence, rules)
    if after != before:
        book[i].mode = after
        value = book[i].mode_confidence
        notice(ts_ms, NOTICE_MODE, i, 0, before, after, value, notices, counts)


@inlined
def average_ticks(units: int, lots: int, i: int, specs: Records) -> float:
    """Return the average price in ticks of ``lots`` that cost ``units``."""
    return float(units / lots * (specs[i].notional_div / specs[i].notional_mul))


@inlined
def request(
    i: int,
    ts_ms: int,
    kind: int,
    lots: int,
    price: int,
    reason: int,
    code: int,
    book: Records,
    requests: Records,
    counts: I64,
) -> None:
    """Append one record to the requests."""
    n = counts[N_REQUESTS]
    requests[n].ts_ms = ts_ms
    requests[n].instrument = i
    requests[n].kind = kind
    requests[n].lots = lots
    requests[n].price_ticks = price
    requests[n].reason = reason
    requests[n].code = code
    requests[n].p = book[i].entry_p
    requests[n].edge_bps = book[i].entry_edge
    requests[n].width_bps = book[i].entry_width
    counts[N_REQUESTS] = n + 1


@inlined
def mark(t: int, closes: I64, account: Records, book: Records, specs: Records) -> None:
    """Value all positions at the closes of row ``t`` (0: no bar, the last close stands)."""
    gross = 0
    for i in range(book.shape[0]):
        if book[i].position_lots != 0:
            close = closes[t, i] if closes[t, i] > 0 else book[i].last_close
            held = book[i].position_lots
            gross += notional_units(close, held, specs[i].notional_mul, specs[i].notional_div)
    account[0].gross = gross + account[0].waiting
    account[0].equity = account[0].cash + gross
    account[0].peak_equity = max(account[0].peak_equity, account[0].equity)
