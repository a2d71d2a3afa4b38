"""Virtual trades: what a signal would have made where it may not trade.

One unit of notional, filled at the next open with half the spread and the fee on both sides, and
left by the same stop, take-profit and timeout as a real trade. They move the mode confidence and
nothing else.
"""

from __future__ import annotations

from ares.kernel.bars import I64
from ares.kernel.jit import inlined
from ares.kernel.trade.account import learn_from
from ares.kernel.trade.breakers import notice
from ares.kernel.trade.layout import (
    N_OUTCOMES,
    NOTICE_VIRTUAL_OPENED,
    REASON_REVERSAL,
    REASON_STOP,
    REASON_TAKE,
    REASON_TIMEOUT,
    Records,
)

NONE = 0
ENTERS = 1
HELD = 2
LEAVES = 3


@inlined
def open_virtual(
    i: int,
    ts_ms: int,
    code: int,
    p: float,
    edge: float,
    width: float,
    close: int,
    virtual: Records,
    notices: Records,
    counts: I64,
) -> None:
    """Note that a signal was refused with ``code``: its virtual trade enters at the next open."""
    virtual[i].status = ENTERS
    virtual[i].reference_ticks = close
    virtual[i].p = p
    virtual[i].edge = edge
    virtual[i].width = width
    virtual[i].code = code
    notice(ts_ms, NOTICE_VIRTUAL_OPENED, i, code, 0, 0, edge, notices, counts)


@inlined
def advance_virtual(
    i: int,
    now_ms: int,
    open_ticks: int,
    low_ticks: int,
    close_ticks: int,
    edge: float,
    virtual: Records,
    book: Records,
    rules: Records,
    specs: Records,
    outcomes: Records,
    notices: Records,
    counts: I64,
) -> None:
    """Move the virtual trade of an instrument over one bar that closes at ``now_ms``."""
    open_ms = now_ms - specs[i].base_ms
    half = rules[0].half_spread_bps * 1e-4
    if virtual[i].status == LEAVES:
        price = open_ticks * (1.0 - half)
        _close(i, open_ms, price, virtual, book, rules, outcomes, notices, counts)
        return
    if virtual[i].status == ENTERS:
        virtual[i].status = HELD
        virtual[i].entry_ms = open_ms
        virtual[i].entry_ticks = open_ticks * (1.0 + half)
        horizon = specs[i].horizon_ms
        virtual[i].expiry_ms = open_ms + horizon if horizon > 0 else 0
        width = virtual[i].width * 1e-4
        stopped = width > 0.0 and rules[0].stop_enabled == 1
        virtual[i].stop_ticks = virtual[i].entry_ticks * (1.0 - width) if stopped else 0.0
        virtual[i].take_ticks = virtual[i].entry_ticks * (1.0 + width) if stopped else 0.0
    if virtual[i].status != HELD:
        return
    if virtual[i].stop_ticks > 0.0 and low_ticks <= virtual[i].stop_ticks:
        virtual[i].reason = REASON_STOP
        price = min(float(open_ticks), virtual[i].stop_ticks) * (1.0 - half)
        _close(i, open_ms, price, virtual, book, rules, outcomes, notices, counts)
        return
    reason = 0
    if virtual[i].take_ticks > 0.0 and close_ticks >= virtual[i].take_ticks:
        reason = REASON_TAKE
    elif 0 < virtual[i].expiry_ms <= now_ms:
        reason = REASON_TIMEOUT
    elif edge <= rules[0].edge_bps_exit:
        reason = REASON_REVERSAL
    if reason != 0:
        virtual[i].status = LEAVES
        virtual[i].reason = reason


@inlined
def _close(
    i: int,
    ts_ms: int,
    exit_ticks: float,
    virtual: Records,
    book: Records,
    rules: Records,
    outcomes: Records,
    notices: Records,
    counts: I64,
) -> None:
    fees_bps = 2.0 * rules[0].fee_ppm * 1e-2
    net_bps = (exit_ticks / virtual[i].entry_ticks - 1.0) * 1e4 - fees_bps
    n = counts[N_OUTCOMES]
    outcomes[n].instrument = i
    outcomes[n].virtual = 1
    outcomes[n].entry_ms = virtual[i].entry_ms
    outcomes[n].exit_ms = ts_ms
    outcomes[n].entry_price = virtual[i].entry_ticks
    outcomes[n].exit_price = exit_ticks
    outcomes[n].lots = 0
    outcomes[n].pnl_units = 0
    outcomes[n].fees_units = 0
    outcomes[n].net_bps = net_bps
    outcomes[n].p = virtual[i].p
    outcomes[n].edge_bps = virtual[i].edge
    outcomes[n].reason = virtual[i].reason
    outcomes[n].code = virtual[i].code
    counts[N_OUTCOMES] = n + 1
    virtual[i].status = NONE
    learn_from(i, ts_ms, net_bps, book, rules, notices, counts)
    outcomes[n].mode_confidence = book[i].mode_confidence
