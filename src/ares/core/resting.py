"""Entries that rest, post-only, at their deciding close, and are cancelled after a while."""

from __future__ import annotations

from ares.core.state import State


def entry_limit(state: State, lane: int) -> int:
    """Return the price at which a new entry rests; 0: it takes at once."""
    if not state.setup.entry_rest_ms:
        return 0
    return int(state.trade.book[lane]["expected_ticks"])


def rests_until_ms(state: State, lane: int) -> int:
    """Return until when a lane's entry may rest; 0: none does."""
    entry = state.orders.get(state.lane_orders[lane].entry)
    if entry is None or not state.setup.entry_rest_ms:
        return 0
    return entry.sent_ms + state.wall(state.setup.entry_rest_ms)


def rests_too_long(state: State, lane: int) -> bool:
    """Return whether a lane's entry is to be cancelled, because it has rested for too long."""
    return 0 < rests_until_ms(state, lane) <= state.at_ms


def rest_due_ms(state: State, lane: int) -> int:
    """Return when a lane's entry is first to be cancelled; 0: it was, or none rests."""
    entry = state.orders.get(state.lane_orders[lane].entry)
    return 0 if entry is None or entry.cancels else rests_until_ms(state, lane)
