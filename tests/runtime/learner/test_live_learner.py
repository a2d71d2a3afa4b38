"""The learner of an engine in real time: each event sent once, stamped when it has happened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ares.domain.errors import ExternalError
from ares.domain.events import BarsClosed, Effect, Event
from ares.domain.model_events import AlertRaised, RetrainingEnded, RetrainingStarted
from ares.journal.run import RunJournal
from ares.journal.tail import JournalTail
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
    times = iter((10.0, 12.5))
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
