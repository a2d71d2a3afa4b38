"""The clock of an engine in real time: it goes on with the monotonic clock from when it was set."""

from __future__ import annotations

import time
from collections.abc import Callable

NS_PER_MS = 1_000_000

STOPPED_MS_MAX = 30 * 86_400_000
"""A clock that is so far ahead of the journal is not believed before the venue's is known."""

BEHIND_MS_MAX = 300_000
"""A clock that is so far behind the journal is reported."""

RESYNC_MS = 1_000
"""A clock that is wrong by more wall time is set again."""

HELD_MS_MAX = 60_000
"""Time never goes back: a clock that is ahead stands still, for so much wall time at most."""


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
    monotonic_ns, wall_ns : the machine's clocks. The wall clock is not followed: one that a person
                sets while the engine runs moves no deadline.
    source_ms : market time by a second source, beside the venue's clock: where both agree that
                this clock is wrong, it is set again. None: the wall clock, at a speed of 1. It may
                return None: it does not know.
    refused_ms : what the wall clock said, where it is not believed; 0: it is.
    times_set : how often it was set again, see ``measured``.
    """

    def __init__(
        self,
        market_ms: int | None = None,
        speed: float = 1.0,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        wall_ns: Callable[[], int] = time.time_ns,
        source_ms: Callable[[], int | None] | None = None,
    ) -> None:
        self.speed, self._source_ms = speed, source_ms
        self._monotonic_ns, self._wall_ns = monotonic_ns, wall_ns
        self._start_ns = monotonic_ns()
        self._wall_ms = wall_ns() // NS_PER_MS
        self._market_ms = self._wall_ms if market_ms is None else market_ms
        self._newest_ms = self._market_ms
        self.refused_ms = 0
        self.times_set = 0

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
        """Take how far the venue's clock is ahead, in market time; return how far it still is.

        The clock is set again where it is wrong by more than ``RESYNC_MS`` and the second source
        says so too: the machine slept, its clock was corrected, a rehearsal server was started
        again. One source alone moves no time, except where the wall clock was not believed at the
        start: then the venue's is taken.
        """
        if self.refused_ms:
            if venue_ahead_ms <= 0:
                return venue_ahead_ms
            self.refused_ms = 0
            return venue_ahead_ms - self._move(venue_ahead_ms)
        limit_ms = RESYNC_MS * self.speed
        if abs(venue_ahead_ms) <= limit_ms:
            return venue_ahead_ms
        source_ms = self._second_source_ms()
        ahead_ms = 0 if source_ms is None else source_ms - self._running_ms()
        if abs(ahead_ms) <= limit_ms or abs(venue_ahead_ms - ahead_ms) > limit_ms:
            return venue_ahead_ms
        return venue_ahead_ms - self._move(ahead_ms)

    def _second_source_ms(self) -> int | None:
        if self._source_ms is not None:
            return self._source_ms()
        return self._wall_ns() // NS_PER_MS if self.speed == 1.0 else None

    def _running_ms(self) -> int:
        """Return the market time, also where it stands still."""
        passed_ns = self._monotonic_ns() - self._start_ns
        return self._market_ms + int(passed_ns * self.speed) // NS_PER_MS

    def _move(self, by_ms: int) -> int:
        """Set the clock; return by how much: 0 where it would stand still for too long."""
        if by_ms < -HELD_MS_MAX * self.speed:
            return 0
        self._market_ms += by_ms
        self._wall_ms += self._wall_ns() // NS_PER_MS - self.wall_ms()
        self.times_set += 1
        return by_ms

    def now_ms(self) -> int:
        """Return the market time, never less than before."""
        self._newest_ms = max(self._newest_ms, self._running_ms())
        return self._newest_ms

    def wall_ms(self) -> int:
        """Return the wall time."""
        return self._wall_ms + (self._monotonic_ns() - self._start_ns) // NS_PER_MS

    def seconds_until(self, market_ms: int) -> float:
        """Return the wall time until an instant of the market, in seconds; 0: it has passed."""
        return max(0, market_ms - self.now_ms()) / 1_000.0 / self.speed
