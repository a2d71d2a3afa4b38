"""The loop: an event is journaled, stepped, its effects journaled, its commands sent. Dull."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from ares.adapters.simulated_venue import OpenOrder, SimulatedVenue
from ares.core.orders import OrderStatus
from ares.core.state import Scorers, State
from ares.core.step import step
from ares.core.windows import OwnFeatures
from ares.domain.events import (
    CancelOrder,
    DecisionMade,
    Effect,
    Event,
    OrderAccepted,
    OrderCancelled,
    SubmitOrder,
)
from ares.journal.run import JournalEntry, RunJournal
from ares.runtime.engine.feed import Feed

Watcher = Callable[[int, Event, list[Effect]], None]
"""Is shown every (seq, event, effects) after it was journaled: projections, summaries."""


class Loop:
    """Drives one state with one journal and one venue.

    own     : the user's features, where the run has any.
    outlive : makes the journal safe against everything that the venue survives, before a command
              leaves. Default: synced to disk. A venue inside this process dies with it and with
              the power, so written to the operating system is enough there.
    """

    def __init__(
        self,
        state: State,
        journal: RunJournal,
        venue: SimulatedVenue,
        scorers: Scorers,
        watchers: Sequence[Watcher] = (),
        outlive: Callable[[], None] | None = None,
        own: OwnFeatures | None = None,
    ) -> None:
        self.state = state
        self._journal = journal
        self._venue = venue
        self._scorers = scorers
        self._own = own
        self._watchers = tuple(watchers)
        self._outlive = outlive or journal.sync

    def process(self, event: Event) -> None:
        """Take one event in, and every answer that its commands bring about."""
        queue = deque([event])
        while queue:
            event = queue.popleft()
            self._journal.event(self.state.seq + 1, event)
            queue.extend(self._answer(event))

    def answer(self, entry: JournalEntry) -> None:
        """Finish an event that was journaled just before a crash, and what follows from it."""
        for event in self._answer(entry.event):
            self.process(event)

    def _answer(self, event: Event) -> list[Event]:
        """Step a journaled event; return what the venue answers to its commands."""
        effects = step(self.state, event, self._scorers, self._own)
        self._journal.effects(self.state.seq, effects)
        for watch in self._watchers:
            watch(self.state.seq, event, effects)
        if len(effects) > 1 or (effects and type(effects[0]) is not DecisionMade):
            return self._send(effects)
        return []

    def _send(self, effects: list[Effect]) -> list[Event]:
        """Hand commands to the venue; the journal can outlive it before the first one leaves."""
        commands = [e for e in effects if isinstance(e, SubmitOrder | CancelOrder)]
        if not commands:
            return []
        self._outlive()
        answers: list[Event] = []
        for command in commands:
            if isinstance(command, SubmitOrder):
                answers += self._venue.submit(command, self.state.now_ms)
            else:
                answers += self._venue.cancel(command, self.state.now_ms)
        return answers

    def instant(self, feed: Feed, t: int, warming: bool) -> None:
        """Let the venue see row ``t`` first, then the engine: what filled in it, then its close."""
        if self._venue.busy and not warming:
            for i in sorted(self._venue.busy):
                if feed.present[t, i]:
                    self._fills(feed, t, i)
        self.process(feed.event(t, warming))

    def _fills(self, feed: Feed, t: int, i: int) -> None:
        open_ms = int(feed.close_ms[t] - self.state.intervals.base_ms[i])  # i: a lane
        ticks, lots = feed.ticks[t, i], int(feed.lots[t, i])
        if self.state.last_fill_ms[i] != open_ms:  # else a restart came between open and close
            for event in self._venue.on_open(i, open_ms, ticks, lots):
                self.process(event)
        for event in self._venue.on_range(i, open_ms, ticks, lots):
            self.process(event)


def open_orders(state: State) -> list[OpenOrder]:
    """Return what a venue must hold for the state to go on: every order that may still fill."""
    rows = []
    for order in state.orders.values():
        if order.status is OrderStatus.CANCELLING:
            continue
        i = order.instrument
        triggered = order.kind == "stop" and order.filled_lots != 0
        rows.append(
            OpenOrder(
                order.client_id, i, order.kind, order.remaining_lots, order.price_ticks, triggered
            )
        )
    return rows


def overdue_answers(state: State) -> list[Event]:
    """Return what the simulated venue said to commands that a crash kept from being journaled.

    It takes every order in and every cancel, at once: so its answer is known without asking.
    """
    answers: list[Event] = []
    for order in state.orders.values():
        if order.status is OrderStatus.SUBMITTED:
            answers.append(OrderAccepted(order.client_id, state.now_ms))
        elif order.status is OrderStatus.CANCELLING:
            answers.append(OrderCancelled(order.client_id, state.now_ms))
    return answers
