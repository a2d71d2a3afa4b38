"""Circuit breakers: closed, open, half-open with a trial size; and the daily loss limit.

Win rate, drawdown, failures in a row, share of failed executions, slippage and gas are kept for the
account, volatility for each instrument. An open breaker becomes half-open after its cool-down
(drawdown only when a person says so); a number of good trial trades closes it, one bad trade opens
it again. The notice of one that opens has its value, its limit, and what the value was computed
from.
"""

from __future__ import annotations

import math

from ares.kernel.jit import inlined
from ares.kernel.trade.arrays import TradeParams, TradeRecords, TradeState
from ares.kernel.trade.layout import (
    ALLOWED,
    BREAKER_DRAWDOWN,
    BREAKER_EXECUTION,
    BREAKER_FAILURES,
    BREAKER_GAS,
    BREAKER_SLIPPAGE,
    BREAKER_VOLATILITY,
    BREAKER_WIN_RATE,
    CLOSED,
    FAILURE_RING,
    HALF_OPEN,
    N_BREAKERS,
    N_NOTICES,
    NOTICE_BREAKER,
    NOTICE_DAILY_LOSS,
    OPEN,
    REFUSED_DRAWDOWN,
    REFUSED_EXECUTION,
    REFUSED_FAILURES,
    REFUSED_GAS,
    REFUSED_SLIPPAGE,
    REFUSED_VOLATILITY,
    REFUSED_WIN_RATE,
    TRADE_RING,
)

EXECUTIONS_MIN = 5
"""Fewer in the window are too few for a share of failures."""

SLIPPAGE_TRADES_MIN = 20.0
SLIPPAGE_SD_BPS_MIN = 0.5
SLIPPAGE_MEMORY = 50.0
VOLATILITY_BARS_MIN = 1_000
GAS_TRADES_MIN = 5
GAS_MEMORY = 50.0
"""Trades after which an old one, and the gas of its time, weigh 1/e."""


@inlined
def notice(
    ts_ms: int,
    kind: int,
    i: int,
    code: int,
    before: int,
    after: int,
    value: float,
    records: TradeRecords,
) -> None:
    """Append one record to the notices."""
    row = records.notices[records.counts[N_NOTICES]]
    row.ts_ms = ts_ms
    row.kind = kind
    row.instrument = i
    row.code = code
    row.before = before
    row.after = after
    row.value = value
    row.limit = 0.0
    row.first = 0.0
    row.second = 0.0
    row.third = 0.0
    records.counts[N_NOTICES] += 1


@inlined
def note_evidence(
    limit: float, first: float, second: float, third: float, records: TradeRecords
) -> None:
    """Add to the newest notice what its value was compared with and computed from."""
    row = records.notices[records.counts[N_NOTICES] - 1]
    row.limit = limit
    row.first = first
    row.second = second
    row.third = third


@inlined
def set_breaker(
    breaker: int,
    status: int,
    ts_ms: int,
    value: float,
    state: TradeState,
    params: TradeParams,
    records: TradeRecords,
) -> bool:
    """Set an account breaker's status, record the change, and prepare its trial trades.

    Returns False where it has that status already.
    """
    account = state.account[0]
    before = account.breaker_status[breaker]
    if before == status:
        return False
    account.breaker_status[breaker] = status
    account.breakers_open += (status == OPEN) - (before == OPEN)
    account.breaker_ms[breaker] = ts_ms
    account.breaker_trials[breaker] = params.rules[0].trial_trades
    notice(ts_ms, NOTICE_BREAKER, -1, breaker, before, status, value, records)
    return True


@inlined
def cool_down(ts_ms: int, state: TradeState, params: TradeParams, records: TradeRecords) -> None:
    """Let open breakers become half-open when their cool-down has passed."""
    account = state.account[0]
    if account.breakers_open == 0:
        return
    for breaker in range(N_BREAKERS):
        open_for_ms = ts_ms - account.breaker_ms[breaker]
        if (
            account.breaker_status[breaker] == OPEN
            and breaker != BREAKER_DRAWDOWN
            and open_for_ms >= params.rules[0].cooldown_ms
        ):
            set_breaker(breaker, HALF_OPEN, ts_ms, 0.0, state, params, records)


