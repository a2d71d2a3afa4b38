"""The watch over modes: an instrument that goes to and fro is named, once an hour."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from ares.domain.timeframe import HOUR_MS

TRANSITIONS_MAX = 2
"""More transitions of one instrument within an hour raise an alert."""

CODE = "mode_transitions"


@dataclass(slots=True)
class ModeWatch:
    """One instrument's transitions of the last hour, and when it was last named."""

    changed_ms: deque[int] = field(default_factory=deque)
    named_ms: int | None = None

    def changed(self, ts_ms: int) -> int | None:
        """Take a transition in; return how many there were within the hour where that is an alert.

        >>> watch = ModeWatch()
        >>> [watch.changed(minute * 60_000) for minute in (0, 10, 20, 30, 100, 101, 102)]
        [None, None, 3, None, None, None, 3]
        """
        self.changed_ms.append(ts_ms)
        while self.changed_ms[0] <= ts_ms - HOUR_MS:
            self.changed_ms.popleft()
        many = len(self.changed_ms) > TRANSITIONS_MAX
        if not many or (self.named_ms is not None and ts_ms - self.named_ms < HOUR_MS):
            return None
        self.named_ms = ts_ms
        return len(self.changed_ms)
