"""Bars that cannot be true are refused before anything is computed from them."""

from __future__ import annotations

import msgspec
import numpy as np

from ares.core.base_fees import lot_units
from ares.core.state import State
from ares.domain.events import BarsClosed, Effect
from ares.domain.order_events import EventRefused, OrderFilled
from ares.kernel.bar_aggregation import newest_closes

UNITS_MAX = 10**17
"""A billion of the quote currency: more in one position cannot be counted in 64 bits."""

AHEAD_MS_MAX = 300_000
"""A bar may close so much later than the engine's clock says: clocks differ."""


def refuse_execution(state: State, event: OrderFilled) -> list[Effect]:
    """Return why an execution is refused that cannot be counted; empty: it is not."""
    lane = event.instrument if event.instrument >= 0 else 0
    spec = state.params.specs[lane % state.setup.n_instruments]
    units = event.price_ticks * abs(event.lots) * int(spec["notional_mul"])
    units //= int(spec["notional_div"])
    bought = abs(event.lots) * lot_units(state, lane)
    is_fee = 0 <= event.base_fee_units <= bought and abs(event.fee_units) <= UNITS_MAX
    if event.price_ticks > 0 and units <= UNITS_MAX and is_fee:
        return []
    reason = (
        f"execution {event.exec_id} of {event.lots} lots at {event.price_ticks} ticks, fee"
        f" {event.fee_units}"
    )
    if event.base_fee_units:
        reason += f", base fee {event.base_fee_units}"
    return [EventRefused(event.instrument, state.at_ms, reason)]


def refuse_instant(state: State, event: BarsClosed) -> list[Effect]:
    """Return why a whole closing instant is refused; empty: it is not."""
    if event.kind == "late" and event.ts_ms > state.now_ms:
        reason = f"bars of {event.ts_ms} are not late: the newest instant is {state.now_ms}"
    elif event.ts_ms <= state.now_ms and event.kind != "late":
        reason = f"bars of {event.ts_ms} came after those of {state.now_ms}"
    elif 0 < state.at_ms < event.ts_ms - AHEAD_MS_MAX:
        reason = f"bars of {event.ts_ms} are ahead of the clock, {state.at_ms}"
    else:
        sizes = (len(event.ohlcv), len(event.present), len(event.flat))
        if sizes == state.scratch.event_sizes:
            return []
        reason = f"bars of other instruments than the {state.setup.n_instruments} of this run"
    return [EventRefused(-1, event.ts_ms, reason)]


def in_order(state: State, event: BarsClosed) -> tuple[BarsClosed, list[Effect]]:
    """Return late bars without those of instruments that were given newer ones; why they are
    refused.
    """
    newest_ms = newest_closes(state.bar_series, state.setup.n_instruments)
    present = np.frombuffer(event.present, np.bool_)
    stale = present & (newest_ms >= event.ts_ms)
    if not stale.any():
        return event, []
    left = msgspec.structs.replace(event, present=(present & ~stale).tobytes())
    return left, [
        EventRefused(int(i), event.ts_ms, f"bar of {event.ts_ms} came after that of {newest_ms[i]}")
        for i in np.flatnonzero(stale)
    ]


def refused_bars(state: State, event: BarsClosed) -> list[Effect]:
    """Return which bars the kernel left out, because no trade can have made them."""
    n = state.setup.n_instruments
    here = np.frombuffer(event.present, np.bool_) & ~state.scratch.bars.present[:n]
    prices = state.scratch.bars.ohlcv
    return [
        EventRefused(
            int(i), event.ts_ms, f"no bar: open, high, low, close, volume {prices[i].tolist()}"
        )
        for i in np.flatnonzero(here)
    ]
