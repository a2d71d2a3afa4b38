"""Stored bars as a market in virtual time: the venue's fills within a bar, then its close."""

from __future__ import annotations

from ares.adapters.simulated_venue import OpenOrder, SimulatedVenue
from ares.core.orders import Request
from ares.core.state import State
from ares.core.stretch import StretchSteps
from ares.domain.order_events import TimeReached
from ares.kernel.stretch import KnownBars
from ares.runtime.engine.bar_fills import fill_at_open
from ares.runtime.engine.bar_panel import BarPanel
from ares.runtime.engine.loop import Loop


class VirtualClock:
    """A clock that is set by what happens."""

    def __init__(self, at_ms: int) -> None:
        self._at_ms = at_ms

    def now_ms(self) -> int:
        """Return the time."""
        return self._at_ms

    def advance(self, at_ms: int) -> None:
        """Go on to a time; one that has passed changes nothing."""
        self._at_ms = max(self._at_ms, at_ms)


class HistoryMarket:
    """Shows stored bars to a simulated venue, and then to the engine.

    The same order of fills in a bar as ``live_run.LiveRun`` has.
    """

    def __init__(self, loop: Loop, venue: SimulatedVenue, clock: VirtualClock) -> None:
        self._loop, self._venue, self._clock = loop, venue, clock

    def instant(self, feed: BarPanel, t: int, warming: bool) -> None:
        """Process row ``t``: first the fills at the venue within it, then its close."""
        self.before_close(feed, t, warming)
        self.close(feed, t, warming)

    def before_close(self, feed: BarPanel, t: int, warming: bool) -> None:
        """Process what comes in row ``t`` before its close: fills at the venue, and deadlines."""
        if self._venue.busy and not warming:
            for lane in sorted(self._venue.busy):
                if feed.present[t, lane]:
                    self._fills(feed, t, lane)
        close_ms = int(feed.close_ms[t])
        while 0 < self._loop.due_ms < close_ms:
            self._clock.advance(self._loop.due_ms)
            self._loop.process(TimeReached(self._loop.due_ms))

    def close(self, feed: BarPanel, t: int, warming: bool) -> None:
        """Process the close of row ``t``."""
        self._clock.advance(int(feed.close_ms[t]))
        self._loop.process(feed.event(t, warming))

    def stretch(self, steps: StretchSteps, known: KnownBars, t: int, until_ms: int) -> int:
        """Process the closes of rows from ``t`` on, before ``until_ms``, at once: as many as there
        are until something is ordered or filled; return how many.
        """
        due_ms = self._loop.due_ms
        if due_ms:
            until_ms = min(until_ms, due_ms + 1)
        if self._clock.now_ms() > known.close_ms[t]:
            return 0
        stepped = steps.step(known, t, until_ms, self._venue.book)
        if stepped is None:
            return 0
        self._clock.advance(int(known.close_ms[t + stepped.instants - 1]))
        self._loop.take(stepped)
        return stepped.instants

    def _fills(self, feed: BarPanel, t: int, lane: int) -> None:
        state = self._loop.state
        open_ms = int(feed.close_ms[t] - state.intervals.base_ms[lane])
        self._clock.advance(open_ms)
        ticks, lots = feed.ticks[t, lane], int(feed.lots[t, lane])
        fill_at_open(state, self._venue, lane, open_ms, ticks, lots)
        self._loop.drain()
        self._venue.in_range(lane, open_ms, ticks, lots)
        self._loop.drain()


def open_orders(state: State) -> list[OpenOrder]:
    """Return the orders that a venue must know for the state to continue."""
    return [
        OpenOrder(
            order.client_id,
            order.instrument,
            order.kind,
            order.remaining_lots,
            order.price_ticks,
            order.filled_lots,
            triggered=order.kind == "stop" and order.filled_lots != 0,
            cancelled=order.cancel is not Request.NONE,
        )
        for order in state.orders.values()
    ]
