"""The learner of an engine in real time: reads its journal as it grows, and sends events to it.

It decides as the learner of a history run does, from the journal alone. Trainings take as long as
they take; what they give is stamped with the newest instant of the journal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from ares.domain.errors import ExternalError
from ares.domain.events import BarsClosed, Effect, Event
from ares.domain.model_events import (
    AlertRaised,
    DriftMeasured,
    ModelPublished,
    ModelRefused,
    RetrainingEnded,
    RetrainingStarted,
)
from ares.domain.stretch import BarsStretch
from ares.journal.log import Position
from ares.journal.tail import JournalTail

ENTRIES_MAX = 5_000
CANDLES_MAX = 5_000
"""Instants whose candles are kept in memory while they cannot be stored; then the journal is read
no further.
"""

KEEP_ENTRIES, KEEP_S = 5_000, 300.0
"""What is known is kept after so many entries, or so many seconds with an entry in them."""

Key = tuple[str, int, str]


class DueEvents(Protocol):
    """What a learner makes of a journal, see ``learner_events.LearnerEvents``."""

    def watch(self, seq: int, event: Event, effects: list[Effect]) -> None:
        """Take the next entry."""

    def due(self, now_ms: int) -> Sequence[Event]:
        """Return what is due."""
        ...


class CandleSink(Protocol):
    """Where journaled bars are stored before a training."""

    def __len__(self) -> int:
        """Return how many instants wait."""
        ...

    def add(self, event: BarsClosed) -> None:
        """Take an instant's bars."""

    def flush(self) -> None:
        """Store them."""


class LiveLearner:
    """Turns what a learner finds due into events for a running engine, each sent once.

    keep : called with the position in the journal up to which everything was read and its candles
           stored, now and then: what is known may be kept for the next start.
    send : to the engine. What it journals comes back through the journal; what a crash kept from it
           is sent again by the next process.
    now_ms : newest instant before the tail's position.
    """

    def __init__(
        self,
        tail: JournalTail,
        learner: DueEvents,
        candles: CandleSink,
        send: Callable[[Event], None],
        say: Callable[[str], None] = lambda _: None,
        monotonic_s: Callable[[], float] = time.monotonic,
        keep: Callable[[Position], None] = lambda _: None,
        now_ms: int = 0,
    ) -> None:
        self._tail, self._learner, self._candles = tail, learner, candles
        self._send, self._say, self._monotonic_s = send, say, monotonic_s
        self._sent: set[Key] = set()
        self._now_ms = now_ms
        self._problem = ""
        self._keep, self._n_unkept, self._kept_s = keep, 0, monotonic_s()

    def turn(self) -> bool:
        """Read what is new and do what is due; return whether anything was read or sent."""
        if len(self._candles) >= CANDLES_MAX and not self._stored():
            return False
        n_read = self._read()
        if n_read == 0 or not self._stored():
            return n_read > 0
        self._keep_when_due()
        if n_read >= ENTRIES_MAX:
            return True  # not caught up yet: nothing is due before
        began_s = self._monotonic_s()
        events = self._learner.due(self._now_ms)
        if not events:
            return True
        took_ms = round(1_000.0 * (self._monotonic_s() - began_s))
        self._read()
        for event in events:
            key = _key(event)
            if key not in self._sent:
                self._sent.add(key)
                self._send(self._stamped(event, took_ms))
        return True

    def close(self) -> None:
        """Keep what is known, where all candles are stored."""
        if self._n_unkept and len(self._candles) == 0:
            self._keep(self._tail.position)

    def _read(self) -> int:
        """Show the learner what was journaled since; return the number of entries."""
        parts = self._tail.read(ENTRIES_MAX)
        for part in parts:
            if isinstance(part, BarsStretch):
                raise ExternalError("the journal of a run in real time has no stretches")
            self._take(part.seq, part.event, part.effects)
        self._n_unkept += len(parts)
        return len(parts)

    def _keep_when_due(self) -> None:
        now_s = self._monotonic_s()
        if self._n_unkept < KEEP_ENTRIES and now_s - self._kept_s < KEEP_S:
            return
        self._keep(self._tail.position)
        self._n_unkept, self._kept_s = 0, now_s

    def _take(self, seq: int, event: Event, effects: list[Effect]) -> None:
        if type(event) is BarsClosed:
            self._now_ms = max(self._now_ms, event.ts_ms)
            self._candles.add(event)
        else:
            self._sent.discard(_key(event))
        self._learner.watch(seq, event, effects)

    def _stored(self) -> bool:
        """Store the candles, so that a training may begin; False: they could not be stored."""
        try:
            self._candles.flush()
        except ExternalError as error:
            if str(error) != self._problem:
                self._problem = str(error)
                self._say(f"candles are not stored, so nothing is trained: {error}")
            return False
        self._problem = ""
        return True

    def _stamped(self, event: Event, took_ms: int) -> Event:
        """Return an event as of now: a training ends when it has ended."""
        if isinstance(event, RetrainingEnded):
            return msgspec.structs.replace(event, ts_ms=self._now_ms, duration_ms=took_ms)
        if isinstance(event, ModelPublished | DriftMeasured):
            return msgspec.structs.replace(event, ts_ms=self._now_ms)
        return event


def _key(event: Event) -> Key:
    """Return what an event is about: the same for one that is sent and one that is journaled."""
    name, instrument = type(event).__name__, getattr(event, "instrument", -1)
    match event:
        case ModelPublished():
            return "model", instrument, event.ensemble.hash
        case ModelRefused():
            return "model", instrument, event.ensemble_hash
        case RetrainingEnded():
            return name, instrument, str(event.triggered_ms)
        case AlertRaised():
            return name, instrument, event.code
        case RetrainingStarted() | DriftMeasured():
            return name, instrument, ""
        case _:
            return name, instrument, "other"
