"""Virtual time: things happen in order of their time, and in order of their making at one time."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class Schedule:
    """What will happen, and the time."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self._made = 0
        self._due: list[tuple[int, int, Callable[[], None]]] = []

    def after(self, wait_ms: int, action: Callable[[], None]) -> None:
        """Let something happen after a time."""
        self._made += 1
        heapq.heappush(self._due, (self.now_ms + max(0, wait_ms), self._made, action))

    def next_ms(self) -> int | None:
        """Return when the next thing happens; None: nothing will."""
        return self._due[0][0] if self._due else None

    def step(self) -> bool:
        """Let the next thing happen; False: there is none."""
        if not self._due:
            return False
        at_ms, _, action = heapq.heappop(self._due)
        self.now_ms = max(self.now_ms, at_ms)
        action()
        return True
