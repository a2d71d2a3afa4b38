"""A stretch of a run's journal as columns: its bars, and what was done, by kind."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, takewhile
from typing import Any

import msgspec
import numpy as np

from ares.domain.events import (
    BY_CONFIDENCE,
    BarsClosed,
    BreakerChanged,
    DailyLossReached,
    DecisionMade,
    Effect,
    EngineStarted,
    Event,
    ModeChanged,
    SeriesPublished,
    SeriesRestored,
    SeriesStale,
    SignalRefused,
    TradeClosed,
    VirtualTradeOpened,
)
from ares.domain.feed_events import BarCorrected, ClockSet, FeedChanged
from ares.domain.order_events import (
    AccountSeen,
    CancelOrder,
    ClockSkewMeasured,
    ExecutionBooked,
    OrderAccepted,
    OrderEnded,
    OrderFilled,
    Stopping,
    SubmitOrder,
)
from ares.domain.run import RunSetup
from ares.journal.run import JournalEntry
from ares.kernel.bars import I64
from ares.runtime.engine.bar_panel import CATCHING_UP, ClosedBars
from ares.runtime.replay.recompute import SlotChanges

Row = tuple[Any, ...]

_UNKNOWN = SubmitOrder("", -1, "unknown", 0, 0, "", 0.0, 0.0, 0.0)
"""The order of a fill whose own order was never journaled: a mismatch in any case."""

KINDS = {
    SignalRefused: "refusals",
    TradeClosed: "trades",
    ModeChanged: "modes",
    BreakerChanged: "breakers",
    DailyLossReached: "breakers",
    VirtualTradeOpened: "virtual",
    SeriesStale: "series",
    SeriesRestored: "series",
}
LINES = (
    "orders",
    "cancels",
    "fills",
    "refusals",
    "trades",
    "modes",
    "breakers",
    "virtual",
    "series",
)


class JournalColumns:
    """A stretch of a run's journal, taken entry by entry and kept in columns: it may be larger than
    memory. Of what came before it only bars, external series and slots are taken.

    events  : in the stretch. rows: what the run did in it, by kind, in order.
    rows_before : instants before it.
    published_before : events of external series before it.
    outputs : of each decision: probability, edge and barrier distance of every lane.
    equity  : of each decision: its instant and the account's equity.
    """

    def __init__(self, setup: RunSetup) -> None:
        self.events = self.rows_before = self.published_before = 0
        self.closings, self.changes = ClosedBars(), SlotChanges(setup)
        self.published: list[SeriesPublished] = []
        self.rows: dict[str, list[Row]] = {kind: [] for kind in LINES}
        self.outputs, self.equity = bytearray(), array("q")
        self._orders: dict[str, SubmitOrder] = {}
        self._output_bytes = 3 * 8 * len(setup.instruments)

    def before(self, entry: JournalEntry) -> None:
        """Take an entry before the stretch."""
        self.changes.add(entry.event, entry.effects)
        if isinstance(entry.event, SeriesPublished):
            self.published.append(entry.event)
            self.published_before += 1
        self.closings.add(entry)
        for effect in entry.effects:
            if isinstance(effect, SubmitOrder):
                self._orders[effect.client_id] = effect

    @property
    def decided(self) -> I64:
        """Return the rows of the stretch's decisions among all instants of the journal."""
        uses = np.frombuffer(self.closings.uses, np.uint8)[self.rows_before :]
        return np.flatnonzero(uses >= CATCHING_UP) + self.rows_before

    def begin(self) -> None:
        """Begin the stretch: after the last entry before it."""
        self.changes.restart()
        self.rows_before = len(self.closings)

    def add(self, entry: JournalEntry) -> None:
        """Take the next entry of the stretch."""
        self.events += 1
        event, effects = entry.event, entry.effects
        self.changes.add(event, effects)
        match event:
            case BarsClosed():
                self.closings.add(entry)
            case SeriesPublished():
                self.closings.add(entry)
                self.published.append(event)
            case OrderFilled() | OrderEnded(reason="rejected"):
                self._fill(event, effects)
            case _:
                pass
        for effect in effects:
            self._effect(effect)

    def _fill(self, event: OrderFilled | OrderEnded, effects: Sequence[Effect]) -> None:
        """Take what the venue reported; a row more where it was not booked as reported."""
        order = self._orders.get(event.client_id, _UNKNOWN)
        head = (event.ts_ms, order.instrument, order.kind)
        if isinstance(event, OrderEnded):
            self.rows["fills"].append((*head, 0, event.price_ticks, 0))
            return
        reported = (*head, event.lots, event.price_ticks, event.fee_units)
        booked: list[Row] = [
            (e.ts_ms, e.instrument, self._orders.get(e.client_id, _UNKNOWN).kind, e.lots,
             e.price_ticks, e.fee_units)
            for e in effects if isinstance(e, ExecutionBooked)
        ]  # fmt: skip
        self.rows["fills"].append(reported)
        if booked != [reported]:
            self.rows["fills"] += booked or [("not booked", *reported)]

    def _effect(self, effect: Effect) -> None:
        if isinstance(effect, DecisionMade):
            self.outputs += effect.outputs[: self._output_bytes]
            self.equity.extend((effect.ts_ms, effect.equity_units))
        elif isinstance(effect, SubmitOrder):
            self._orders[effect.client_id] = effect
            request = (effect.lots, effect.price_ticks, effect.reason)
            signal = (effect.p, effect.edge_bps, effect.barrier_bps)
            self.rows["orders"].append((effect.instrument, effect.kind, *request, *signal))
        elif isinstance(effect, CancelOrder):
            self.rows["cancels"].append((effect.instrument,))
        elif is_given_mode(effect):
            return
        elif type(effect) in KINDS:
            self.rows[KINDS[type(effect)]].append(fact_row(effect))


