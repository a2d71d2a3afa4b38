"""Stored candles as a source of market data, at the speed of a clock; it can be interrupted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import numpy as np

from ares.domain.market_data import Backfill, BarSeen, Connected, Disconnected, MarketData
from ares.domain.timeframe import MINUTE_MS
from ares.kernel.bars import Bars
from ares.runtime.engine.clocks import RunningClock


class StoredSource:
    """Delivers every stored minute when the clock has reached its close.

    bars  : of each instrument, 1m. after_ms : closing instant after which it begins.
    drops : (from_ms, to_ms) of the times in which the connection is lost.
    """

    def __init__(
        self,
        bars: Sequence[Bars],
        clock: RunningClock,
        after_ms: int,
        deliver: Callable[[MarketData], None],
        drops: Sequence[tuple[int, int]] = (),
    ) -> None:
        self._bars, self._clock, self._deliver = list(bars), clock, deliver
        self._after_ms, self._drops = after_ms, tuple(drops)
        self._end_ms = max((int(b.ts_ms[-1]) + MINUTE_MS for b in bars if len(b)), default=0)

    async def run(self) -> None:
        """Deliver until the last bar has closed."""
        connected = not self._is_lost(self._after_ms)
        if connected:
            self._deliver(Connected(self._after_ms + 1))
        for close_ms in range(self._after_ms + MINUTE_MS, self._end_ms + 1, MINUTE_MS):
            await asyncio.sleep(self._clock.seconds_until(close_ms))
            if self._is_lost(close_ms):
                if connected:
                    self._deliver(Disconnected("the stored source was interrupted"))
                connected = False
                continue
            if not connected:
                self._deliver(Connected(close_ms - MINUTE_MS + 1))
                connected = True
            for i in range(len(self._bars)):
                for bar in self._between(i, close_ms - MINUTE_MS, close_ms):
                    self._deliver(bar)
            self._deliver(Connected(close_ms + 1))

    def _is_lost(self, ts_ms: int) -> bool:
        return any(first <= ts_ms < end for first, end in self._drops)

    async def history(self, instrument: int, from_ms: int, to_ms: int) -> Backfill:
        """Return the stored bars that have closed by now."""
        closed_ms = min(to_ms, self._clock.now_ms() // MINUTE_MS * MINUTE_MS)
        found = self._between(instrument, from_ms, closed_ms)
        return Backfill(tuple(found), from_ms, max(from_ms, closed_ms))

    async def close(self) -> None:
        """There is nothing to release."""

    def _between(self, i: int, from_ms: int, to_ms: int) -> list[BarSeen]:
        """Return the bars that open from ``from_ms`` on, before ``to_ms``; flat ones are none."""
        bars = self._bars[i]
        first, end = np.searchsorted(bars.ts_ms, [from_ms, to_ms]).tolist()
        part = bars[first:end]
        columns = (part.ts_ms, part.open, part.high, part.low, part.close, part.volume, part.flat)
        return [
            BarSeen(i, ts_ms, o, h, low, c, v, is_closed=True)
            for ts_ms, o, h, low, c, v, flat in zip(*(x.tolist() for x in columns), strict=True)
            if not flat
        ]
