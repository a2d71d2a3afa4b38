"""Circuit breakers: closed, open, half-open with a trial size; and the daily loss limit.

Win rate, drawdown, failures in a row, share of failed executions and slippage stand for the whole
account, volatility for one instrument. An open breaker becomes half-open after its cool-down
(never by itself for drawdown: that wants a person); a number of good trial trades closes it, one
bad trade opens it again.
"""

from __future__ import annotations

import math

from ares.kernel.bars import I64
from ares.kernel.jit import inlined
from ares.kernel.trade.layout import (
    ALLOWED,
    BREAKER_DRAWDOWN,
    BREAKER_EXECUTION,
    BREAKER_FAILURES,
    BREAKER_SLIPPAGE,
    BREAKER_VOLATILITY,
    BREAKER_WIN_RATE,
    CLOSED,
    FAILURE_RING,
    HALF_OPEN,
    N_BREAKERS,
    N_NOTICES,
    NOTICE_BREAKER,
    OPEN,
    REFUSED_DRAWDOWN,
    REFUSED_EXECUTION,
    REFUSED_FAILURES,
    REFUSED_SLIPPAGE,
    REFUSED_VOLATILITY,
    REFUSED_WIN_RATE,
    TRADE_RING,
    Records,
)

SLIPPAGE_TRADES_MIN = 20.0
SLIPPAGE_MEMORY = 50.0
VOLATILITY_BARS_MIN = 1_000


@inlined
def notice(
    ts_ms: int,
    kind: int,
    i: int,
    which: int,
    before: int,
    after: int,
    value: float,
    notices: Records,
    counts: I64,
) -> None:
    """Append one record to the notices."""
    n = counts[N_NOTICES]
    notices[n].ts_ms = ts_ms
    notices[n].kind = kind
    notices[n].instrument = i
    notices[n].which = which
    notices[n].before = before
    notices[n].after = after
    notices[n].value = value
    counts[N_NOTICES] = n + 1


@inlined
def turn(
    which: int,
    status: int,
    ts_ms: int,
    value: float,
    account: Records,
    rules: Records,
    notices: Records,
    counts: I64,
) -> None:
    """Set an account breaker's status, say so, and prepare its trials."""
    before = account[0].breaker_status[which]
    if before == status:
        return
    account[0].breaker_status[which] = status
    account[0].breakers_open += (status == OPEN) - (before == OPEN)
    account[0].breaker_ms[which] = ts_ms
    account[0].breaker_trials[which] = rules[0].trial_trades
    notice(ts_ms, NOTICE_BREAKER, -1, which, before, status, value, notices, counts)


@inlined
def cool_down(ts_ms: int, account: Records, rules: Records, notices: Records, counts: I64) -> None:
    """Let open breakers become half-open when their time has passed."""
    if account[0].breakers_open == 0:
        return
    for which in range(N_BREAKERS):
        waited = ts_ms - account[0].breaker_ms[which]
        if (
            account[0].breaker_status[which] == OPEN
            and which != BREAKER_DRAWDOWN
            and waited >= rules[0].cooldown_ms
        ):
            turn(which, HALF_OPEN, ts_ms, 0.0, account, rules, notices, counts)


@inlined
def on_drawdown(
    ts_ms: int, account: Records, rules: Records, notices: Records, counts: I64
) -> None:
    """Open the drawdown breaker when equity has fallen too far below its peak."""
    limit = rules[0].drawdown_max
    if limit <= 0.0 or account[0].breaker_status[BREAKER_DRAWDOWN] != CLOSED:
        return
    fallen = account[0].peak_equity - account[0].equity
    if fallen > limit * account[0].peak_equity:
        share = fallen / account[0].peak_equity
        turn(BREAKER_DRAWDOWN, OPEN, ts_ms, share, account, rules, notices, counts)


@inlined
def on_trade(
    ts_ms: int, won: bool, account: Records, rules: Records, notices: Records, counts: I64
) -> None:
    """Count a closed real trade: the win rate, and the trials of half-open breakers."""
    for which in range(N_BREAKERS):
        if account[0].breaker_status[which] == HALF_OPEN:
            if not won:
                turn(which, OPEN, ts_ms, 0.0, account, rules, notices, counts)
                continue
            account[0].breaker_trials[which] -= 1
            if account[0].breaker_trials[which] <= 0:
                turn(which, CLOSED, ts_ms, 0.0, account, rules, notices, counts)
                if which == BREAKER_WIN_RATE:
                    account[0].win_count = 0
    window = rules[0].win_rate_trades
    newest = account[0].trade_count
    account[0].trade_won[newest % TRADE_RING] = 1 if won else 0
    account[0].trade_count = newest + 1
    account[0].win_count = min(window, account[0].win_count + 1)
    if account[0].win_count == window and rules[0].win_rate_min > 0.0:
        wins = 0
        for k in range(window):
            wins += account[0].trade_won[(newest - k) % TRADE_RING]
        if (
            wins < rules[0].win_rate_min * window
            and account[0].breaker_status[BREAKER_WIN_RATE] == CLOSED
        ):
            rate = wins / window
            turn(BREAKER_WIN_RATE, OPEN, ts_ms, rate, account, rules, notices, counts)


