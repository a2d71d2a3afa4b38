"""The breakers of an engine: status, what each measures now, its limit, why it opened last."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from ares.core.initial_state import rules_in_force
from ares.core.state import State
from ares.domain.events import BreakerChanged
from ares.kernel.trade.layout import (
    BREAKER_NAMES,
    BREAKER_STATUS_NAMES,
    BREAKER_VOLATILITY,
    FAILURE_RING,
    N_BREAKERS,
    TRADE_RING,
)

LIMITS = {
    "win_rate": "win_rate_min",
    "drawdown": "drawdown_max",
    "failures": "failures_max",
    "execution": "failed_share_max",
    "slippage": "slippage_sd_max",
    "gas": "gas_share_max",
    "volatility": "volatility_ratio_max",
}
"""Breaker -> the rule that is its limit."""

Opened = Mapping[tuple[str, int], BreakerChanged]
"""The newest opening of each breaker, by name and lane (-1: of the account)."""


class BreakerStatus(msgspec.Struct, frozen=True):
    """A breaker; ``instrument`` is empty for the account's.

    value, limit : what it measures now and what would open it; None: nothing to measure yet, or no
               limit. Of slippage both are standard deviations from what is expected.
    trials : good trades that close it, while it is half-open.
    opened : its newest opening since the start, with its evidence; None: there was none.
    """

    breaker: str
    instrument: str
    status: str
    since_ms: int | None
    value: float | None
    limit: float | None
    trials: int | None
    opened: BreakerChanged | None


def breakers_of(state: State, opened: Opened) -> tuple[BreakerStatus, ...]:
    """Return the account's breakers, then the volatility breaker of each instrument."""
    account, rules = state.trade.account[0], rules_in_force(state)
    values = _account_values(state, rules)
    rows = []
    for k in range(N_BREAKERS):
        name = BREAKER_NAMES[k]
        status = BREAKER_STATUS_NAMES[int(account["breaker_status"][k])]
        since_ms = int(account["breaker_ms"][k]) or None
        trials = int(account["breaker_trials"][k]) if status == "half_open" else None
        rows.append(
            BreakerStatus(
                name, "", status, since_ms, values[name], _limit(name, rules), trials,
                opened.get((name, -1)),
            )
        )  # fmt: skip
    name = BREAKER_NAMES[BREAKER_VOLATILITY]
    for i in range(state.setup.n_instruments):
        book = state.trade.book[i]
        fast, slow = float(book["var_fast"]), float(book["var_slow"])
        rows.append(
            BreakerStatus(
                name, state.setup.instruments[i].spec.instrument.key,
                BREAKER_STATUS_NAMES[int(book["volatility_status"])],
                int(book["volatility_ms"]) or None, math.sqrt(fast / slow) if slow > 0 else None,
                _limit(name, rules), None, opened.get((name, i)),
            )
        )  # fmt: skip
    return tuple(rows)


def _limit(name: str, rules: Mapping[str, float]) -> float | None:
    return rules.get(LIMITS[name]) or None


def _account_values(state: State, rules: Mapping[str, float]) -> dict[str, float | None]:
    """Return what each breaker of the account measures now; None: nothing yet."""
    account, window = state.trade.account[0], int(rules["win_rate_trades"])
    n, count = min(window, int(account["win_count"])), int(account["trade_count"])
    won = sum(int(account["trade_won"][(count - 1 - k) % TRADE_RING]) for k in range(n))
    peak, equity = int(account["peak_equity"]), int(account["equity"])
    failed = orders = 0
    for k in range(min(FAILURE_RING, int(account["execution_count"]))):
        age_ms = state.now_ms - int(account["execution_ms"][k])
        if age_ms <= rules["failed_window_minutes"] * 60_000:
            orders += 1
            failed += 1 - int(account["execution_ok"][k])
    fills = float(account["slippage_n"])
    sd = math.sqrt(float(account["slippage_m2"]) / fills) if fills > 0 else 0.0
    distance = float(account["slippage_last"]) - float(account["slippage_mean"])
    gas, profit = float(account["gas_recent"]), float(account["gross_profit"])
    return {
        "win_rate": won / n if n else None,
        "drawdown": (peak - equity) / peak if peak > 0 else None,
        "failures": float(account["failures"]),
        "execution": failed / orders if orders else None,
        "slippage": distance / sd if sd > 0 else None,
        "gas": gas / profit if profit > 0 else None,
    }
