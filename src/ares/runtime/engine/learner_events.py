"""The seam between the loop and a learner, which publishes models while a run goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ares.core.series import NEVER_MS
from ares.domain.events import Effect, Event
from ares.domain.stretch import BarsStretch


class LearnerEvents(Protocol):
    """Observes a run, and returns the events of a learner between two bars.

    It is a fold over the journal: the same entries give the same events. A run that is resumed
    therefore only shows it the entries that were journaled before.
    """

    def watch(self, seq: int, event: Event, effects: list[Effect]) -> None:
        """Take the next journal entry, also those of its own events."""

    def watch_stretch(self, stretch: BarsStretch) -> None:
        """Take many closing instants, all before ``quiet_until_ms`` and without a closed trade."""

    def quiet_until_ms(self) -> int:
        """Return the closing instant from which on ``due`` may return an event, or a bar may change
        more than the time; later events and closed trades may bring it forward.
        """

    def due(self, now_ms: int) -> Sequence[Event]:
        """Return the events that take effect before the instant closing at ``now_ms``, in order.

        In history this waits for trainings in progress: each takes effect a fixed virtual time
        after its trigger. A journaled event comes back through ``watch``; one that a crash kept
        from the journal is returned again. Raises PoolInterrupted where the run is stopped while
        it waits; the same events are returned later.
        """

    def close(self) -> None:
        """End the processes that train; nothing that was journaled is lost."""


class NoLearner:
    """A run without learning."""

    def watch(self, seq: int, event: Event, effects: list[Effect]) -> None:
        """Do nothing."""

    def watch_stretch(self, stretch: BarsStretch) -> None:
        """Do nothing."""

    def quiet_until_ms(self) -> int:
        """Return a time that never comes."""
        return NEVER_MS

    def due(self, now_ms: int) -> Sequence[Event]:  # noqa: ARG002 - the seam's signature
        """Return nothing."""
        return ()

    def close(self) -> None:
        """Do nothing."""