@inlined
def on_drawdown(ts_ms: int, state: TradeState, params: TradeParams, records: TradeRecords) -> None:
    """Open the drawdown breaker when equity has fallen too far below its peak."""
    account = state.account[0]
    limit = params.rules[0].drawdown_max
    if limit <= 0.0 or account.breaker_status[BREAKER_DRAWDOWN] == OPEN:
        return
    loss = account.peak_equity - account.equity
    if loss > limit * account.peak_equity:
        drawdown = loss / account.peak_equity
        if set_breaker(BREAKER_DRAWDOWN, OPEN, ts_ms, drawdown, state, params, records):
            note_evidence(limit, account.equity, account.peak_equity, 0.0, records)


@inlined
def on_daily_loss(
    ts_ms: int, state: TradeState, params: TradeParams, records: TradeRecords
) -> None:
    """Stop entries for the rest of the UTC day when the day's loss reaches its limit."""
    account = state.account[0]
    limit = params.rules[0].daily_loss_max
    if limit <= 0.0 or account.daily_stopped == 1:
        return
    loss = account.day_equity - account.equity
    if loss >= limit * account.day_equity and loss > 0:
        account.daily_stopped = 1
        share = loss / account.day_equity
        notice(ts_ms, NOTICE_DAILY_LOSS, -1, 0, 0, 1, share, records)


@inlined
def on_trade(
    ts_ms: int,
    won: bool,
    gross_units: int,
    state: TradeState,
    params: TradeParams,
    records: TradeRecords,
) -> None:
    """Count a closed real trade: the trials of half-open breakers, then the win rate.

    gross_units : what it won before fees and gas.
    """
    account, rules = state.account[0], params.rules[0]
    keep = 1.0 - 1.0 / GAS_MEMORY
    account.gas_recent *= keep
    account.gross_profit = account.gross_profit * keep + max(0, gross_units)
    account.gas_trades += 1
    for breaker in range(N_BREAKERS):
        if account.breaker_status[breaker] == HALF_OPEN:
            if not won:
                set_breaker(breaker, OPEN, ts_ms, 0.0, state, params, records)
                continue
            account.breaker_trials[breaker] -= 1
            if account.breaker_trials[breaker] <= 0:
                set_breaker(breaker, CLOSED, ts_ms, 0.0, state, params, records)
                if breaker == BREAKER_WIN_RATE:
                    account.win_count = 0
                elif breaker == BREAKER_GAS:
                    account.gas_recent = 0.0
                    account.gross_profit = 0.0
                    account.gas_trades = 0
    window = rules.win_rate_trades
    newest = account.trade_count
    account.trade_won[newest % TRADE_RING] = 1 if won else 0
    account.trade_count = newest + 1
    account.win_count = min(window, account.win_count + 1)
    if account.win_count == window and rules.win_rate_min > 0.0:
        wins = 0
        for back in range(window):
            wins += account.trade_won[(newest - back) % TRADE_RING]
        if (
            wins < rules.win_rate_min * window
            and account.breaker_status[BREAKER_WIN_RATE] == CLOSED
        ):
            set_breaker(BREAKER_WIN_RATE, OPEN, ts_ms, wins / window, state, params, records)
            note_evidence(rules.win_rate_min, wins, window, 0.0, records)


@inlined
def on_execution(
    ts_ms: int, filled: bool, state: TradeState, params: TradeParams, records: TradeRecords
) -> None:
    """Count an order that filled or failed: failures in a row, and their share in the window."""
    account, rules = state.account[0], params.rules[0]
    account.failures = 0 if filled else account.failures + 1
    newest = account.execution_count % FAILURE_RING
    account.execution_ms[newest] = ts_ms
    account.execution_ok[newest] = 1 if filled else 0
    account.execution_count += 1
    in_a_row = account.failures
    if 0 < rules.failures_max <= in_a_row and set_breaker(
        BREAKER_FAILURES, OPEN, ts_ms, float(in_a_row), state, params, records
    ):
        note_evidence(rules.failures_max, in_a_row, account.execution_count, 0.0, records)
    if rules.failed_share_max <= 0.0:
        return
    executions = 0
    failed = 0
    for k in range(min(FAILURE_RING, account.execution_count)):
        if ts_ms - account.execution_ms[k] <= rules.failed_window_ms:
            executions += 1
            failed += 1 - account.execution_ok[k]
    if executions >= EXECUTIONS_MIN and failed >= rules.failed_share_max * executions:
        share = failed / executions
        if set_breaker(BREAKER_EXECUTION, OPEN, ts_ms, share, state, params, records):
            minutes = rules.failed_window_ms / 60_000.0
            note_evidence(rules.failed_share_max, failed, executions, minutes, records)


