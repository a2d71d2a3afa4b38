"""The alert of an instrument whose mode changes too often: one fact with one text."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ares.core.slot import Slot
from ares.core.slot_history import SlotHistory
from ares.domain.events import Effect, ModeChanged
from ares.domain.model_events import AlertRaised, SlotChanged
from ares.domain.run import RunSetup
from ares.domain.timeframe import HOUR_MS

CHANGES_MAX = 2
"""More changes of an instrument's mode within an hour raise an alert."""

CODE = "mode_transitions"


class ModeWatch(msgspec.Struct):
    """One instrument's changes of mode within the last hour, and its last alert."""

    changed_ms: list[int] = msgspec.field(default_factory=list)
    alerted_ms: int | None = None

    def changed(self, ts_ms: int) -> int | None:
        """Count a change; return how many there were within the hour where that is an alert.

        There is at most one alert an hour.

        >>> watch = ModeWatch()
        >>> [watch.changed(minute * 60_000) for minute in (0, 10, 20, 30, 100, 101, 102)]
        [None, None, 3, None, None, None, 3]
        """
        self.changed_ms.append(ts_ms)
        while self.changed_ms[0] <= ts_ms - HOUR_MS:
            del self.changed_ms[0]
        if len(self.changed_ms) <= CHANGES_MAX:
            return None
        if self.alerted_ms is not None and ts_ms - self.alerted_ms < HOUR_MS:
            return None
        self.alerted_ms = ts_ms
        return len(self.changed_ms)


class ModeAlerts:
    """Raises the alerts of a run, from the effects in its journal.

    A lane that is not the champion's counts only where the instrument has no champion: the mode of
    a challenger moves no money. The alerts do not come from the learner, since some runs have none.
    """

    def __init__(self, setup: RunSetup) -> None:
        self._slots = SlotHistory(setup)
        self.watches = [ModeWatch() for _ in range(setup.n_instruments)]

    def restore(self, slots: Sequence[Slot], watches: list[ModeWatch]) -> None:
        """Continue with the slots and changes of mode of an earlier moment."""
        self._slots.slots = list(slots)
        self.watches = watches

    def watch(self, effect: Effect) -> AlertRaised | None:
        """Take the next effect in; return the alert that it raises, if any."""
        if isinstance(effect, SlotChanged):
            self._slots.apply(effect)
        if not isinstance(effect, ModeChanged) or self._slots.challenges_champion(
            effect.instrument
        ):
            return None
        i = effect.instrument % len(self.watches)
        changes = self.watches[i].changed(effect.ts_ms)
        if changes is None:
            return None
        message = (
            f"the mode changed {changes} times within an hour (limit {CHANGES_MAX}): the mode "
            "confidence is close to trading_threshold"
        )
        return AlertRaised(effect.ts_ms, i, CODE, float(changes), float(CHANGES_MAX), message)
