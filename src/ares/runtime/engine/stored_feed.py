"""Stored candles as a feed in real time: each instant is posted once the clock has reached it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ares.domain.events import Event
from ares.runtime.engine.bar_panel import BarPanel
from ares.runtime.engine.clocks import RunningClock


class StoredFeed:
    """Posts the rows of a feed after ``after_ms``, at the speed of its clock, then ends."""

    def __init__(self, feed: BarPanel, clock: RunningClock, after_ms: int) -> None:
        self._feed, self._clock, self._after_ms = feed, clock, after_ms

    async def run(self, post: Callable[[Event], None]) -> None:
        """Post every instant at its time."""
        first = int(self._feed.close_ms.searchsorted(self._after_ms, side="right"))
        for t in range(first, len(self._feed)):
            await asyncio.sleep(self._clock.seconds_until(int(self._feed.close_ms[t])))
            post(self._feed.event(t, warming=False))
