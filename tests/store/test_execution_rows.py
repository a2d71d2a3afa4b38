"""An order has one row, at its end: whether it executed, and what the trade it closed earned."""

from __future__ import annotations

from typing import Any

import msgspec

from ares.domain.events import TradeClosed
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.order_events import ExecutionBooked, OrderMoved, SubmitOrder
from ares.store import projection_sql as sql
from ares.store.execution_rows import ExecutionRows, ExecutionState

TRADE = TradeClosed(
    0, False, 0, 60_000, 100.0, 101.0, 1, 500_000_000, 0, 40.0, 0.6, 9.0, "take_profit", "", 0.9
)


def made(symbol: str = "BTC/USDT") -> ExecutionRows:
    return ExecutionRows("paper", [InstrumentSpec(Instrument("binance", symbol), 2, 3)])


def submit(client_id: str, kind: str) -> SubmitOrder:
    names = {"client_id": client_id, "instrument": 0, "kind": kind}
    fields: list[Any] = []
    for field in msgspec.structs.fields(SubmitOrder):
        fallback = field.default if field.default is not msgspec.NODEFAULT else 0
        fields.append(names.get(field.name, fallback))
    return SubmitOrder(*fields)


def fill(client_id: str, lots: int = 1) -> ExecutionBooked:
    return ExecutionBooked(client_id, 0, 60_000, lots, 100, 0, f"{client_id}-1")


def end(client_id: str, reason: str) -> OrderMoved:
    return OrderMoved(client_id, 0, 60_000, reason)


def test_entries_exits_and_stops() -> None:
    rows = made()
    for name, kind in (("a", "entry"), ("b", "entry"), ("s", "stop"), ("x", "exit")):
        rows.on_submit(submit(name, kind))
    assert rows.on_fill(fill("a")) == []
    found = rows.on_end(1, end("a", "filled")) + rows.on_end(2, end("b", "expired"))
    assert rows.on_end(3, end("s", "cancelled")) == []
    assert rows.on_fill(fill("x", -1)) == []
    assert rows.on_trade(TRADE) == []
    found += rows.on_end(4, end("x", "filled"))
    assert [statement for statement, _ in found] == [sql.EXECUTION] * 3
    at = "1970-01-01 00:01:00"
    assert [row for _, row in found] == [
        ("paper", 1, "BTC/USDT", at, True, None, "a", "entry", "filled", None),
        ("paper", 2, "BTC/USDT", at, False, None, "b", "entry", "expired", None),
        ("paper", 4, "BTC/USDT", at, True, 5.0, "x", "exit", "filled", 5.0),
    ]
    assert rows.state.orders == {}


def test_a_stop_that_executed_has_a_row_and_other_currencies_are_no_dollars() -> None:
    rows = made("BTC/EUR")
    rows.on_submit(submit("s", "stop"))
    rows.on_fill(fill("s", -1))
    rows.on_trade(TRADE)
    ((_, row),) = rows.on_end(1, end("s", "filled"))
    assert row[4:] == (True, None, "s", "stop", "filled", 5.0)


def test_an_execution_after_the_end_corrects_the_row() -> None:
    rows = made()
    rows.on_submit(submit("x", "exit"))
    ((_, row),) = rows.on_end(1, end("x", "cancelled"))
    assert row[4] is False
    again = made()
    again.state = msgspec.msgpack.decode(msgspec.msgpack.encode(rows.state), type=ExecutionState)
    found = again.on_fill(fill("x", -1)) + again.on_trade(TRADE)
    assert found == [
        (sql.EXECUTED_LATE, (True, None, None, "paper", "x")),
        (sql.EXECUTED_LATE, (True, 5.0, 5.0, "paper", "x")),
    ]