def is_given_mode(effect: Effect) -> bool:
    """Return whether a mode follows a slot change or a command: the journal gives both."""
    return isinstance(effect, ModeChanged) and effect.reason != BY_CONFIDENCE


def fact_row(effect: Effect) -> Row:
    """Return a fact as a row that is compared."""
    return (type(effect).__name__, *msgspec.structs.astuple(effect))


def journal_columns(
    setup: RunSetup, journal: Iterable[JournalEntry], after_seq: int
) -> JournalColumns:
    """Return the entries after a seq as columns, as far as they are completed."""
    columns = JournalColumns(setup)
    later = list[JournalEntry]()
    entries = iter(journal)
    for entry in entries:
        if entry.seq > after_seq:
            later.append(entry)
            break
        columns.before(entry)
    columns.begin()
    for entry in _completed(chain(later, entries)):
        columns.add(entry)
    return columns


def _completed(journaled: Iterable[JournalEntry]) -> Iterator[JournalEntry]:
    """Yield the entries up to the last completed closing instant, and the venue's immediate
    answers to its orders: later fills belong to an instant that a crash interrupted. So does an
    exit that was not sent yet, because its stop was still being cancelled.
    """
    newest: list[JournalEntry] = []
    pending: list[JournalEntry] = []
    for entry in journaled:
        pending.append(entry)
        if _is_completed_bar(entry):
            yield from newest
            newest, pending = pending, []
    if newest:
        newest += takewhile(_is_at_once, pending)
    if _all_cancelled(newest):
        yield from newest


def _is_at_once(entry: JournalEntry) -> bool:
    return isinstance(entry.event, _AT_ONCE) and not _is_rejection(entry.event)


def _all_cancelled(journaled: Sequence[JournalEntry]) -> bool:
    """Return whether all orders that were to be cancelled have ended, with what followed."""
    cancelled = {
        effect.client_id
        for entry in journaled
        for effect in entry.effects
        if isinstance(effect, CancelOrder)
    }
    ended = {
        entry.event.client_id
        for entry in journaled
        if isinstance(entry.event, OrderEnded) and entry.effects_raw is not None
    }
    return cancelled <= ended


_AT_ONCE = (
    OrderAccepted
    | OrderEnded
    | AccountSeen
    | EngineStarted
    | Stopping
    | FeedChanged
    | BarCorrected
    | ClockSet
    | ClockSkewMeasured
)
"""What follows a closing instant without another bar."""


def _is_rejection(event: Event) -> bool:
    """Return whether a later bar ended an order of which nothing was filled."""
    return isinstance(event, OrderEnded) and event.reason == "rejected"


def _is_completed_bar(entry: JournalEntry) -> bool:
    event = entry.event
    return isinstance(event, BarsClosed) and event.kind != "late" and entry.effects_raw is not None
