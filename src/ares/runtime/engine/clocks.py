"""The clock of an engine in real time: set once, then going on with the monotonic clock."""

from __future__ import annotations

import time
from collections.abc import Callable

NS_PER_MS = 1_000_000

STOPPED_MS_MAX = 30 * 86_400_000
"""A clock that is so far ahead of the journal is not believed before the venue's is known."""

BEHIND_MS_MAX = 300_000
"""A clock that is so far behind the journal is reported."""


def start_ms(journal_ms: int, wall_ms: int) -> tuple[int, int]:
    """Return the time at which a start goes on, and what the wall clock says if it is wrong; 0: it
    is not.

    journal_ms : the engine's time at the journal's end; 0: there is none yet.

    >>> start_ms(journal_ms=1_000_000, wall_ms=1_060_000)
    (1060000, 0)
    >>> start_ms(journal_ms=1_000_000, wall_ms=1_000_000 + 365 * 86_400_000)
    (1000000, 31537000000)
    """
    ahead_ms = wall_ms - journal_ms
    if journal_ms == 0 or 0 <= ahead_ms <= STOPPED_MS_MAX:
        return wall_ms, 0
    return journal_ms, 0 if -BEHIND_MS_MAX <= ahead_ms < 0 else wall_ms


class RunningClock:
    """Market time that goes on from an instant, ``speed`` times as fast as the wall clock.

    market_ms : market time now; None: the wall clock's.
    monotonic_ns, wall_ns : the machine's clocks. The wall clock is read once: one that is set while
                the engine runs moves no deadline.
    refused_ms : what the wall clock said, where it is not believed; 0: it is.
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
        self.refused_ms = 0

    @classmethod
    def after(
        cls,
        journal_ms: int,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> RunningClock:
        """Return the clock of a start: the wall clock's time, or the journal's where that cannot be
        true, see ``start_ms``.
        """
        market_ms, refused_ms = start_ms(journal_ms, wall_ns() // NS_PER_MS)
        clock = cls(market_ms, 1.0, monotonic_ns, wall_ns)
        clock.refused_ms = refused_ms
        return clock

    def measured(self, venue_ahead_ms: int) -> int:
        """Take how far the venue's clock is ahead; return how far it still is.

        Where the wall clock is not believed, time goes on from the venue's. It never goes back.
        """
        if self.refused_ms == 0 or venue_ahead_ms <= 0:
            return venue_ahead_ms
        self._market_ms += venue_ahead_ms
        self.refused_ms = 0
        return 0

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
