"""The simulated venue: accepts orders, and fills them from bars with the kernel's fill model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ares.domain.events import (
    CancelOrder,
    Event,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    SubmitOrder,
)
from ares.kernel.jit import bind
from ares.kernel.trade.arrays import TickBar, TradeParams, new_records, new_venue
from ares.kernel.trade.fill import (
    venue_accept,
    venue_cancel_stop,
    venue_open,
    venue_range,
)
from ares.kernel.trade.layout import ENTRY, EXIT, N_FILLS, STOP

KINDS = {"entry": ENTRY, "exit": EXIT, "stop": STOP}


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order that a venue must hold after a restart; ``lots``: still to fill, signed."""

    client_id: str
    instrument: int
    kind: str
    lots: int
    price_ticks: int
    triggered: bool


class SimulatedVenue:
    """One market order and one stop per instrument, filled by ``kernel.trade.fill``.

    params : the run's costs and grids.
    """

    def __init__(self, params: TradeParams) -> None:
        n = len(params.specs)
        self._params = params
        self._book = new_venue(n)
        self._records = new_records(2)
        self._market_ids = [""] * n
        self._stop_ids = [""] * n
        self.busy: set[int] = set()
        types = (0, TickBar(0, 0, 0, 0), 0, self._book, params, self._records)
        self._fill_open, self._fill_range = bind(venue_open, *types), bind(venue_range, *types)

    def adopt(self, open_orders: list[OpenOrder]) -> None:
        """Hold these orders, as a venue does that went on while the engine restarted."""
        for order in open_orders:
            i = order.instrument
            if order.triggered:
                self._book[i]["market_lots"] = order.lots
                self._book[i]["market_kind"] = STOP
            else:
                venue_accept(i, KINDS[order.kind], order.lots, order.price_ticks, self._book)
            resting = order.kind == "stop" and not order.triggered
            (self._stop_ids if resting else self._market_ids)[i] = order.client_id
            self.busy.add(i)

    def submit(self, command: SubmitOrder, ts_ms: int) -> list[Event]:
        """Accept an order."""
        i, kind = command.instrument, KINDS[command.kind]
        venue_accept(i, kind, command.lots, command.price_ticks, self._book)
        (self._stop_ids if kind == STOP else self._market_ids)[i] = command.client_id
        self.busy.add(i)
        return [OrderAccepted(command.client_id, ts_ms)]

    def cancel(self, command: CancelOrder, ts_ms: int) -> list[Event]:
        """Cancel a resting stop."""
        venue_cancel_stop(command.instrument, self._book)
        self._drop_ended(command.instrument)
        return [OrderCancelled(command.client_id, ts_ms)]

    def on_open(
        self, i: int, open_ms: int, ticks: NDArray[np.int64], volume_lots: int
    ) -> list[Event]:
        """Fill the orders that are due at the open of a bar; ticks: (4,) open, high, low, close."""
        self._records.counts[N_FILLS] = 0
        stopped = self._book[i]["market_lots"] == 0
        bar = _tick_bar(open_ms, ticks)
        self._fill_open(i, bar, volume_lots, self._book, self._params, self._records)
        return self._answers(i, bool(stopped))

    def on_range(
        self, i: int, open_ms: int, ticks: NDArray[np.int64], volume_lots: int
    ) -> list[Event]:
        """Fill a stop that the bar's low reached."""
        self._records.counts[N_FILLS] = 0
        bar = _tick_bar(open_ms, ticks)
        self._fill_range(i, bar, volume_lots, self._book, self._params, self._records)
        return self._answers(i, stopped=True)

    def _answers(self, i: int, stopped: bool) -> list[Event]:
        """Return the kernel's fills as events."""
        events: list[Event] = []
        for row in self._records.fills[: self._records.counts[N_FILLS]]:
            ids = self._stop_ids if stopped else self._market_ids
            client_id, ts_ms = ids[i], int(row["ts_ms"])
            price = int(row["price_ticks"])
            if row["rejected"]:
                events.append(OrderRejected(client_id, ts_ms, price, "price_collar_or_volume"))
                continue
            rest = int(row["remaining_lots"])
            lots, fee = int(row["lots"]), int(row["fee_units"])
            events.append(OrderFilled(client_id, ts_ms, lots, price, fee, rest))
        self._drop_ended(i)
        return events

    def _drop_ended(self, i: int) -> None:
        """Drop ids of ended orders; the rest of a triggered stop continues as a market order."""
        if self._book[i]["market_lots"] != 0 and not self._market_ids[i]:
            self._market_ids[i] = self._stop_ids[i]
        if self._book[i]["market_lots"] == 0:
            self._market_ids[i] = ""
        if self._book[i]["stop_lots"] == 0:
            self._stop_ids[i] = ""
        if not self._market_ids[i] and not self._stop_ids[i]:
            self.busy.discard(i)


def _tick_bar(open_ms: int, ticks: NDArray[np.int64]) -> TickBar:
    """Return a bar of the feed as the kernel takes it."""
    opened, _, low, close = ticks.tolist()
    return TickBar(open_ms, opened, low, close)
