"""What an engine believed when it ended: read from its journal alone, and nothing is written.

Neither the database nor the kernel is needed, so that it takes a moment: positions, open orders and
what is held outside stand in the newest snapshot, and in the facts after it.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import msgspec

from ares.domain.errors import ExternalError
from ares.domain.events import Effect, Event
from ares.domain.holding_events import DifferenceFound, DifferenceSettled, HoldingTaken, ResidueLeft
from ares.domain.order_events import (
    AccountSeen,
    EndReason,
    ExecutionBooked,
    OrderAccepted,
    OrderAmended,
    OrderMoved,
    Stopping,
    SubmitOrder,
)
from ares.domain.run import RunSetup
from ares.domain.stretch import BarsStretch
from ares.journal.log import START
from ares.journal.run import entries_of, setup_of
from ares.journal.snapshots import anchored_snapshot
from ares.journal.tail import JournalTail

ENDS = frozenset(get_args(EndReason))
ALL_ENTRIES = 1 << 62


class JournaledOrder(msgspec.Struct):
    """An order that had not ended; lots are signed. working: the venue has confirmed it."""

    client_id: str
    lane: int
    kind: str
    lots: int
    send_by_ms: int
    working: bool = False


@dataclass(slots=True)
class JournalLedger:
    """The ledger at the end of a journal.

    lots     : (n_lanes,) held. outside: (n_instruments,) held beside them; None: not known yet.
    differences : that stand; their lots are not the ledger's.
    executions : (client id, execution id) of what was booked lately.
    at_ms    : of the newest event, in the engine's time. booked_ms: of the newest execution.
    stopped  : the newest event is the clean stop of the engine.
    """

    setup: RunSetup
    lots: list[int]
    outside: list[int] | None
    orders: dict[str, JournaledOrder] = field(default_factory=dict)
    differences: list[DifferenceFound] = field(default_factory=list)
    executions: set[tuple[str, str]] = field(default_factory=set)
    at_ms: int = 0
    booked_ms: int = 0
    stopped: bool = False

    @property
    def is_flat(self) -> bool:
        """Return whether nothing is held, and no order open that could change that."""
        return not any(self.lots) and not self.orders

    @property
    def disputed(self) -> set[int]:
        """Return the instruments in which a difference stands."""
        n = self.setup.n_instruments
        return {d.instrument % n for d in self.differences if d.instrument >= 0}

    @property
    def unsettled(self) -> list[int]:
        """Return the lots of standing differences, (n_instruments,)."""
        lots = [0] * self.setup.n_instruments
        for difference in self.differences:
            if difference.instrument >= 0:
                lots[difference.instrument % len(lots)] += difference.lots
        return lots

    @property
    def others(self) -> list[int]:
        """Return the lots that may be somebody else's, (n_instruments,): those held outside, and
        all that a standing difference has brought. What another one took is not set against it.
        """
        lots = [max(0, held) for held in self.outside or [0] * self.setup.n_instruments]
        for difference in self.differences:
            if difference.instrument >= 0:
                lots[difference.instrument % len(lots)] += max(0, difference.lots)
        return lots

    def take(self, at_ms: int, event: Event, effects: Sequence[Effect]) -> None:
        """Take the next journaled event, and what followed from it."""
        self.at_ms = max(self.at_ms, at_ms)
        self.stopped = isinstance(event, Stopping)
        self._reported(event)
        for effect in effects:
            self._fact(effect)

    def _reported(self, event: Event) -> None:
        match event:
            case AccountSeen() if event.complete and self.outside is None and not self.orders:
                if event.as_of_ms >= self.booked_ms:
                    n, unsettled = len(event.lots), self.unsettled
                    self.outside = [
                        seen - sum(self.lots[i::n]) - unsettled[i]
                        for i, seen in enumerate(event.lots)
                    ]
            case OrderAccepted() if event.client_id in self.orders:
                self.orders[event.client_id].working = True
            case OrderAmended() if event.client_id in self.orders:
                self.orders[event.client_id].lots = event.lots
            case _:
                pass

    def _fact(self, effect: Effect) -> None:
        match effect:
            case SubmitOrder():
                self.orders[effect.client_id] = JournaledOrder(
                    effect.client_id, effect.instrument, effect.kind, effect.lots,
                    effect.send_by_ms,
                )  # fmt: skip
            case OrderMoved() if effect.status in ENDS:
                self.orders.pop(effect.client_id, None)
            case ExecutionBooked():
                self.lots[effect.instrument] += effect.lots
                self.executions.add((effect.client_id, effect.exec_id))
                self.booked_ms = self.at_ms
            case DifferenceFound():
                self.differences.append(effect)
            case DifferenceSettled():
                self._settle(effect)
            case ResidueLeft() if self.outside is not None:
                self.outside[effect.instrument % self.setup.n_instruments] += effect.lots
            case HoldingTaken(adopted=True) if self.outside is not None:
                self.outside[effect.instrument % self.setup.n_instruments] -= effect.lots
            case _:
                pass

    def _settle(self, fact: DifferenceSettled) -> None:
        """Take a difference as settled; a fact without its id stands for all of the instrument."""
        if fact.difference:
            self.differences = [d for d in self.differences if d.id != fact.difference]
        else:
            self.differences = [d for d in self.differences if d.instrument != fact.instrument]
        if fact.instrument >= 0 and self.outside is not None:
            self.outside[fact.instrument % self.setup.n_instruments] += fact.lots


class _Order(msgspec.Struct):
    client_id: str
    instrument: int
    kind: str
    lots: int
    send_by_ms: int
    life: str = "intended"
    exec_ids: list[str] = []


class _Stored(msgspec.Struct):
    """The part of a snapshot that counts here; see ``core.snapshot.Snapshot``."""

    layout: _Layout
    arrays: dict[str, bytes]
    at_ms: int
    orders: list[_Order]
    ended: list[_Order]
    differences: list[DifferenceFound]
    account_known: bool
    outside_lots: list[int]


class _Layout(msgspec.Struct):
    arrays: dict[str, tuple[str, tuple[int, ...]]]


def journal_ledger(folder: Path) -> JournalLedger:
    """Return the ledger at the end of a journal.

    Raises ExternalError where the journal is not there, damaged, or of another version.
    """
    setup = setup_of(folder)
    if setup is None:
        raise ExternalError(f"{folder} has no journal: there is nothing to stop")
    found, seq, start = None, 0, START
    stored = anchored_snapshot(folder)
    if stored is not None:
        seq, start = stored.seq, stored.anchor
        found = ledger_of_snapshot(stored.setup or setup, stored.state)
    ledger = found or first_ledger(setup)
    for part in JournalTail(folder, start).read(ALL_ENTRIES):
        for entry in entries_of(part) if isinstance(part, BarsStretch) else (part,):
            if entry.seq > seq:
                ledger.take(entry.at_ms, entry.event, entry.effects)
    return ledger


def first_ledger(setup: RunSetup) -> JournalLedger:
    """Return the ledger before the first event."""
    return JournalLedger(setup, [0] * len(setup.instruments), None)


def ledger_of_snapshot(setup: RunSetup, raw: bytes) -> JournalLedger:
    """Return the ledger of a snapshot; raise ExternalError for one of another version."""
    try:
        stored = msgspec.msgpack.decode(raw, type=_Stored)
        lots = _held(stored)
    except (msgspec.DecodeError, KeyError, ValueError) as error:
        raise ExternalError(
            f"{setup.environment}: its newest snapshot is of another version ({error}): use that"
            " version"
        ) from error
    ledger = JournalLedger(
        setup, lots, list(stored.outside_lots) if stored.account_known else None,
        at_ms=stored.at_ms, differences=list(stored.differences),
    )  # fmt: skip
    for order in stored.orders:
        ledger.orders[order.client_id] = JournaledOrder(
            order.client_id, order.instrument, order.kind, order.lots, order.send_by_ms,
            order.life == "working",
        )  # fmt: skip
    for order in (*stored.orders, *stored.ended):
        ledger.executions |= {(order.client_id, exec_id) for exec_id in order.exec_ids}
    return ledger


def _held(stored: _Stored) -> list[int]:
    """Return the lots of each lane: the field of the book, by the layout that the snapshot has."""
    import numpy as np

    descr, shape = stored.layout.arrays["trade.book"]
    dtype = np.lib.format.descr_to_dtype(ast.literal_eval(descr))
    book = np.frombuffer(stored.arrays["trade.book"], dtype).reshape(shape)
    return [int(lots) for lots in book["position_lots"]]
