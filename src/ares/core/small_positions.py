"""Positions that are too small for an order that the venue takes: a rest of an entry, mostly.

Where a stop would be below the venue's smallest quantity or cost, it is held here: the engine sells
at the market when an instrument trades at its price, or at the lowest price at which the venue
would still take the sale, whichever is higher. What cannot be sold at all is a residue: it leaves
the position at its present value, and capital with it, and belongs to the account outside the
ledger.
"""

from __future__ import annotations

import math

from ares.core.ledger import book_settled
from ares.core.state import State
from ares.domain.events import Effect
from ares.domain.holding_events import ResidueLeft
from ares.kernel.trade.money import notional_units

MARGIN = 1.01
"""A sale is worth so much more than the venue's smallest cost: its price may fall on the way."""


def fits(state: State, lane: int, lots: int, ticks: int) -> bool:
    """Return whether the venue takes an order for so many lots at a price."""
    return lots >= smallest_lots(state, lane, ticks)


def smallest_lots(state: State, lane: int, ticks: int) -> int:
    """Return the smallest order at a price; 0: the venue takes any."""
    if not state.setup.traits.refuses_small:
        return 0
    spec = state.params.specs[lane]
    cost, mul, div = (int(spec[k]) for k in ("cost_units_min", "notional_mul", "notional_div"))
    return max(int(spec["order_lots_min"]), -(-cost * div // (max(1, ticks) * mul)))


def held_trigger(state: State, lane: int, held: int, stop_ticks: int) -> int:
    """Return the price at which a stop that is held here sells all that a lane holds."""
    spec = state.params.specs[lane]
    per_tick = held * int(spec["notional_mul"]) / int(spec["notional_div"])
    lowest = math.ceil(int(spec["cost_units_min"]) * MARGIN / per_tick)
    return max(stop_ticks, lowest)


def note_price(state: State, lane: int, ticks: int) -> None:
    """Take a price at which a lane's instrument trades; executions are noted by the ledger."""
    state.lane_orders[lane].seen_ticks = ticks


def newest_price(state: State, lane: int) -> int:
    """Return the newest price that is known of a lane's instrument."""
    return state.lane_orders[lane].seen_ticks or int(state.trade.book[lane]["last_close"])


def residue_price(state: State, lane: int) -> int:
    """Return the price by which something counts as too small to be sold: the newest, or that of
    the last closed bar where it is higher. One print alone writes nothing off.
    """
    return max(newest_price(state, lane), int(state.trade.book[lane]["last_close"]))


def leave_residue(state: State, lane: int) -> list[Effect]:
    """Take what a lane holds out of its position: the venue sells no such quantity."""
    held, ticks = int(state.trade.book[lane]["position_lots"]), residue_price(state, lane)
    units = _units(state, lane, held, ticks)
    effects = book_settled(state, lane, -held, ticks, 0)
    take_residue(state, lane, held, units)
    return [*effects, ResidueLeft(lane, state.at_ms, held, ticks, units)]


def take_residue(state: State, lane: int, lots: int, units: int) -> None:
    """Let lots belong to the account outside the ledger; capital goes with them, no profit."""
    state.outside_lots[lane % state.setup.n_instruments] += lots
    account = state.trade.account[0]
    for name in ("cash", "equity", "peak_equity", "day_equity"):
        account[name] -= units


def _units(state: State, lane: int, lots: int, ticks: int) -> int:
    spec = state.params.specs[lane]
    return int(notional_units(ticks, lots, int(spec["notional_mul"]), int(spec["notional_div"])))
