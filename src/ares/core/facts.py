"""Kernel records as effects: codes become names."""

from __future__ import annotations

import numpy as np

from ares.core.state import State
from ares.domain.events import (
    BreakerChanged,
    DailyLossReached,
    Effect,
    ModeChanged,
    SignalRefused,
    TradeClosed,
    VirtualTradeOpened,
)
from ares.domain.instrument import MONEY_DECIMALS
from ares.kernel.trade.layout import (
    BREAKER_NAMES,
    BREAKER_STATUS_NAMES,
    ENTRY,
    EXIT,
    MODE_TRADING,
    N_NOTICES,
    N_OUTCOMES,
    NOTICE_BREAKER,
    NOTICE_DAILY_LOSS,
    NOTICE_MODE,
    OPEN,
    REASON_NAMES,
    REFUSAL_NAMES,
    STOP,
    Records,
)

UNITS = 10.0**MONEY_DECIMALS
KIND_NAMES = {ENTRY: "entry", EXIT: "exit", STOP: "stop"}
KINDS = {name: kind for kind, name in KIND_NAMES.items()}


def facts_of_records(state: State) -> list[Effect]:
    """Return what the kernel's last call wrote down as facts: notices, outcomes, refusals.

    Its requests for orders are carried out by ``core.execution``.
    """
    s = state.scratch.records
    effects: list[Effect] = []
    for k in range(s.counts[N_NOTICES]):
        effects += notice_effects(s.notices, k)
    effects += [outcome_effect(s.outcomes, k) for k in range(s.counts[N_OUTCOMES])]
    return effects


def notice_effects(notices: Records, k: int) -> list[Effect]:
    """Return the fact of one notice."""
    row = notices[k]
    i, ts_ms = int(row["instrument"]), int(row["ts_ms"])
    before, after, value = int(row["before"]), int(row["after"]), float(row["value"])
    kind = int(row["kind"])
    if kind == NOTICE_MODE:
        return [ModeChanged(i, ts_ms, mode_name(before), mode_name(after), value)]
    if kind == NOTICE_BREAKER:
        names = BREAKER_STATUS_NAMES
        which = BREAKER_NAMES[int(row["code"])]
        limit, evidence = float(row["limit"]), _evidence(which, row) if after == OPEN else {}
        head = (i, ts_ms, which, names[before], names[after], value)
        return [BreakerChanged(*head, limit, evidence)]
    if kind == NOTICE_DAILY_LOSS:
        return [DailyLossReached(ts_ms, value)]
    return [VirtualTradeOpened(i, ts_ms, REFUSAL_NAMES[int(row["code"])], value)]


EVIDENCE: dict[str, tuple[str, ...]] = {
    "win_rate": ("won", "trades"),
    "drawdown": ("equity_quote", "peak_equity_quote"),
    "failures": ("failures_in_row", "orders"),
    "execution": ("failed", "orders", "window_minutes"),
    "slippage": ("mean_bps", "sd_bps", "fills"),
    "gas": ("gas_quote", "gross_profit_quote", "trades"),
    "volatility": ("volatility_day", "volatility_month", "bars"),
}
"""Breaker -> names of the numbers that the value of its notice was computed from."""


def _evidence(breaker: str, row: np.void) -> dict[str, float]:
    """Return those numbers by name; money in the quote currency."""
    columns = zip(EVIDENCE[breaker], ("first", "second", "third"), strict=False)
    return {
        name: float(row[column]) / (UNITS if name.endswith("_quote") else 1.0)
        for name, column in columns
    }


def outcome_effect(outcomes: Records, k: int) -> TradeClosed:
    """Return the fact of one closed trade."""
    row = outcomes[k]
    return TradeClosed(
        instrument=int(row["instrument"]),
        virtual=bool(row["virtual"]),
        entry_ms=int(row["entry_ms"]),
        exit_ms=int(row["exit_ms"]),
        entry_price=float(row["entry_price"]),
        exit_price=float(row["exit_price"]),
        lots=int(row["lots"]),
        pnl_units=int(row["pnl_units"]),
        fees_units=int(row["fees_units"]),
        net_bps=float(row["net_bps"]),
        p=float(row["p"]),
        edge_bps=float(row["edge_bps"]),
        reason=REASON_NAMES[int(row["reason"])],
        code=REFUSAL_NAMES[int(row["code"])],
        mode_confidence=float(row["mode_confidence"]),
    )


def refusal_effect(requests: Records, k: int) -> SignalRefused:
    """Return the fact of one refused signal."""
    row = requests[k]
    return SignalRefused(
        int(row["instrument"]),
        int(row["ts_ms"]),
        REFUSAL_NAMES[int(row["code"])],
        float(row["p"]),
        float(row["edge_bps"]),
        float(row["barrier_bps"]),
    )


def mode_name(mode: int) -> str:
    """Return the mode's name."""
    return "TRADING" if mode == MODE_TRADING else "LEARNING"
