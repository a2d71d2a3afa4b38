"""Ledger and venue, line by line."""

from __future__ import annotations

from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.order_events import ExecutionBooked, OrderFilled
from ares.observe.ledger_lines import LedgerLines, LedgerOrder
from ares.observe.reconciliation import ReconciledLine, reconciled
from ares.venues.statement import OpenAtVenue, Statement

SPECS = [InstrumentSpec(Instrument("kraken", "BTC/USD"), 1, 8)]
OWNER = "a1b2c3d4"
STOP, ENTRY = OWNER + "0" * 24, OWNER + "1" * 24


def ledger() -> LedgerLines:
    found = LedgerLines(1, [50_000_000], [10_000_000])
    found.orders[STOP] = LedgerOrder(STOP, 0, "stop", -50_000_000, 350_000, 0, "accepted")
    booked = ExecutionBooked(ENTRY, 0, 5, 50_000_000, 370_000, 1_200, "T1")
    found.executions[ENTRY, "T1"] = booked
    return found


def filled(client_id: str = ENTRY, exec_id: str = "T1", fee: int = 1_200) -> OrderFilled:
    return OrderFilled(client_id, 9, 50_000_000, 370_000, fee, exec_id, 0)


REST = OpenAtVenue(STOP, "O1", 0, -50_000_000, 0, 350_000)


def differing(
    statement: Statement, own: LedgerLines | None = None
) -> dict[tuple[str, str], ReconciledLine]:
    lines = reconciled(own or ledger(), statement, SPECS, OWNER)
    return {(line.kind, line.name): line for line in lines if line.differs}


def test_what_agrees_to_the_last_unit_is_no_difference() -> None:
    statement = Statement((60_000_000,), (REST,), (filled(),), True)
    lines = reconciled(ledger(), statement, SPECS, OWNER)
    assert [line.differs for line in lines] == [False] * 3
    balance, order, execution = lines
    assert (balance.ledger, balance.venue) == ("0.6", "0.6")
    assert "0.1 of it outside" in balance.note
    assert order.ledger == "-0.5 at 35000, 0 filled"
    assert execution.venue == "0.5 at 37000, fee 0.000012"


def test_one_unit_is_a_difference() -> None:
    for statement, name in (
        (Statement((60_000_001,), (REST,), (filled(),), True), ("balance", "BTC")),
        (Statement((60_000_000,), (), (filled(),), True), ("order", STOP)),
        (Statement((60_000_000,), (REST,), (filled(fee=1_201),), True), ("execution", "T1")),
        (Statement((60_000_000,), (REST,), (), True), ("execution", "T1")),
        (
            Statement((60_000_000,), (REST,), (filled(), filled(STOP, "T2")), True),
            ("execution", "T2"),
        ),
    ):
        assert set(differing(statement)) == {name}


def test_what_is_of_somebody_else_is_noted_and_no_difference() -> None:
    other = OpenAtVenue("O9", "O9", 0, 5, 0, 1)
    statement = Statement((60_000_000,), (REST, other), (filled(), filled("O9", "T9")), True)
    assert differing(statement) == {}
    notes = {line.name: line.note for line in reconciled(ledger(), statement, SPECS, OWNER)}
    assert notes["O9"] == "not ours"
    assert "O9, not ours" in notes["T9"]


def test_an_own_order_that_the_journal_lost_is_a_difference() -> None:
    lost = OpenAtVenue(OWNER + "f" * 24, "O5", 0, 5, 0, 1)
    statement = Statement((60_000_000,), (REST, lost), (filled(),), True)
    (line,) = differing(statement).values()
    assert "its journal does not know" in line.note


def test_what_is_in_flight_or_settled_is_explained() -> None:
    own = ledger()
    own.orders[STOP].status = "submitted"
    own.executions["", "settled"] = ExecutionBooked("", 0, 5, -1, 1, 0, "settled")
    statement = Statement((60_000_000,), (), (filled(),), True)
    (line,) = differing(statement, own).values()
    assert line.note == "in flight: submitted"


def test_what_a_fee_left_of_a_lot_counts() -> None:
    spec = InstrumentSpec(Instrument("binance", "BTC/USDT"), 2, 5)
    own = LedgerLines(1, [8], [0], dust_units={0: 30}, outside_rest_units={0: 4})
    for rest, note in ((34, ""), (33, "less than a lot apart"), (1_034, "")):
        (line,) = reconciled(own, Statement((8,), (), (), True, (rest,)), [spec], "")
        assert (line.differs, line.note.startswith(note)) == (rest > 1_000, True)
