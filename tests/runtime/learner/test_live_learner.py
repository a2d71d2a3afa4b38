"""The learner of an engine in real time: each event sent once, stamped when it has happened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ares.domain.errors import ExternalError
from ares.domain.events import BarsClosed, Effect, Event
from ares.domain.model_events import AlertRaised, RetrainingEnded, RetrainingStarted
from ares.journal.log import Position
from ares.journal.run import RunJournal
from ares.journal.tail import JournalTail
from ares.runtime.learner import live_learner
from ares.runtime.learner.live_learner import LiveLearner

MINUTE_MS = 60_000
STARTED = RetrainingStarted(MINUTE_MS, 0, "loss_immediate", "a loss")
ENDED = RetrainingEnded(
    ts_ms=MINUTE_MS + 1, instrument=0, trigger="loss_immediate",
    triggered_ms=MINUTE_MS, duration_ms=1,
    rows=10, confidence=0.5, ensemble_hash="", verdict_hash="", passed=False, failed=(),
    outcome="failed", note="", epochs=1,
)  # fmt: skip


class Due:
    """A learner that has something due; what it has seen; the journal of its engine."""

    def __init__(self, folder: Path) -> None:
        self.journal = RunJournal(folder, sync_ms=None)
        self.seq = 0
        self.seen: list[int] = []
        self.asked_ms: list[int] = []
        self.events: list[Event] = []
        self.stored = 0
        self.broken = False
        self.waiting: list[BarsClosed] = []

    def write(self, event: Event) -> None:
        self.seq += 1
        self.journal.event(self.seq, event)
        self.journal.effects(self.seq, [])
        self.journal.write()

    def bar(self, minute: int) -> None:
        self.write(BarsClosed(minute * MINUTE_MS, bytes(40), b"\1", b"\0"))

    def watch(self, seq: int, event: Event, effects: list[Effect]) -> None:
        self.seen.append(seq)

    def due(self, now_ms: int) -> Sequence[Event]:
        self.asked_ms.append(now_ms)
        return list(self.events)

    def close(self) -> None:
        """Do nothing."""

    def __len__(self) -> int:
        return len(self.waiting)

    def add(self, event: BarsClosed) -> None:
        self.waiting.append(event)

    def flush(self) -> None:
        if self.broken:
            raise ExternalError("the disk is full")
        self.stored += len(self.waiting)
        self.waiting.clear()


def test_an_event_is_sent_once_until_it_is_journaled(tmp_path: Path) -> None:
    due, sent = Due(tmp_path), list[Event]()
    live = LiveLearner(JournalTail(tmp_path), due, due, sent.append)
    assert not live.turn(), "nothing is journaled yet"
    due.bar(1)
    due.events = [STARTED]
    assert live.turn()
    due.bar(2)
    live.turn()
    assert sent == [STARTED]
    due.write(STARTED)
    due.bar(3)
    live.turn()
    assert len(sent) == 2, "the next start is another event"
    assert due.seen == [1, 2, 3, 4]
    assert due.stored == 3


def test_a_training_ends_when_it_has_ended(tmp_path: Path) -> None:
    due, sent = Due(tmp_path), list[Event]()
    times = iter((0.0, 0.0, 10.0, 12.5))
    live = LiveLearner(
        JournalTail(tmp_path), due, due, sent.append, monotonic_s=lambda: next(times)
    )
    due.bar(1)
    due.events = [ENDED]
    ask = due.due

    def trains(now_ms: int) -> Sequence[Event]:
        due.bar(5)  # bars go on while it trains
        return ask(now_ms)

    due.due = trains  # type: ignore[method-assign]
    live.turn()
    (ended,) = sent
    assert isinstance(ended, RetrainingEnded)
    assert (ended.ts_ms, ended.duration_ms) == (5 * MINUTE_MS, 2_500)
    assert ended.triggered_ms == ENDED.triggered_ms


def test_nothing_is_trained_on_candles_that_are_not_stored(tmp_path: Path) -> None:
    due, sent, outputs = Due(tmp_path), list[Event](), list[str]()
    live = LiveLearner(JournalTail(tmp_path), due, due, sent.append, outputs.append)
    due.broken, due.events = True, [AlertRaised(1, 0, "code", 1.0, 2.0, "a test")]
    for minute in (1, 2):
        due.bar(minute)
        live.turn()
    assert (sent, due.asked_ms) == ([], [])
    assert len(outputs) == 1
    assert "the disk is full" in outputs[0]
    due.broken = False
    due.bar(3)
    live.turn()
    assert len(sent) == 1
    assert due.stored == 3


def test_what_was_read_is_kept_once_its_candles_are_stored(tmp_path: Path) -> None:
    due, now_s = Due(tmp_path), [0.0]
    positions: list[Position] = []
    live = LiveLearner(
        JournalTail(tmp_path), due, due, lambda _: None, monotonic_s=lambda: now_s[0],
        keep=positions.append,
    )  # fmt: skip
    due.bar(1)
    live.turn()
    assert positions == []
    now_s[0], due.broken = live_learner.KEEP_S, True
    due.bar(2)
    live.turn()
    assert positions == [], "the candles of the second bar are only in memory"
    due.broken = False
    due.bar(3)
    live.turn()
    (position,) = positions
    again = Due(tmp_path / "other")
    LiveLearner(JournalTail(tmp_path, position), again, again, lambda _: None).turn()
    assert again.seen == []
    due.bar(4)
    live.turn()
    assert len(positions) == 1, "not at every bar"
    live.close()
    assert len(positions) == 2
    live.close()


def test_a_journal_is_not_read_into_memory_while_candles_cannot_be_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_learner, "CANDLES_MAX", 10)
    monkeypatch.setattr(live_learner, "ENTRIES_MAX", 5)
    due = Due(tmp_path)
    live = LiveLearner(JournalTail(tmp_path), due, due, lambda _: None)
    due.broken = True
    for minute in range(1, 41):
        due.bar(minute)
    for _ in range(20):
        live.turn()
    assert len(due.waiting) == 10
    due.broken = False
    while live.turn():
        pass
    assert (due.stored, due.seen) == (40, list(range(1, 41)))
