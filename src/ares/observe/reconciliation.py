"""The ledger beside the venue, line by line."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ares.domain.instrument import MONEY_DECIMALS, InstrumentSpec
from ares.domain.order_events import ExecutionBooked, OrderFilled
from ares.observe.ledger_lines import LedgerLines, LedgerOrder
from ares.venues.amounts import text_of
from ares.venues.statement import OpenAtVenue, Statement

IN_FLIGHT = ("submitted", "cancelling", "unknown")
"""Statuses in which an order may stand otherwise at the venue."""


class ReconciledLine(msgspec.Struct, frozen=True):
    """One thing, as the ledger and as the venue have it; empty: not there.

    kind   : balance, order or execution. name: of the instrument, the order, the execution.
    differs : they are not the same. note: what a person should know of it.
    """

    kind: str
    instrument: str
    name: str
    ledger: str
    venue: str
    differs: bool
    note: str = ""


def reconciled(
    ledger: LedgerLines, venue: Statement, specs: Sequence[InstrumentSpec], owner: str
) -> list[ReconciledLine]:
    """Return all lines: balances, open orders, executions; owner: begins every id of this engine.

    An order or execution of somebody else is no difference of the ledger, and is noted.
    """
    lines = [_balance(ledger, venue, i, spec) for i, spec in enumerate(specs)]
    at_venue = {order.client_id: order for order in venue.orders}
    for client_id in dict.fromkeys((*ledger.orders, *at_venue)):
        lines.append(
            _order(client_id, ledger.orders.get(client_id), at_venue.get(client_id), specs, owner)
        )
    executed = {(e.client_id, e.exec_id): e for e in venue.executions}
    for key in dict.fromkeys((*ledger.executions, *executed)):
        if not key[0]:  # by a person's word, of which no venue knows
            continue
        line = _execution(key, ledger.executions.get(key), executed.get(key), specs, owner)
        if line.ledger or line.note or line.differs:
            lines.append(line)
    return lines


def _balance(ledger: LedgerLines, venue: Statement, i: int, spec: InstrumentSpec) -> ReconciledLine:
    outside = None if ledger.outside is None else ledger.outside[i]
    decimals = max(spec.qty_decimals, MONEY_DECIMALS)
    lot: int = 10 ** (decimals - spec.qty_decimals)
    rest = ledger.dust_units.get(i, 0) + ledger.outside_rest_units.get(i, 0)
    held = (ledger.lots[i] + (outside or 0)) * lot + rest
    at_venue = venue.lots[i] * lot + (venue.rest_units[i] if venue.rest_units else 0)
    note = "a difference waits: `ares settle`" if i in ledger.unsettled else ""
    if outside is None:
        note = "what is held outside the ledger is not known yet"
    elif outside:
        note = note or f"{text_of(outside, spec.qty_decimals)} of it outside the ledger"
    if 0 < abs(held - at_venue) < lot:
        note = note or "less than a lot apart, which is not the ledger's"
    return ReconciledLine(
        "balance", spec.instrument.key, spec.instrument.base, text_of(held, decimals),
        text_of(at_venue, decimals), outside is not None and abs(held - at_venue) >= lot, note,
    )  # fmt: skip


def _order(
    client_id: str,
    ledger: LedgerOrder | None,
    venue: OpenAtVenue | None,
    specs: Sequence[InstrumentSpec],
    owner: str,
) -> ReconciledLine:
    found = ledger or venue
    assert found is not None
    spec = specs[found.instrument]
    own = "" if ledger is None else _order_text(ledger, spec)
    other = "" if venue is None else _order_text(venue, spec)
    if ledger is None:
        is_own = bool(owner) and client_id.startswith(owner)
        note = "an order of this engine that its journal does not know" if is_own else "not ours"
        return ReconciledLine("order", spec.instrument.key, client_id, own, other, is_own, note)
    note = f"in flight: {ledger.status}" if ledger.status in IN_FLIGHT else ""
    return ReconciledLine("order", spec.instrument.key, client_id, own, other, own != other, note)


def _order_text(order: LedgerOrder | OpenAtVenue, spec: InstrumentSpec) -> str:
    lots, filled = (text_of(n, spec.qty_decimals) for n in (order.lots, order.filled_lots))
    price = text_of(order.price_ticks, spec.price_decimals)
    return f"{lots} at {price if order.price_ticks else 'the market'}, {filled} filled"


def _execution(
    key: tuple[str, str],
    ledger: ExecutionBooked | OrderFilled | None,
    venue: OrderFilled | None,
    specs: Sequence[InstrumentSpec],
    owner: str,
) -> ReconciledLine:
    client_id, exec_id = key
    found = ledger or venue
    assert found is not None
    spec = specs[found.instrument % len(specs)]
    own = "" if ledger is None else _execution_text(ledger, spec)
    other = "" if venue is None else _execution_text(venue, spec)
    is_own = ledger is not None or (bool(owner) and client_id.startswith(owner))
    note = "" if is_own else f"of order {client_id}, not ours"
    return ReconciledLine(
        "execution", spec.instrument.key, exec_id, own, other, is_own and own != other, note
    )


def _execution_text(execution: ExecutionBooked | OrderFilled, spec: InstrumentSpec) -> str:
    lots = text_of(execution.lots, spec.qty_decimals)
    price = text_of(execution.price_ticks, spec.price_decimals)
    text = f"{lots} at {price}, fee {text_of(execution.fee_units, MONEY_DECIMALS)}"
    if isinstance(execution, OrderFilled) and execution.base_fee_units:
        base_fee = text_of(execution.base_fee_units, MONEY_DECIMALS)
        text += f" and {base_fee} {spec.instrument.base}"
    return text
