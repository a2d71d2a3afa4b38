"""Kernel records as effects: codes become names."""

from __future__ import annotations

from ares.core import orders
from ares.core.state import State
from ares.domain.events import (
    BreakerChanged,
    CancelOrder,
    DailyLossReached,
    Effect,
    ModeChanged,
    SignalRefused,
    SubmitOrder,
    TradeClosed,
    VirtualTradeOpened,
)
from ares.kernel.trade.layout import (
    BREAKER_NAMES,
    BREAKER_STATUS_NAMES,
    CANCEL_STOP,
    ENTRY,
    EXIT,
    MODE_TRADING,
    N_NOTICES,
    N_OUTCOMES,
    N_REQUESTS,
    NOTICE_BREAKER,
    NOTICE_DAILY_LOSS,
    NOTICE_MODE,
    REASON_NAMES,
    REFUSAL,
    REFUSAL_NAMES,
    STOP,
    Records,
)

KIND_NAMES = {ENTRY: "entry", EXIT: "exit", STOP: "stop"}
KINDS = {name: kind for kind, name in KIND_NAMES.items()}


def effects_of_records(state: State) -> list[Effect]:
    """Return the records of the kernel's last call as effects: notices, outcomes, then requests."""
    s = state.scratch.records
    effects: list[Effect] = []
    for k in range(s.counts[N_NOTICES]):
        effects += notice_effects(s.notices, k)
    effects += [outcome_effect(s.outcomes, k) for k in range(s.counts[N_OUTCOMES])]
    for k in range(s.counts[N_REQUESTS]):
        effects += _request_effects(state, s.requests, k, len(effects))
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
        return [BreakerChanged(i, ts_ms, which, names[before], names[after], value)]
    if kind == NOTICE_DAILY_LOSS:
        return [DailyLossReached(ts_ms, value)]
    return [VirtualTradeOpened(i, ts_ms, REFUSAL_NAMES[int(row["code"])], value)]


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


def _request_effects(state: State, requests: Records, k: int, position: int) -> list[Effect]:
    """Return the command of one request and record its order; a refusal is a fact.

    position : of the effect among those of this event, which makes the client id unique.
    """
    row = requests[k]
    i, kind = int(row["instrument"]), int(row["kind"])
    if kind == REFUSAL:
        return [refusal_effect(requests, k)]
    if kind == CANCEL_STOP:
        client_id = state.stop_ids[i]
        state.stop_ids[i] = ""
        cancel = CancelOrder(client_id, i)
        orders.apply(state.orders[client_id], cancel)
        return [cancel]
    command = SubmitOrder(
        client_id=f"{state.setup.environment}-{state.seq}-{position}".replace("/", "-"),
        instrument=i,
        kind=KIND_NAMES[kind],
        lots=int(row["lots"]),
        price_ticks=int(row["price_ticks"]),
        reason=REASON_NAMES[int(row["reason"])],
        p=float(row["p"]),
        edge_bps=float(row["edge_bps"]),
        barrier_bps=float(row["barrier_bps"]),
    )
    state.orders[command.client_id] = orders.submitted(command)
    if kind == STOP:
        state.stop_ids[i] = command.client_id
    else:
        state.working_ids[i] = command.client_id
    return [command]


def mode_name(mode: int) -> str:
    """Return the mode's name."""
    return "TRADING" if mode == MODE_TRADING else "LEARNING"
