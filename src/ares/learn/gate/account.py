"""An account on one instrument's bars that trades signals through the kernel's trade half.

The account evaluates signals, so nothing that protects a real account takes part: no mode, breaker,
daily loss or drawdown limit, volatility scaling or limit on orders a minute. Costs, stops and sizes
are those that a real trade would have (ADR 0016).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ares.domain.instrument import InstrumentSpec
from ares.domain.timeframe import DAY_MS, HOUR_MS
from ares.kernel.bars import F64, I64, Bars
from ares.kernel.trade import (
    InstrumentRules,
    Market,
    Rules,
    Signals,
    first_state,
    scan,
    to_grid,
    trade_params,
)

DAYS_PER_YEAR = 365.0
STEP_MS = HOUR_MS
"""A step of the paired test: the stake of the e-process fits the edge of an hour."""


@dataclass(frozen=True, slots=True)
class AccountTerms:
    """The terms on which an account trades: the instrument's grid, the rules, the initial cash."""

    spec: InstrumentSpec
    rules: Rules
    cash_quote: float

    def without_protections(self) -> AccountTerms:
        """Return the same costs, stops and sizes without breakers and loss limits."""
        rules = replace(
            self.rules,
            orders_per_minute=10**9,
            daily_loss_max=0.0,
            drawdown_max=0.0,
            win_rate_min=0.0,
            failures_max=0,
            failed_share_max=0.0,
            slippage_sd_max=0.0,
            volatility_ratio_max=0.0,
            volatility_target=0.0,
            gate_mode=False,
        )
        return replace(self, rules=rules)


@dataclass(frozen=True, slots=True)
class EvidenceAccount:
    """An account over time.

    from_ms  : when its first bar opened.
    close_ms : (n_bars,) closing instants.
    equity   : (n_bars,) at each close, as a multiple of the initial cash.
    net_bps  : (n_trades,) net return of each closed trade on its notional.
    exit_ms  : (n_trades,) when each was closed.
    """

    from_ms: int
    close_ms: I64
    equity: F64
    net_bps: F64
    exit_ms: I64

    @property
    def days(self) -> I64:
        """Return the UTC days of the account, ``(n_days,)`` days since the epoch."""
        if len(self.close_ms) == 0:
            return np.empty(0, np.int64)
        ends = (self.close_ms[[0, -1]] - 1) // DAY_MS
        return np.arange(ends[0], ends[1] + 1, dtype=np.int64)

    @property
    def daily(self) -> F64:
        """Return the return of each of its days, ``(n_days,)``."""
        return daily_returns(self.close_ms, self.equity, 1.0)

    @property
    def net_return(self) -> float:
        """Return the net return of the whole account, as a fraction."""
        return float(self.equity[-1]) - 1.0 if len(self.equity) else 0.0

    @property
    def sharpe(self) -> float | None:
        """Return the annualised Sharpe ratio of daily returns; None where they do not vary."""
        return annual_sharpe(self.daily)

    @property
    def drawdown(self) -> float:
        """Return the maximum drawdown, as a fraction of the peak."""
        if len(self.equity) == 0:
            return 0.0
        peak = np.maximum(np.maximum.accumulate(self.equity), 1.0)
        return float((1.0 - self.equity / peak).max())

    def steps(self) -> F64:
        """Return the return of each step that has bars, ``(n_steps,)``; see ``step_ends``."""
        ends = self.equity[step_ends(self.close_ms)]
        before = np.concatenate([[1.0], ends[:-1]])
        stepped: F64 = ends / before - 1.0
        return stepped


def trade(
    bars: Bars, interval_ms: int, signals: Signals, terms: AccountTerms, horizon_ms: int = 0
) -> EvidenceAccount:
    """Return the account that follows the signals.

    bars    : on which trades are filled and followed, ``interval_ms`` long.
    signals : (n_bars, 1) at the closes of these bars.
    horizon_ms : longest holding time; 0: none.
    """
    traded = [InstrumentRules(terms.spec, interval_ms, horizon_ms)]
    params = trade_params(terms.rules, traded)
    state = first_state(traded, terms.cash_quote, params)
    market = market_of(bars, interval_ms, terms.spec)
    log = scan(market, signals, state, params)
    real = log.outcomes[log.outcomes["virtual"] == 0]
    return EvidenceAccount(
        int(bars.ts_ms[0]) if len(bars) else 0,
        market.close_ms,
        log.equity / float(state.account[0]["equity"]),
        real["net_bps"].astype(np.float64),
        real["exit_ms"].astype(np.int64),
    )


def market_of(bars: Bars, interval_ms: int, spec: InstrumentSpec) -> Market:
    """Return the bars as the trade half reads them, one column each."""

    def column(values: F64, decimals: int) -> I64:
        return to_grid(values, decimals)[:, None]

    price = spec.price_decimals
    return Market(
        bars.ts_ms + interval_ms,
        column(bars.open, price),
        column(bars.high, price),
        column(bars.low, price),
        column(bars.close, price),
        column(bars.volume, spec.qty_decimals),
    )


def annual_sharpe(daily: F64) -> float | None:
    """Return the annualised Sharpe ratio of daily returns; None where they do not vary."""
    spread = float(daily.std(ddof=1)) if len(daily) > 1 else 0.0
    if not spread > 0.0:
        return None
    return float(daily.mean()) / spread * math.sqrt(DAYS_PER_YEAR)


def daily_returns(close_ms: I64, equity: F64, equity_start: float) -> F64:
    """Return one return per calendar day (UTC) from the first bar's to the last's, (n_days,).

    A bar belongs to the day in which it opened last: the close at midnight ends a day.

    >>> day = 86_400_000
    >>> daily_returns(np.array([day // 2, day, 3 * day]), np.array([90.0, 110.0, 121.0]), 100.0)
    array([0.1, 0. , 0.1])
    """
    if len(close_ms) == 0:
        return np.empty(0)
    day = (close_ms - 1) // DAY_MS
    last = np.flatnonzero(np.append(np.diff(day) > 0, True))
    ends = np.full(int(day[-1] - day[0]) + 1, np.nan)
    ends[day[last] - day[0]] = equity[last]
    seen = np.maximum.accumulate(np.where(np.isnan(ends), 0, np.arange(len(ends))))
    ends = ends[seen]
    returns: F64 = ends / np.concatenate([[equity_start], ends[:-1]]) - 1.0
    return returns


def step_ends(close_ms: I64) -> I64:
    """Return the rows at which a step ends: the last bar of each hour that has one."""
    if len(close_ms) == 0:
        return np.empty(0, np.int64)
    step = (close_ms - 1) // STEP_MS
    return np.flatnonzero(np.append(np.diff(step) > 0, True))