@inlined
def on_execution(
    ts_ms: int, succeeded: bool, account: Records, rules: Records, notices: Records, counts: I64
) -> None:
    """Count an order that filled or failed: failures in a row, and their share in the window."""
    account[0].failures = 0 if succeeded else account[0].failures + 1
    slot = account[0].execution_count % FAILURE_RING
    account[0].execution_ms[slot] = ts_ms
    account[0].execution_ok[slot] = 1 if succeeded else 0
    account[0].execution_count += 1
    row = account[0].failures
    if 0 < rules[0].failures_max <= row:
        turn(BREAKER_FAILURES, OPEN, ts_ms, float(row), account, rules, notices, counts)
    if rules[0].failed_share_max <= 0.0:
        return
    seen = 0
    failed = 0
    for k in range(min(FAILURE_RING, account[0].execution_count)):
        if ts_ms - account[0].execution_ms[k] <= rules[0].failed_window_ms:
            seen += 1
            failed += 1 - account[0].execution_ok[k]
    if seen >= 5 and failed >= rules[0].failed_share_max * seen:
        turn(BREAKER_EXECUTION, OPEN, ts_ms, failed / seen, account, rules, notices, counts)


@inlined
def on_slippage(
    ts_ms: int, adverse_bps: float, account: Records, rules: Records, notices: Records, counts: I64
) -> None:
    """Compare a fill's slippage with what fills have cost so far, then learn from it."""
    n = account[0].slip_n
    if rules[0].slippage_sd_max > 0.0 and n >= SLIPPAGE_TRADES_MIN:
        sd = math.sqrt(account[0].slip_m2 / n)
        if adverse_bps - account[0].slip_mean > rules[0].slippage_sd_max * max(sd, 0.5):
            turn(BREAKER_SLIPPAGE, OPEN, ts_ms, adverse_bps, account, rules, notices, counts)
    keep = 1.0 - 1.0 / SLIPPAGE_MEMORY
    n *= keep
    delta = adverse_bps - account[0].slip_mean
    account[0].slip_mean += delta / (n + 1.0)
    account[0].slip_m2 = account[0].slip_m2 * keep + delta * delta * n / (n + 1.0)
    account[0].slip_n = n + 1.0
    account[0].slip_last = adverse_bps


@inlined
def on_volatility(
    i: int, ts_ms: int, book: Records, rules: Records, notices: Records, counts: I64
) -> None:
    """Open the instrument's breaker when volatility is a multiple of normal; close it after."""
    limit = rules[0].volatility_ratio_max
    if limit <= 0.0 or book[i].n_bars < VOLATILITY_BARS_MIN:
        return
    hot = book[i].var_fast > limit * limit * book[i].var_slow
    before = book[i].volatility_status
    after = before
    if hot:
        after = OPEN
    elif before == OPEN and ts_ms - book[i].volatility_ms >= rules[0].cooldown_ms:
        after = HALF_OPEN
    elif before == HALF_OPEN and ts_ms - book[i].volatility_ms >= rules[0].cooldown_ms:
        after = CLOSED
    if after != before:
        book[i].volatility_status = after
        book[i].volatility_ms = ts_ms
        ratio = math.sqrt(book[i].var_fast / book[i].var_slow) if book[i].var_slow > 0 else 0.0
        notice(ts_ms, NOTICE_BREAKER, i, BREAKER_VOLATILITY, before, after, ratio, notices, counts)


@inlined
def refusal_of_breakers(i: int, account: Records, book: Records) -> int:
    """Return the code of the first open breaker, or ALLOWED."""
    if account[0].breaker_status[BREAKER_DRAWDOWN] != CLOSED:
        return REFUSED_DRAWDOWN
    if account[0].breaker_status[BREAKER_WIN_RATE] == OPEN:
        return REFUSED_WIN_RATE
    if account[0].breaker_status[BREAKER_FAILURES] == OPEN:
        return REFUSED_FAILURES
    if account[0].breaker_status[BREAKER_EXECUTION] == OPEN:
        return REFUSED_EXECUTION
    if account[0].breaker_status[BREAKER_SLIPPAGE] == OPEN:
        return REFUSED_SLIPPAGE
    if book[i].volatility_status == OPEN:
        return REFUSED_VOLATILITY
    return ALLOWED


@inlined
def on_trial(i: int, account: Records, book: Records) -> bool:
    """Return whether any breaker is half-open, so that only the trial size may trade."""
    if book[i].volatility_status == HALF_OPEN:
        return True
    for which in range(N_BREAKERS):  # noqa: SIM110 - numba compiles no generator expression
        if account[0].breaker_status[which] == HALF_OPEN:
            return True
    return False
