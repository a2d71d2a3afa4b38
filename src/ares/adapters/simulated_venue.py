"""The simulated venue: takes orders, and fills them from bars with the kernel's fill model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ares.domain.events import Command, Event
from ares.domain.order_events import (
    AccountSeen,
    AmendOrder,
    AmendRefused,
    AskAccount,
    CancelOrder,
    EndReason,
    OrderAccepted,
    OrderEnded,
    OrderFilled,
    QueryOrder,
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
from ares.kernel.trade.layout import ENTRY, EXIT, N_FILLS, STOP, Records

KINDS = {"entry": ENTRY, "exit": EXIT, "stop": STOP}


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order that a venue must hold after a restart.

    lots      : still to fill, signed; filled_lots: filled before. What is left of an entry that
                was filled in part has expired with that fill.
    cancelled : a cancel was sent: it has ended.
    """

    client_id: str
    instrument: int
    kind: str
    lots: int
    price_ticks: int
    filled_lots: int = 0
    triggered: bool = False
    cancelled: bool = False


class SimulatedVenue:
    """One market order and one stop per lane, filled by ``kernel.trade.fill``.

    params : the run's costs and grids.
    post   : takes its reports, in order.
    now_ms : the clock of its reports.
    """

    def __init__(
        self,
        params: TradeParams,
        n_instruments: int,
        post: Callable[[Event], None],
        now_ms: Callable[[], int],
    ) -> None:
        n = len(params.specs)
        self._params, self._n_instruments = params, n_instruments
        self._post, self._now_ms = post, now_ms
        self._book = new_venue(n)
        self._records = new_records(2)
        self._market_ids = [""] * n
        self._stop_ids = [""] * n
        self._held = [0] * n
        self._filled: dict[str, int] = {}  # by client id, of the orders that may be asked about
        self._expired: set[str] = set()  # of the adopted orders
        self.busy: set[int] = set()
        types = (0, TickBar(0, 0, 0, 0), 0, self._book, params, self._records)
        self._fill_open, self._fill_range = bind(venue_open, *types), bind(venue_range, *types)

    def adopt(self, open_orders: Sequence[OpenOrder], held: Sequence[int]) -> None:
        """Hold these orders and lots, as a venue does that went on while the engine restarted."""
        self._held[:] = held
        for order in open_orders:
            i = order.instrument
            self._filled[order.client_id] = order.filled_lots
            if order.kind == "entry" and order.filled_lots:
                self._expired.add(order.client_id)
                continue
            if order.cancelled:
                continue
            if order.triggered:
                self._book[i]["market_lots"] = order.lots
                self._book[i]["market_kind"] = STOP
            else:
                venue_accept(i, KINDS[order.kind], order.lots, order.price_ticks, self._book)
            resting = order.kind == "stop" and not order.triggered
            (self._stop_ids if resting else self._market_ids)[i] = order.client_id
            self.busy.add(i)

    def open_orders(self) -> Records:
        """Return the open orders of every lane, as a scan takes them."""
        return self._book.copy()

    @property
    def book(self) -> Records:
        """Return the open orders of every lane; the array goes on to change."""
        return self._book

    def send(self, command: Command) -> None:
        """Carry a command out at once; the outcome is posted."""
        match command:
            case SubmitOrder():
                self._submit(command)
            case CancelOrder(client_id=client_id, instrument=i):
                self._cancel(client_id, i)
            case QueryOrder(client_id=client_id, instrument=i):
                self._look_up(client_id, i)
            case AmendOrder(client_id=client_id):
                self._post(AmendRefused(client_id, self._now_ms(), "not offered"))
            case AskAccount():
                self._report_account()

    def _submit(self, command: SubmitOrder) -> None:
        i, kind = command.instrument, KINDS[command.kind]
        venue_accept(i, kind, command.lots, command.price_ticks, self._book)
        (self._stop_ids if kind == STOP else self._market_ids)[i] = command.client_id
        self.busy.add(i)
        self._filled[command.client_id] = 0
        self._post(OrderAccepted(command.client_id, self._now_ms()))

    def _cancel(self, client_id: str, i: int) -> None:
        if self._stop_ids[i] == client_id:
            venue_cancel_stop(i, self._book)
        elif self._market_ids[i] == client_id:
            self._book[i]["market_lots"] = 0
        self._drop_ended(i)
        self._report_ended(client_id)

    def _look_up(self, client_id: str, i: int) -> None:
        """Answer whether an order is held; it is adopted with a state, or has ended."""
        if client_id in (self._stop_ids[i], self._market_ids[i]):
            self._post(OrderAccepted(client_id, self._now_ms()))
        else:
            self._report_ended(client_id)

    def _report_ended(self, client_id: str) -> None:
        filled_lots = self._filled.pop(client_id, 0)
        reason: EndReason = "expired" if client_id in self._expired else "cancelled"
        self._post(OrderEnded(client_id, self._now_ms(), reason, filled_lots))

    def _report_account(self) -> None:
        n, now_ms = self._n_instruments, self._now_ms()
        lots = tuple(sum(self._held[i::n]) for i in range(n))
        ids = tuple(id_ for id_ in (*self._stop_ids, *self._market_ids) if id_)
        self._post(AccountSeen(now_ms, now_ms, True, lots, ids))

    def at_open(self, i: int, open_ms: int, ticks: NDArray[np.int64], volume_lots: int) -> None:
        """Fill the orders that are due at the open of a bar; ticks: (4,) open, high, low, close."""
        self._records.counts[N_FILLS] = 0
        wanted = int(self._book[i]["market_lots"])
        bar = _tick_bar(open_ms, ticks)
        self._fill_open(i, bar, volume_lots, self._book, self._params, self._records)
        self._report(i, wanted)

    def in_range(self, i: int, open_ms: int, ticks: NDArray[np.int64], volume_lots: int) -> None:
        """Fill a stop that the bar's low reached."""
        self._records.counts[N_FILLS] = 0
        bar = _tick_bar(open_ms, ticks)
        self._fill_range(i, bar, volume_lots, self._book, self._params, self._records)
        self._report(i, 0)

    def _report(self, i: int, wanted: int) -> None:
        """Post the kernel's fill, if there is one.

        wanted : lots of the market order before it; 0: the stop was filled.
        """
        if self._records.counts[N_FILLS] == 0:
            return
        row = self._records.fills[0]
        client_id, ts_ms = (self._market_ids if wanted else self._stop_ids)[i], int(row["ts_ms"])
        price, lots = int(row["price_ticks"]), int(row["lots"])
        dropped = wanted > 0 and lots < wanted  # what is left of an entry
        self._held[i] += lots
        self._filled[client_id] += lots
        self._drop_ended(i)
        if client_id not in (self._market_ids[i], self._stop_ids[i]):
            del self._filled[client_id]
        if row["rejected"]:
            reason = "price_collar_or_volume"
            self._post(OrderEnded(client_id, ts_ms, "rejected", 0, reason, price))
            return
        # One order fills at most once in a bar, so that names the execution after a restart too.
        exec_id = str(ts_ms)
        self._post(OrderFilled(client_id, ts_ms, lots, price, int(row["fee_units"]), exec_id))
        if dropped:
            self._post(OrderEnded(client_id, ts_ms, "expired", lots))

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