@inlined
def on_slippage(
    ts_ms: int, adverse_bps: float, state: TradeState, params: TradeParams, records: TradeRecords
) -> None:
    """Compare a fill's slippage with the fills so far, then add it to their mean and variance."""
    account, sd_max = state.account[0], params.rules[0].slippage_sd_max
    n = account.slippage_n
    if sd_max > 0.0 and n >= SLIPPAGE_TRADES_MIN:
        sd = math.sqrt(account.slippage_m2 / n)
        mean, distance = account.slippage_mean, sd_max * max(sd, SLIPPAGE_SD_BPS_MIN)
        is_far = adverse_bps - mean > distance
        if is_far and set_breaker(
            BREAKER_SLIPPAGE, OPEN, ts_ms, adverse_bps, state, params, records
        ):
            note_evidence(mean + distance, mean, sd, n, records)
    keep = 1.0 - 1.0 / SLIPPAGE_MEMORY
    n *= keep
    delta = adverse_bps - account.slippage_mean
    account.slippage_mean += delta / (n + 1.0)
    account.slippage_m2 = account.slippage_m2 * keep + delta * delta * n / (n + 1.0)
    account.slippage_n = n + 1.0
    account.slippage_last = adverse_bps


@inlined
def on_volatility(
    i: int, ts_ms: int, state: TradeState, params: TradeParams, records: TradeRecords
) -> None:
    """Open the instrument's breaker when volatility is a multiple of normal; close it after."""
    lane, rules = state.book[i], params.rules[0]
    limit = rules.volatility_ratio_max
    before = lane.volatility_status
    has_limit = limit > 0.0 and lane.n_bars >= VOLATILITY_BARS_MIN
    if not has_limit and before == CLOSED:
        return
    after = before
    if has_limit and lane.var_fast > limit * limit * lane.var_slow:
        after = OPEN
    elif before == OPEN and ts_ms - lane.volatility_ms >= rules.cooldown_ms:
        after = HALF_OPEN
    elif before == HALF_OPEN and ts_ms - lane.volatility_ms >= rules.cooldown_ms:
        after = CLOSED
    if after != before:
        lane.volatility_status = after
        lane.volatility_ms = ts_ms
        ratio = math.sqrt(lane.var_fast / lane.var_slow) if lane.var_slow > 0 else 0.0
        notice(ts_ms, NOTICE_BREAKER, i, BREAKER_VOLATILITY, before, after, ratio, records)
        if after == OPEN:
            year = params.specs[i].bars_per_year
            fast = math.sqrt(lane.var_fast * year)
            note_evidence(limit, fast, math.sqrt(lane.var_slow * year), lane.n_bars, records)


@inlined
def on_gas(ts_ms: int, state: TradeState, params: TradeParams, records: TradeRecords) -> None:
    """Open the gas breaker when gas has cost too large a share of the gross profit."""
    account, limit = state.account[0], params.rules[0].gas_share_max
    if account.gas_recent <= 0.0 or limit <= 0.0 or account.gas_trades < GAS_TRADES_MIN:
        return
    if account.breaker_status[BREAKER_GAS] != CLOSED:
        return
    if account.gas_recent > limit * account.gross_profit:
        share = account.gas_recent / max(1.0, account.gross_profit)
        set_breaker(BREAKER_GAS, OPEN, ts_ms, share, state, params, records)
        gas, profit = account.gas_recent, account.gross_profit
        note_evidence(limit, gas, profit, account.gas_trades, records)


@inlined
def breaker_refusal(i: int, state: TradeState) -> int:
    """Return the refusal code of the first open breaker, or ALLOWED."""
    status = state.account[0].breaker_status
    if status[BREAKER_DRAWDOWN] == OPEN:
        return REFUSED_DRAWDOWN
    if status[BREAKER_WIN_RATE] == OPEN:
        return REFUSED_WIN_RATE
    if status[BREAKER_FAILURES] == OPEN:
        return REFUSED_FAILURES
    if status[BREAKER_EXECUTION] == OPEN:
        return REFUSED_EXECUTION
    if status[BREAKER_SLIPPAGE] == OPEN:
        return REFUSED_SLIPPAGE
    if status[BREAKER_GAS] == OPEN:
        return REFUSED_GAS
    if state.book[i].volatility_status == OPEN:
        return REFUSED_VOLATILITY
    return ALLOWED


@inlined
def is_on_trial(i: int, state: TradeState) -> bool:
    """Return whether any breaker is half-open, so that only the trial size may trade."""
    if state.book[i].volatility_status == HALF_OPEN:
        return True
    for breaker in range(N_BREAKERS):
        if state.account[0].breaker_status[breaker] == HALF_OPEN:
            return True
    return False
