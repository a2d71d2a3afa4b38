"""The attacking venue's instruments change their states, and it says so a moment later."""

from __future__ import annotations

from random import Random

from ares.domain.events import Event
from ares.domain.feed_events import InstrumentChanged, InstrumentState
from ares.sim.schedule import Schedule
from ares.sim.venue_states import LASTS_MS, REPORT_MS, VenueStates


def test_a_state_lasts_for_a_while_and_is_reported() -> None:
    events: list[Event] = []
    schedule = Schedule(0)
    states = VenueStates(2, schedule, Random(3), events.append)
    seen = set()
    for _ in range(60):
        states.change(1)
        seen.add(states.now[1])
        states.change(1)
        while states.now[1] != "trading" or schedule.next_ms() is not None:
            schedule.step()
        assert schedule.now_ms <= 61 * (LASTS_MS[1] + REPORT_MS[1])
    assert len(seen) == 8, "every state"
    assert events[-1] == InstrumentChanged(schedule.now_ms, 1, "trading")


def test_what_is_taken_follows_from_the_state() -> None:
    states = VenueStates(1, Schedule(0), Random(1), lambda _: None)
    taken = {}
    chosen: tuple[InstrumentState, ...] = ("trading", "limit_only", "reduce_only", "cancel_only")
    for state in chosen:
        states.now = [state]
        kinds = (("entry", 5), ("exit", 0), ("exit", 5), ("stop", 5))
        taken[state] = [states.takes(0, kind, ticks) for kind, ticks in kinds]
    assert taken == {
        "trading": [True] * 4,
        "limit_only": [False, False, True, False],
        "reduce_only": [False, True, True, True],
        "cancel_only": [False] * 4,
    }
