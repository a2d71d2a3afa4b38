"""The ledger of a run as its journal has it: positions, open orders, executions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import get_args

from ares.domain.events import Effect, Event
from ares.domain.holding_events import DifferenceFound, DifferenceSettled, HoldingTaken, ResidueLeft
from ares.domain.order_events import (
    AccountSeen,
    EndReason,
    ExecutionBooked,
    OrderAmended,
    OrderFilled,
    OrderMoved,
    SubmitOrder,
)
from ares.journal.run import JournalEntry

ENDS = frozenset(get_args(EndReason))


@dataclass(slots=True)
class LedgerOrder:
    """An order that was sent and has not ended; lots are signed."""

    client_id: str
    instrument: int
    kind: str
    lots: int
    price_ticks: int
    filled_lots: int = 0
    status: str = "submitted"


@dataclass(slots=True)
class LedgerLines:
    """What the engine believes, instruments by their index.

    lots     : of the positions. outside: held by the account beside them; None: not known yet.
    dust_units, outside_rest_units : what each of them holds of a lot, in units of 1e-8 of the base
               currency.
    executions : by (client id, execution id); as reported where a fee took base currency.
    unsettled  : instruments with differences that wait for a person, and how many.
    begin_ms : when the journal begins.
    """

    n_instruments: int
    lots: list[int]
    outside: list[int] | None = None
    orders: dict[str, LedgerOrder] = field(default_factory=dict)
    executions: dict[tuple[str, str], ExecutionBooked | OrderFilled] = field(default_factory=dict)
    unsettled: dict[int, int] = field(default_factory=dict)
    begin_ms: int = 0
    dust_units: dict[int, int] = field(default_factory=dict)
    outside_rest_units: dict[int, int] = field(default_factory=dict)


def ledger_of(n_instruments: int, entries: Iterable[JournalEntry]) -> LedgerLines:
    """Return the ledger at the end of a journal."""
    ledger = LedgerLines(n_instruments, [0] * n_instruments)
    for entry in entries:
        if not ledger.begin_ms:
            ledger.begin_ms = entry.at_ms
        _reported(ledger, entry.event)
        for effect in entry.effects:
            _fact(ledger, effect, entry.event)
    return ledger


def _reported(ledger: LedgerLines, event: Event) -> None:
    if isinstance(event, AccountSeen) and event.complete and ledger.outside is None:
        ledger.outside = [seen - held for seen, held in zip(event.lots, ledger.lots, strict=True)]
        for i, rest in enumerate(event.rest_units):
            ledger.outside_rest_units[i] = rest - ledger.dust_units.get(i, 0)
    elif isinstance(event, OrderAmended) and event.client_id in ledger.orders:
        order = ledger.orders[event.client_id]
        order.lots, order.price_ticks = event.lots, event.price_ticks


def _fact(ledger: LedgerLines, effect: Effect, event: Event) -> None:
    n = ledger.n_instruments
    match effect:
        case SubmitOrder():
            ledger.orders[effect.client_id] = LedgerOrder(
                effect.client_id, effect.instrument % n, effect.kind, effect.lots,
                effect.price_ticks,
            )  # fmt: skip
        case OrderMoved() if effect.status in ENDS:
            ledger.orders.pop(effect.client_id, None)
        case OrderMoved() if effect.client_id in ledger.orders:
            ledger.orders[effect.client_id].status = effect.status
        case ExecutionBooked():
            ledger.lots[effect.instrument % n] += effect.lots
            ledger.dust_units[effect.instrument % n] = effect.dust_units
            execution: ExecutionBooked | OrderFilled = effect
            if isinstance(event, OrderFilled) and event.base_fee_units:
                execution = event
            ledger.executions[effect.client_id, effect.exec_id] = execution
            if effect.client_id in ledger.orders:
                ledger.orders[effect.client_id].filled_lots += execution.lots
        case DifferenceFound():
            i = effect.instrument % n
            ledger.unsettled[i] = ledger.unsettled.get(i, 0) + 1
        case HoldingTaken(adopted=True) if ledger.outside is not None:
            ledger.outside[effect.instrument % n] -= effect.lots
        case ResidueLeft() if ledger.outside is not None:
            ledger.outside[effect.instrument % n] += effect.lots
        case DifferenceSettled():
            i = effect.instrument % n
            if ledger.unsettled.get(i, 0) <= 1:
                ledger.unsettled.pop(i, None)
            else:
                ledger.unsettled[i] -= 1
            if ledger.outside is not None:
                ledger.outside[effect.instrument % n] += effect.lots
