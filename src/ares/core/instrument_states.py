"""States of instruments at the venue: who may enter, and what is done with what is held.

Entries leave only while an instrument is trading; otherwise they are refused with ``not_tradable``,
and what is still to be filled of one is cancelled. Stops and exits leave wherever the venue takes
them. Where it does not, stops that rest stay, an exit waits, and a position without a stop is named
once; all of it goes on with the next state that lets it.
"""

from __future__ import annotations

from ares.core.execution import work
from ares.core.halts import BY_STATE, TRADING, halt, instrument_state, lift, takes_sales
from ares.core.orders import placed_orders
from ares.core.slot import lanes_of
from ares.core.state import State
from ares.domain.events import Effect
from ares.domain.feed_events import InstrumentChanged
from ares.domain.order_events import EventRefused, StopMissing


def on_instrument(state: State, event: InstrumentChanged) -> list[Effect]:
    """Take the state of an instrument."""
    i = event.instrument
    if not 0 <= i < state.setup.n_instruments:
        return [EventRefused(-1, state.at_ms, f"the state of instrument {i}: {event.state}")]
    if event.state == instrument_state(state, i):
        return []
    effects: list[Effect] = [*lift(state, i, BY_STATE)]
    if event.state != TRADING:
        word = (
            event.state if event.detail in ("", event.state) else f"{event.state}: {event.detail}"
        )
        effects += halt(state, i, BY_STATE, detail=word)
    for lane in lanes_of(state.setup, i):
        effects += _begin(state, lane)
    return effects


def _begin(state: State, lane: int) -> list[Effect]:
    """Go on with a lane in a new state: time without a stop counts anew where one can be sent."""
    placed, held = state.lane_orders[lane], int(state.trade.book[lane]["position_lots"])
    placed.unprotected_ms = 0
    placed.retry_now()
    effects = work(state, lane)
    is_selling = placed.exit or placed_orders(placed, "stop", state.orders)
    if held and not is_selling and not takes_sales(state, lane):
        detail = f"the instrument is {instrument_state(state, lane)}: the venue takes no stop"
        effects.append(StopMissing(lane, state.at_ms, held, detail))
    return effects
