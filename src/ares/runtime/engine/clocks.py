"""The clock of an engine in real time: set once, then going on with the monotonic clock."""

from __future__ import annotations

import time
from collections.abc import Callable

NS_PER_MS = 1_000_000


class RunningClock:
    """Market time that goes on from an instant, ``speed`` times as fast as the wall clock.

    market_ms : market time now; None: the wall clock's.
    monotonic_ns, wall_ns : the machine's clocks. The wall clock is read once: one that is set while
                the engine runs moves no deadline.
    """

    def __init__(
        self,
        market_ms: int | None = None,
        speed: float = 1.0,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.speed = speed
        self._monotonic_ns = monotonic_ns
        self._start_ns = monotonic_ns()
        self._wall_ms = wall_ns() // NS_PER_MS
        self._market_ms = self._wall_ms if market_ms is None else market_ms
        self._newest_ms = self._market_ms

    def now_ms(self) -> int:
        """Return the market time, never less than before."""
        passed_ns = self._monotonic_ns() - self._start_ns
        now_ms = self._market_ms + int(passed_ns * self.speed) // NS_PER_MS
        self._newest_ms = max(self._newest_ms, now_ms)
        return self._newest_ms

    def wall_ms(self) -> int:
        """Return the wall time."""
        return self._wall_ms + (self._monotonic_ns() - self._start_ns) // NS_PER_MS

    def seconds_until(self, market_ms: int) -> float:
        """Return the wall time until an instant of the market, in seconds; 0: it has passed."""
        return max(0, market_ms - self.now_ms()) / 1_000.0 / self.speed
