"""The bars of a feed, shown to a simulated venue: which lanes, and each bar once."""

from __future__ import annotations

from typing import Any

from ares.adapters.simulated_venue import OpenOrder, SimulatedVenue
from ares.core.initial_state import new_state
from ares.domain.events import Event
from ares.domain.order_events import OrderFilled
from ares.runtime.engine.bar_fills import BarFills
from ares.runtime.engine.plan import RunPlan


def venue_of(plan: RunPlan, posted: list[Event]) -> tuple[Any, SimulatedVenue]:
    state = new_state(plan.setup)
    return state, SimulatedVenue(state.params, 2, posted.append, lambda: 0)


def test_only_lanes_with_orders_and_a_bar_are_filled(plan: RunPlan) -> None:
    posted: list[Event] = []
    state, venue = venue_of(plan, posted)
    fills = BarFills(state, venue)
    late = len(plan.feed) - 1  # the second instrument ends early
    assert fills.lanes(plan.feed.event(late, warming=False)) == []
    orders = [OpenOrder(name, i, "entry", 5, 0) for i, name in enumerate("ab")]
    venue.adopt(orders, [0, 0])
    assert fills.lanes(plan.feed.event(late, warming=False)) == [0]
    assert fills.lanes(plan.feed.event(0, warming=False)) == [0, 1]


def test_a_bar_whose_open_was_filled_before_a_restart_fills_nothing_again(plan: RunPlan) -> None:
    posted: list[Event] = []
    state, venue = venue_of(plan, posted)
    fills = BarFills(state, venue)
    t = next(t for t in range(len(plan.feed)) if plan.feed.lots[t, 0] > 1_000)
    event = plan.feed.event(t, warming=False)
    venue.adopt([OpenOrder("a", 0, "entry", 5, 0)], [0, 0])
    state.last_fill_ms[0] = event.ts_ms - 60_000
    fills.at_open(event, 0)
    assert posted == []
    state.last_fill_ms[0] = 0
    fills.at_open(event, 0)
    assert [type(e) for e in posted][:1] == [OrderFilled]
