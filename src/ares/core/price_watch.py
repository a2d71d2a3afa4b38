"""Which prices the engine must be told of, and what follows when an instrument trades there.

Prices are not events: only one at or below ``watched_ticks`` of its instrument is posted, as
``PriceSeen``, by whoever sees the trades. The closes of bars are looked at as well.
"""

from __future__ import annotations

import numpy as np

from ares.core.execution import work
from ares.core.slot import lanes_of
from ares.core.small_positions import note_price as note_newest
from ares.core.state import State
from ares.core.stop_limits import is_jumped, limit_of, note_price
from ares.domain.events import BarsClosed, Effect
from ares.domain.feed_events import PriceSeen
from ares.domain.order_events import EventRefused


def watched_ticks(state: State) -> tuple[int, ...]:
    """Return (n_instruments,) the price of each at or below which it is posted; 0: none is. Empty:
    no instrument is watched.
    """
    if not _watches(state):
        return ()
    watched = [0] * state.setup.n_instruments
    for order in state.orders.values():
        limit = limit_of(state, order)
        if limit and not is_jumped(state, order):
            i = order.instrument % len(watched)
            watched[i] = max(watched[i], limit - 1)
    for lane, placed in enumerate(state.lane_orders):
        i = lane % len(watched)
        watched[i] = max(watched[i], placed.held_ticks)
    return tuple(watched) if any(watched) else ()


def _watches(state: State) -> bool:
    """Return whether anything may depend on prices at this venue."""
    return bool(state.setup.traits.stop_limit_bps or state.setup.traits.refuses_small)


def on_price(state: State, event: PriceSeen) -> list[Effect]:
    """Take a price at which an instrument trades."""
    if not (0 <= event.instrument < state.setup.n_instruments and event.price_ticks > 0):
        reason = f"a price of {event.price_ticks} ticks of instrument {event.instrument}"
        return [EventRefused(-1, state.at_ms, reason)]
    return _at_price(state, event.instrument, event.price_ticks, event.ts_ms)


def on_closes(state: State, event: BarsClosed) -> list[Effect]:
    """Take the closes of an instant as prices: those that came by themselves may be lost."""
    effects: list[Effect] = []
    if not _watches(state):
        return effects
    n = state.setup.n_instruments
    for i in np.flatnonzero(state.scratch.bars.present[:n]).tolist():
        ticks = int(state.trade.book[i]["last_close"])
        effects += _at_price(state, i, ticks, event.ts_ms)
    return effects


def _at_price(state: State, i: int, ticks: int, traded_ms: int) -> list[Effect]:
    """Do what follows where an instrument has traded at a price; a stop that was sent later was not
    there.
    """
    lanes = lanes_of(state.setup, i)
    touched = {
        order.instrument
        for order in state.orders.values()
        if order.instrument in lanes
        and order.sent_ms <= traded_ms
        and note_price(state, order, ticks)
    }
    for lane in lanes:
        note_newest(state, lane, ticks)
        if ticks <= state.lane_orders[lane].held_ticks:
            touched.add(lane)
    effects: list[Effect] = []
    for lane in sorted(touched):
        effects += work(state, lane)
    return effects
