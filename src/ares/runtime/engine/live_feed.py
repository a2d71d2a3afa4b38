"""Market data in real time: a source's raw values, assembled and posted to the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Protocol

from ares.domain.events import BarsClosed, Event
from ares.domain.market_data import Backfill, MarketData, SkewSeen, TradeSeen
from ares.runtime.engine.assembler import Assembler
from ares.runtime.engine.clocks import RunningClock
from ares.runtime.engine.feed_rules import BackfillRequest
from ares.runtime.engine.series_feed import NO_SERIES, KnownSeries
from ares.runtime.engine.silence import Silence
from ares.runtime.engine.watched_prices import WatchedPrices

TICK_S = 0.02
"""Wall time between two looks at the clock: an instant waits no longer than this for its turn."""

KEEP_S = 3_600.0
"""Wall time between two times that the usual silences are kept."""

LAST_TICKS = 25
"""After the end of a source that ends, for what it still answers."""


class MarketDataSource(Protocol):
    """A connection to a venue, or what stands for one. No method raises for the other side."""

    async def run(self) -> None:
        """Deliver raw values until cancelled, or until there are no more."""

    async def history(self, instrument: int, from_ms: int, to_ms: int) -> Backfill:
        """Return the closed bars that open from ``from_ms`` on, before ``to_ms``."""

    async def close(self) -> None:
        """Release what is open."""


Connect = Callable[[Callable[[MarketData], None]], MarketDataSource]
"""Makes a source that hands its values to a function."""


class LiveFeed:
    """Drives an assembler from a source: a ``Feed``.

    series : what becomes known of external series, before the bars that may use it.
    keep   : called every hour and at the end with each instrument's usual silences.
    prices : tell of those that the engine watches for.
    """

    def __init__(
        self,
        connect: Connect,
        assembler: Assembler,
        clock: RunningClock,
        series: KnownSeries = NO_SERIES,
        keep: Callable[[Sequence[Silence]], None] = lambda _: None,
        prices: WatchedPrices | None = None,
    ) -> None:
        self._keep = keep
        self._prices = prices or WatchedPrices()
        self._assembler, self._clock, self._series = assembler, clock, series
        self._source = connect(self._take)
        self._fetching: set[asyncio.Task[None]] = set()
        self._post: Callable[[Event], None] = lambda _: None

    async def run(self, post: Callable[[Event], None]) -> None:
        """Post bars, and what happens to the stream, until cancelled or at the source's end."""
        self._post = post
        running = [asyncio.create_task(self._source.run()), asyncio.create_task(self._series.run())]
        ticks_left, loop = LAST_TICKS, asyncio.get_running_loop()
        keep_s = loop.time() + KEEP_S
        try:
            while ticks_left:
                await asyncio.sleep(TICK_S)
                self._advance()
                if loop.time() >= keep_s:
                    keep_s = loop.time() + KEEP_S
                    self._keep(self._assembler.silences)
                if running[0].done():
                    running[0].result()
                    ticks_left -= 1
        finally:
            for task in (*running, *self._fetching):
                task.cancel()
            await asyncio.gather(*running, *self._fetching, return_exceptions=True)
            with suppress(Exception):
                await self._source.close()
            self._keep(self._assembler.silences)

    def _take(self, value: MarketData) -> None:
        """Take a value from the source."""
        if isinstance(value, SkewSeen):
            ahead_ms = self._clock.measured(value.venue_ahead_ms)
            value = SkewSeen(int(ahead_ms / self._clock.speed))  # clocks differ in wall time
        now_ms = self._clock.now_ms()
        self._deliver(self._assembler.take(value, now_ms))
        if isinstance(value, TradeSeen):
            self._prices.take(value)
            self._deliver(self._prices.due(now_ms))

    def _advance(self) -> None:
        now_ms = self._clock.now_ms()
        self._deliver(self._assembler.advance(now_ms))
        self._deliver(self._prices.due(now_ms))
        for request in self._assembler.requests(now_ms):
            task = asyncio.create_task(self._fetch(request))
            self._fetching.add(task)
            task.add_done_callback(self._fetching.discard)

    async def _fetch(self, request: BackfillRequest) -> None:
        answer = await self._source.history(*request)
        self._deliver(self._assembler.backfilled(request, answer, self._clock.now_ms()))

    def _deliver(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, BarsClosed) and event.kind != "late":
                published = self._series.until(event.ts_ms)
                if published is not None:
                    self._post(published)
            self._post(event)
