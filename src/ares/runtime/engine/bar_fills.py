"""Shows the bars of a live feed to a simulated venue: the fills within a bar, before its close."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ares.adapters.simulated_venue import SimulatedVenue
from ares.core.state import State
from ares.domain.events import BarsClosed
from ares.kernel.trade import to_grid


def fill_at_open(
    state: State,
    venue: SimulatedVenue,
    lane: int,
    open_ms: int,
    ticks: NDArray[np.int64],
    lots: int,
) -> None:
    """Fill the orders that are due when a lane's bar opens, unless that was done before a restart
    that came between its open and its close.
    """
    if state.last_fill_ms[lane] != open_ms:
        venue.at_open(lane, open_ms, ticks, lots)


class BarFills:
    """The orders that a simulated venue holds, filled from the bars of one instant after another.

    A bar comes when it has closed, so its fills are reported then, with the times in the bar that
    a history run gives them: both runs of the same bars have the same fills.

    A venue does not know that a bar is late here: a stop that rested, and an order that was sent,
    when the bar opened fill in it. What was sent since then does not.
    """

    def __init__(self, state: State, venue: SimulatedVenue) -> None:
        self._state, self._venue = state, venue
        n = state.setup.n_instruments
        self._specs = [lane.spec for lane in state.setup.instruments[:n]]

    def lanes(self, event: BarsClosed) -> list[int]:
        """Return the lanes with open orders that have a bar."""
        if not self._venue.busy:
            return []
        present, n = np.frombuffer(event.present, np.bool_), len(self._specs)
        return [lane for lane in sorted(self._venue.busy) if present[lane % n]]

    def at_open(self, event: BarsClosed, lane: int) -> None:
        """Fill the orders that are due when a lane's bar opens."""
        if event.kind == "late" and self._sent_ms(lane, is_stop=False) >= event.ts_ms:
            return
        ticks, lots = self._bar(event, lane)
        open_ms = self._open_ms(event, lane)
        fill_at_open(self._state, self._venue, lane, open_ms, ticks, lots)

    def in_range(self, event: BarsClosed, lane: int) -> None:
        """Fill a stop that a lane's bar reached."""
        if event.kind == "late" and self._sent_ms(lane, is_stop=True) >= event.ts_ms:
            return
        self._venue.in_range(lane, self._open_ms(event, lane), *self._bar(event, lane))

    def _sent_ms(self, lane: int, *, is_stop: bool) -> int:
        """Return when the newest open order of a lane was sent."""
        orders = self._state.orders.values()
        return max(
            (
                order.sent_ms
                for order in orders
                if order.instrument == lane and order.open and (order.kind == "stop") == is_stop
            ),
            default=0,
        )

    def _open_ms(self, event: BarsClosed, lane: int) -> int:
        return int(event.ts_ms - self._state.intervals.base_ms[lane])

    def _bar(self, event: BarsClosed, lane: int) -> tuple[NDArray[np.int64], int]:
        """Return a lane's open, high, low and close in ticks, and its volume in lots."""
        i = lane % len(self._specs)
        row = np.frombuffer(event.ohlcv, np.float64).reshape(-1, 5)[i]
        spec = self._specs[i]
        return to_grid(row[:4], spec.price_decimals), int(to_grid(row[4:], spec.qty_decimals)[0])
