"""The seam between the loop and whoever teaches models while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ares.domain.events import Effect, Event


class LearnerEvents(Protocol):
    """Watches a run and says, between two bars, what it has learned.

    It is a fold over the journal: shown the same entries it says the same things, so a run that is
    taken up again only shows it what is journaled already.
    """

    def watch(self, seq: int, event: Event, effects: list[Effect]) -> None:
        """Take the next journal entry in, its own events among them."""

    def due(self, now_ms: int) -> Sequence[Event]:
        """Return what takes effect before the instant that closes at ``now_ms``, oldest first.

        In history this waits for trainings that are under way: each takes effect a fixed virtual
        time after its trigger. What was returned and journaled comes back through ``watch``; what
        was not (a crash) is returned again. Raises Interrupted where the run is asked to stop
        while it waits: nothing was said then, and the same will be, later.
        """

    def close(self) -> None:
        """End the processes that train; nothing that was journaled is lost."""


class NoLearner:
    """The teacher of a run without learning."""

    def watch(self, seq: int, event: Event, effects: list[Effect]) -> None:
        """Take nothing in."""

    def due(self, now_ms: int) -> Sequence[Event]:  # noqa: ARG002 - the seam's signature
        """Return nothing."""
        return ()

    def close(self) -> None:
        """Do nothing."""
