"""The loop: journal, step, make durable, send, in this order whatever happens."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from tests.core.conftest import TwoInstruments

from ares.core.execution import wake_ms
from ares.core.models import NO_MODELS
from ares.core.snapshot import restore, snapshot
from ares.core.step import step
from ares.domain.events import BarsClosed, Command, Effect, Event
from ares.domain.order_events import (
    CommandGiven,
    OrderAccepted,
    OrderFilled,
    OrderUnknown,
    QueryOrder,
    SubmitOrder,
)
from ares.domain.stretch import BarsStretch
from ares.journal.run import JournalEntry
from ares.runtime.engine.loop import Loop, origin


class World:
    """Journal, venue and clock of a loop; keeps the order of what was done."""

    def __init__(self) -> None:
        self.two = TwoInstruments()
        self.done: list[tuple[Any, ...]] = []
        self.origins: list[tuple[int, int]] = []
        self.sent: list[Command] = []
        self.inbox: deque[Event] = deque()
        self.answers: list[Event] = []
        self.broken = False
        self.loop = Loop(
            self.two.state, self, self, NO_MODELS, self, self.inbox,
            [lambda seq, event, effects: self.done.append(("watched", seq))],
        )  # fmt: skip

    def now_ms(self) -> int:
        self.two.at_ms += 1
        return self.two.at_ms

    def event(
        self, seq: int, event: Event, at_ms: int = 0, causation: int = 0, correlation: int = 0
    ) -> None:
        assert self.loop.state.seq == seq - 1, "it is journaled before it is stepped"
        self.done.append(("event", seq))
        self.origins.append((causation, correlation))

    def effects(self, seq: int, effects: list[Effect]) -> None:
        self.done.append(("effects", seq))

    def stretch(self, stretch: BarsStretch) -> None:
        self.done.append(("stretch", stretch.last_seq))

    def sync(self) -> None:
        self.done.append(("durable",))
        if self.broken:
            raise OSError("no space left on device")

    def send(self, command: Command) -> None:
        self.done.append(("sent",))
        self.sent.append(command)
        self.inbox.extend(self.answers)
        self.answers.clear()

    def kinds(self) -> list[str]:
        return [what[0] for what in self.done]


def filled(client_id: str, lots: int, exec_id: str = "x") -> OrderFilled:
    return OrderFilled(client_id, 0, lots, 10_000, 0, exec_id)


def test_all_that_waits_is_stepped_then_made_durable_once_then_sent() -> None:
    w = World()
    for lane in (0, 1):
        w.inbox.append(filled(w.two.enter(lane), 10))
    w.inbox.append(OrderAccepted("of nobody", 0))
    w.loop.drain()
    assert w.kinds() == [*["event", "effects", "watched"] * 3, "durable", "sent", "sent"]
    assert [c.kind for c in w.sent if isinstance(c, SubmitOrder)] == ["stop", "stop"]
    assert [c.instrument for c in w.sent if isinstance(c, SubmitOrder)] == [0, 1]


def test_without_commands_nothing_waits_for_the_disk() -> None:
    w = World()
    w.loop.process(OrderAccepted("of nobody", 0))
    w.loop.process(CommandGiven("c", 0, "ada", "halt", {}))
    assert w.kinds() == ["event", "effects", "watched"] * 2


def test_what_cannot_be_made_durable_is_not_sent() -> None:
    w = World()
    w.broken = True
    with pytest.raises(OSError, match="no space"):
        w.loop.process(filled(w.two.enter(0), 10))
    assert w.kinds() == ["event", "effects", "watched", "durable"]
    assert w.sent == []


def test_what_cannot_be_journaled_is_not_stepped(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World()
    entry = w.two.enter(0)
    before = snapshot(w.two.state)

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(w, "event", full)
    with pytest.raises(OSError, match="no space"):
        w.loop.process(filled(entry, 10))
    assert snapshot(w.two.state) == before
    assert w.sent == []


def test_answers_of_the_venue_are_the_next_turn() -> None:
    w = World()
    w.answers = [OrderUnknown("of nobody", 0)]
    w.inbox += [filled(w.two.enter(0), 10), filled(w.two.enter(1), 10)]
    w.loop.drain()
    one = ["event", "effects", "watched"]
    assert w.kinds() == [*one * 2, "durable", "sent", "sent", *one]
    assert not w.inbox


def test_a_turn_leaves_sending_to_its_caller() -> None:
    w = World()
    w.inbox.append(filled(w.two.enter(0), 10))
    commands = w.loop.turn()
    assert [type(c) for c in commands] == [SubmitOrder]
    assert "durable" not in w.kinds()
    w.loop.send(commands)
    assert w.sent == commands


def test_the_journal_names_what_sent_an_order_and_what_opened_its_trade() -> None:
    w = World()
    state = w.two.state
    state.seq = decided = 40
    entry = w.two.enter(0)
    w.loop.process(filled(entry, 10))
    stop_sent = state.seq
    stop = state.lane_orders[0].stop
    w.loop.process(OrderAccepted(stop, 0))
    w.loop.process(filled(entry, 1, "late"))
    w.loop.process(OrderAccepted("of nobody", 0))
    w.loop.process(CommandGiven("c", 0, "ada", "halt", {}))
    assert w.origins == [
        (decided, decided),
        (stop_sent, decided),
        (decided, decided),
        (0, 0),
        (0, 0),
    ]
    assert origin(state, BarsClosed(0, b"", b"", b"")) == (0, 0)


def test_an_event_that_a_crash_left_unfinished_is_finished_and_not_journaled_again() -> None:
    w = World()
    entry = w.two.enter(0)
    event, at_ms = filled(entry, 10), w.two.at_ms + 7
    twin = restore(w.two.setup, snapshot(w.two.state))
    w.loop.finish(JournalEntry(twin.seq + 1, event, None, at_ms))
    assert w.kinds() == ["effects", "watched", "durable", "sent"]
    assert w.two.state.at_ms == at_ms, "stepped at the time at which it was journaled"
    step(twin, event, NO_MODELS, at_ms)
    assert snapshot(w.two.state) == snapshot(twin)


def test_the_loop_knows_when_it_must_be_woken() -> None:
    w = World()
    w.loop.process(OrderUnknown(w.two.enter(0), 0))
    assert [type(c) for c in w.sent] == [QueryOrder]
    assert w.loop.due_ms == wake_ms(w.two.state) > w.two.at_ms
