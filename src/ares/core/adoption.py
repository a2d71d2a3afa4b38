"""Coins of the account that become a position of the ledger: paid from the capital, with a stop."""

from __future__ import annotations

import math

from ares.core.halts import scope_of
from ares.core.ledger import book_adopted
from ares.core.slot import lanes_of
from ares.core.slots import champion_lane
from ares.core.state import State
from ares.domain.events import Effect
from ares.domain.holding_events import HoldingTaken
from ares.kernel.trade.money import notional_units

DAY_MS = 86_400_000
STOP_BPS_MIN, STOP_BPS_MAX = 50.0, 2_000.0
"""The stop of an adopted position is no nearer, and no further."""


def take_holdings(state: State) -> list[Effect]:
    """Take what the account holds at its first sight, as ``RunSetup.adopts_existing`` says; what
    cannot be adopted is ignored. Until a price and a volatility are known it waits; what has left
    the account meanwhile is nobody's to adopt.
    """
    effects: list[Effect] = []
    for i, existing in enumerate(state.existing_lots):
        if existing <= 0:
            continue
        lane, lots = _lane(state, i), existing
        book = state.trade.book[lane]
        if state.setup.adopts_existing:
            if not _has_prices(state, lane) or _is_in_question(state, i):
                continue
            lots = min(lots, max(0, state.outside_lots[i]))
        state.existing_lots[i] = 0
        ticks = int(book["last_close"])
        reason = "account.existing: ignore"
        if state.setup.adopts_existing:
            reason = adoption_problem(state, lane, lots, ticks) if lots else "it left the account"
        if reason:
            effects.append(HoldingTaken(i, state.at_ms, lots, ticks, False, reason))
            continue
        effects.append(HoldingTaken(i, state.at_ms, lots, ticks, True, "account.existing: adopt"))
        effects += adopt(state, lane, lots, ticks)
        state.outside_lots[i] -= lots
    return effects


def adoption_problem(state: State, lane: int, lots: int, ticks: int, spent: int = 0) -> str:
    """Return why lots cannot become a position; empty: they can.

    spent : money units of the free capital that are needed for something else before.
    """
    if lots <= 0:
        return "nothing was bought"
    if not _has_prices(state, lane):
        return "no price of it is known yet"
    account = state.trade.account[0]
    units, free = value_of(state, lane, lots, ticks), int(account["cash"] - account["reserved"])
    free -= spent
    if units > free:
        return f"it is worth {units / 1e8:.2f}, and {free / 1e8:.2f} of the capital are free"
    return ""


def adopt(state: State, lane: int, lots: int, ticks: int, fee: int = 0) -> list[Effect]:
    """Book lots as bought at a price; its stop follows from the volatility."""
    return book_adopted(state, lane, lots, ticks, stop_bps(state, lane), fee)


def stop_bps(state: State, lane: int) -> float:
    """Return the distance of an adopted position's stop: the volatility of the longest holding
    time, of a day where there is none.
    """
    spec = state.params.specs[lane]
    bars = (int(spec["horizon_ms"]) or DAY_MS) / int(spec["base_ms"])
    width = 1e4 * math.sqrt(float(state.trade.book[lane]["var_fast"]) * bars)
    return min(max(width, STOP_BPS_MIN), STOP_BPS_MAX)


def value_of(state: State, lane: int, lots: int, ticks: int) -> int:
    """Return what lots cost at a price, in money units."""
    spec = state.params.specs[lane]
    return int(notional_units(ticks, lots, int(spec["notional_mul"]), int(spec["notional_div"])))


def _lane(state: State, i: int) -> int:
    """Return the lane that adopts: the champion's."""
    champion = champion_lane(state, i)
    return lanes_of(state.setup, i)[0] if champion is None else champion


def _is_in_question(state: State, i: int) -> bool:
    """Return whether ledger and venue do not agree on an instrument now."""
    is_open = any(scope_of(state, d.instrument) == i for d in state.differences)
    return is_open or bool(state.mismatch_ms[i])


def _has_prices(state: State, lane: int) -> bool:
    book = state.trade.book[lane]
    return int(book["last_close"]) > 0 and float(book["var_fast"]) > 0.0
