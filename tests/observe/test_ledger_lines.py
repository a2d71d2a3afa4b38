"""The ledger, from facts of a journal."""

from __future__ import annotations

from ares.domain.events import Effect, Event
from ares.domain.holding_events import DifferenceFound, DifferenceSettled
from ares.domain.order_events import (
    AccountSeen,
    ExecutionBooked,
    OrderAmended,
    OrderFilled,
    OrderMoved,
    SubmitOrder,
    TimeReached,
)
from ares.journal.run import JournalEntry, encode_effects
from ares.observe.ledger_lines import LedgerOrder, ledger_of


def entry(seq: int, event: Event, *effects: Effect) -> JournalEntry:
    return JournalEntry(seq, event, encode_effects(seq, list(effects)), 1_000 + seq)


def order(client_id: str, kind: str, lots: int, ticks: int, lane: int = 0) -> SubmitOrder:
    return SubmitOrder(client_id, lane, kind, lots, ticks, "signal", 0.6, 5.0, 50.0)


def booked(client_id: str, exec_id: str, lots: int, lane: int = 0) -> ExecutionBooked:
    return ExecutionBooked(client_id, lane, 5, lots, 100, 7, exec_id)


TIME = TimeReached(1)


def test_positions_orders_and_executions_follow_from_facts() -> None:
    ledger = ledger_of(
        2,
        [
            entry(1, AccountSeen(1, 1, False, (9, 9), ())),  # incomplete: proves nothing
            entry(2, AccountSeen(1, 1, True, (40, 5), ())),
            entry(3, TIME, order("a", "entry", 10, 101)),
            entry(4, TIME, OrderMoved("a", 0, 5, "accepted"), booked("a", "x1", 4)),
            entry(5, TIME, booked("a", "x2", 6), OrderMoved("a", 0, 5, "filled")),
            entry(6, TIME, order("s", "stop", -10, 90, lane=2)),
            entry(7, OrderAmended("s", 5, -8, 91), OrderMoved("s", 2, 5, "accepted")),
            entry(8, TIME, booked("s", "x3", -3, lane=2)),
            entry(9, AccountSeen(1, 1, True, (47, 5), ())),
        ],
    )
    assert ledger.lots == [7, 0]
    assert ledger.outside == [40, 5]  # of the first complete report
    assert ledger.orders == {"s": LedgerOrder("s", 0, "stop", -8, 91, -3, "accepted")}
    assert set(ledger.executions) == {("a", "x1"), ("a", "x2"), ("s", "x3")}
    assert ledger.begin_ms == 1_001


def test_a_settlement_moves_what_is_held_outside() -> None:
    difference = DifferenceFound(0, 5, "balance", "d", "", -2, 0, 0)
    begin = [entry(1, AccountSeen(1, 1, True, (40,), ())), entry(2, TIME, difference)]
    assert ledger_of(1, begin).unsettled == {0: 1}
    settled = ledger_of(1, [*begin, entry(3, TIME, DifferenceSettled(0, 5, "me", -2, 0))])
    assert (settled.unsettled, settled.outside) == ({}, [38])


def test_a_fee_in_base_currency_is_kept_as_it_was_reported() -> None:
    """The position has what is left; the venue lists what was bought and what it took of it."""
    reported = OrderFilled("a", 5, 10, 100, 0, "T1", 0, base_fee_units=7)
    booked = ExecutionBooked("a", 0, 5, 9, 100, 3, "T1", 93)
    begin = [entry(1, AccountSeen(1, 1, True, (40,), (), (5,))), entry(2, reported, booked)]
    ledger = ledger_of(1, begin)
    assert (ledger.lots, ledger.dust_units, ledger.outside_rest_units) == ([9], {0: 93}, {0: 5})
    assert ledger.executions == {("a", "T1"): reported}
