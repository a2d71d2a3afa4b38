"""The loop: journal an event, step it, journal its effects, send its commands. Nothing else."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from ares.adapters.simulated_venue import OpenOrder, SimulatedVenue
from ares.core.models import Models
from ares.core.orders import OrderStatus
from ares.core.state import State
from ares.core.step import step
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
"""Called with every (seq, event, effects) after it was journaled: projections, summaries."""


class Loop:
    """Drives one state with one journal and one venue.

    make_durable : makes the journal safe before a command leaves, against every failure that the
              venue survives. Default: sync to disk. A venue inside this process ends with it and
              with the power, so writing to the operating system is enough there.
    """

    def __init__(
        self,
        state: State,
        journal: RunJournal,
        venue: SimulatedVenue,
        models: Models,
        watchers: Sequence[Watcher] = (),
        make_durable: Callable[[], None] | None = None,
    ) -> None:
        self.state = state
        self._journal = journal
        self._venue = venue
        self._models = models
        self._watchers = tuple(watchers)
        self._make_durable = make_durable or journal.sync

    def process(self, event: Event) -> None:
        """Process one event, and the venue's answers to its commands."""
        queue = deque([event])
        while queue:
            event = queue.popleft()
            self._journal.event(self.state.seq + 1, event)
            queue.extend(self._step(event))

    def finish(self, entry: JournalEntry) -> None:
        """Finish an event that was journaled just before a crash, and process the answers."""
        for event in self._step(entry.event):
            self.process(event)

    def _step(self, event: Event) -> list[Event]:
        """Step a journaled event; return the venue's answers to its commands."""
        effects = step(self.state, event, self._models)
        self._journal.effects(self.state.seq, effects)
        for watch in self._watchers:
            watch(self.state.seq, event, effects)
        if len(effects) > 1 or (effects and type(effects[0]) is not DecisionMade):
            return self._send(effects)
        return []

    def _send(self, effects: list[Effect]) -> list[Event]:
        """Send commands to the venue, once the journal is durable."""
        commands = [e for e in effects if isinstance(e, SubmitOrder | CancelOrder)]
        if not commands:
            return []
        self._make_durable()
        answers: list[Event] = []
        for command in commands:
            if isinstance(command, SubmitOrder):
                answers += self._venue.submit(command, self.state.now_ms)
            else:
                answers += self._venue.cancel(command, self.state.now_ms)
        return answers

    def instant(self, feed: Feed, t: int, warming: bool) -> None:
        """Process row ``t``: first the fills at the venue within it, then its close."""
        if self._venue.busy and not warming:
            for lane in sorted(self._venue.busy):
                if feed.present[t, lane]:
                    self._fills(feed, t, lane)
        self.process(feed.event(t, warming))

    def _fills(self, feed: Feed, t: int, lane: int) -> None:
        open_ms = int(feed.close_ms[t] - self.state.intervals.base_ms[lane])
        ticks, lots = feed.ticks[t, lane], int(feed.lots[t, lane])
        if self.state.last_fill_ms[lane] != open_ms:  # else a restart came between open and close
            for event in self._venue.on_open(lane, open_ms, ticks, lots):
                self.process(event)
        for event in self._venue.on_range(lane, open_ms, ticks, lots):
            self.process(event)


def open_orders(state: State) -> list[OpenOrder]:
    """Return the orders that may still fill: what a venue must hold for the state to continue."""
    rows = []
    for order in state.orders.values():
        if order.status is OrderStatus.CANCELLING:
            continue
        lane = order.instrument
        triggered = order.kind == "stop" and order.filled_lots != 0
        rows.append(
            OpenOrder(
                order.client_id, lane, order.kind, order.remaining_lots, order.price_ticks,
                triggered,
            )
        )  # fmt: skip
    return rows


def overdue_answers(state: State) -> list[Event]:
    """Return the simulated venue's answers to commands that a crash kept from the journal.

    It accepts every order and every cancel at once, so its answers are known.
    """
    answers: list[Event] = []
    for order in state.orders.values():
        if order.status is OrderStatus.SUBMITTED:
            answers.append(OrderAccepted(order.client_id, state.now_ms))
        elif order.status is OrderStatus.CANCELLING:
            answers.append(OrderCancelled(order.client_id, state.now_ms))
    return answers
