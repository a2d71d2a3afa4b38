"""The seams of the engine: what it needs of the world, and nothing of how the world does it.

Each port has two real implementations, or gets its second one with real venues.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ares.domain.events import Command, Effect, Event
from ares.domain.order_events import CommandDone, CommandRefused
from ares.domain.stretch import BarsStretch


class Clock(Protocol):
    """The engine's time: set once at the start, then going on with the machine's monotonic clock.

    A clock that is set while the engine runs therefore moves no deadline. At the start it is set no
    earlier than the state it goes on from.
    """

    def now_ms(self) -> int:
        """Return the time in milliseconds since 1970, never less than before."""


class Feed(Protocol):
    """Where market data comes from."""

    async def run(self, post: Callable[[Event], None]) -> None:
        """Post bars, and what happens to the stream, until cancelled or at its end.

        Never raises for what the other side does.
        """


class Venue(Protocol):
    """Where orders go. What comes of them are events in the engine's inbox."""

    def send(self, command: Command) -> None:
        """Take a command. Never raises and never waits: the outcome, also an unknown one, is an
        event.
        """


class Journal(Protocol):
    """Where the engine writes each event before it is stepped, and its effects after."""

    def event(
        self, seq: int, event: Event, at_ms: int = 0, causation: int = 0, correlation: int = 0
    ) -> None:
        """Append an event: ``at_ms`` of the engine's clock, the seq of the event whose order it
        reports on, and the seq of the decision that opened the trade of that order.
        """

    def effects(self, seq: int, effects: list[Effect]) -> None:
        """Append an event's effects; an empty list too, which marks the step as finished."""

    def stretch(self, stretch: BarsStretch) -> None:
        """Append many closing instants with their effects, which were stepped at once."""

    def sync(self) -> None:
        """Make everything durable."""


class CommandSource(Protocol):
    """Where people's commands come from."""

    async def run(self, post: Callable[[Event], None]) -> None:
        """Post each command once, as ``CommandGiven``, until cancelled. Never raises for what the
        other side does.
        """

    def answer(self, fact: CommandDone | CommandRefused) -> None:
        """Take the engine's answer to a command; never waits."""
