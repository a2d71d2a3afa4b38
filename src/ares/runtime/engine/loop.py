"""The one loop: journal and step all queued events, make them durable, send their commands."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from ares.core.execution import wake_ms
from ares.core.models import Models
from ares.core.state import State
from ares.core.step import step
from ares.core.stretch import SteppedStretch
from ares.domain.events import BarsClosed, Command, Effect, Event
from ares.domain.stretch import BarsStretch
from ares.journal.run import JournalEntry
from ares.ports import Clock, Journal, Venue

Watcher = Callable[[int, Event, list[Effect]], None]
"""Called with every (seq, event, effects) after it was journaled: projections, summaries."""

StretchWatcher = Callable[[BarsStretch], None]
"""Called with every stretch after it was journaled."""


class Loop:
    """Drives one state with one journal and one venue, whichever they are.

    inbox   : events that wait, in order. Everything enters here.
    make_durable : makes the journal safe before a command leaves, against every failure that the
              venue survives. Default: sync to disk. A venue inside this process ends with it and
              with the power, so writing to the operating system is enough there.
    """

    def __init__(
        self,
        state: State,
        journal: Journal,
        venue: Venue,
        models: Models,
        clock: Clock,
        inbox: deque[Event],
        watchers: Sequence[Watcher] = (),
        make_durable: Callable[[], None] | None = None,
        stretch_watchers: Sequence[StretchWatcher] = (),
    ) -> None:
        self.state = state
        self.due_ms = 0
        self._journal = journal
        self._venue = venue
        self._models = models
        self._now_ms = clock.now_ms
        self._inbox = inbox
        self._watchers = tuple(watchers)
        self._stretch_watchers = tuple(stretch_watchers)
        self._make_durable = make_durable or journal.sync

    def watch(self, watcher: Watcher) -> None:
        """Show every journaled event to ``watcher`` from now on."""
        self._watchers = (*self._watchers, watcher)

    def process(self, event: Event) -> None:
        """Process one event, and all that follows from it at once."""
        self._inbox.append(event)
        self.drain()

    def take(self, stepped: SteppedStretch) -> None:
        """Journal what was stepped at once, and process all that follows from its end.

        A stretch is journaled after it was stepped: nothing of it leaves this process.
        """
        if stepped.stretch is not None:
            self._journal.stretch(stepped.stretch)
            for watch_stretch in self._stretch_watchers:
                watch_stretch(stepped.stretch)
        if stepped.last is not None:
            seq, event, effects = stepped.last
            self._journal.event(seq, event, event.ts_ms)
            commands = self._journaled(event, effects)
            if commands:
                self._make_durable()
                self.send(commands)
            self.drain()

    def drain(self) -> None:
        """Process until nothing waits: the venue may answer while commands are sent."""
        while self._inbox:
            commands = self.turn()
            if commands:
                self._make_durable()
                self.send(commands)

    def turn(self) -> list[Command]:
        """Journal and step every event that waits now; return their commands, not sent yet.

        They may be sent once the journal is durable up to ``state.seq``.
        """
        commands: list[Command] = []
        for _ in range(len(self._inbox)):
            event = self._inbox.popleft()
            at_ms = self._now_ms()
            self._journal.event(self.state.seq + 1, event, at_ms, *origin(self.state, event))
            commands += self._step(event, at_ms)
        return commands

    def send(self, commands: Sequence[Command]) -> None:
        """Hand durable commands to the venue."""
        for command in commands:
            self._venue.send(command)

    def finish(self, entry: JournalEntry) -> None:
        """Finish an event that was journaled just before a crash."""
        commands = self._step(entry.event, entry.at_ms)
        if commands:
            self._make_durable()
            self.send(commands)
        self.drain()

    def _step(self, event: Event, at_ms: int) -> list[Command]:
        """Step a journaled event; return its commands."""
        return self._journaled(event, step(self.state, event, self._models, at_ms))

    def _journaled(self, event: Event, effects: list[Effect]) -> list[Command]:
        """Journal the effects of the newest event; return its commands."""
        self._journal.effects(self.state.seq, effects)
        for watch in self._watchers:
            watch(self.state.seq, event, effects)
        if type(event) is BarsClosed and len(effects) < 2:
            return []  # nearly every bar: a decision, or nothing while warming up
        self.due_ms = wake_ms(self.state)
        return [effect for effect in effects if isinstance(effect, Command)]


def origin(state: State, event: Event) -> tuple[int, int]:
    """Return the causation and correlation of an event: the seq of the event that sent the order it
    reports on, and of the decision that opened its trade; 0 where it has none.
    """
    if type(event) is BarsClosed:
        return 0, 0
    client_id = getattr(event, "client_id", None)
    if client_id is None:
        return 0, 0
    order = state.orders.get(client_id) or state.ended.get(client_id)
    return (0, 0) if order is None else (order.seq, order.correlation)
