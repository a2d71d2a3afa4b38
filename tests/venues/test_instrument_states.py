"""The states of instruments are read from time to time, and reported where they have changed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ares.domain.events import Event
from ares.domain.feed_events import InstrumentChanged
from ares.venues.answers import NoAnswer
from ares.venues.instrument_states import InstrumentStates
from ares.venues.kraken_venue import STATES


class Listing:
    """What a venue says, one answer after the other."""

    def __init__(self, *answers: Sequence[str] | Exception) -> None:
        self.answers = list(answers)
        self.events: list[Event] = []
        self.lines: list[str] = []

    async def read(self) -> Sequence[str]:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def look(self, times: int) -> list[Event]:
        states = InstrumentStates(
            self.read, STATES, self.events.append, lambda: 5, self.lines.append
        )

        async def looked() -> None:
            for _ in range(times):
                await states.look()

        asyncio.run(looked())
        return self.events


def test_all_states_are_reported_first_and_changes_later() -> None:
    listing = Listing(["online", "cancel_only"], ["online", "cancel_only"], ["online", "online"])
    assert listing.look(3) == [
        InstrumentChanged(5, 0, "trading"),
        InstrumentChanged(5, 1, "cancel_only"),
        InstrumentChanged(5, 1, "trading"),
    ]


def test_an_unknown_word_is_no_permission_to_trade() -> None:
    listing = Listing(["wind_down", ""])
    assert listing.look(1) == [
        InstrumentChanged(5, 0, "halted", "wind_down"),
        InstrumentChanged(5, 1, "delisted"),
    ]


def test_a_reading_that_fails_changes_nothing() -> None:
    listing = Listing(["online"], NoAnswer("timeout"), ["maintenance"])
    assert [event.state for event in listing.look(3) if isinstance(event, InstrumentChanged)] == [
        "trading", "maintenance",
    ]  # fmt: skip
    assert len(listing.lines) == 1
