"""What the kill command sold beside the engine is booked as its own sale by the next start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ares.core.snapshot import restore, snapshot
from ares.domain.events import EngineStarted
from ares.domain.holding_events import DifferenceFound
from ares.domain.kill_ids import kill_id
from ares.domain.order_events import (
    AccountSeen,
    ExecutionBooked,
    OrderAbsent,
    OrderEnded,
    OrderFilled,
    SubmitOrder,
)

if TYPE_CHECKING:
    from tests.core.conftest import TwoInstruments


def sold(two: TwoInstruments, lots: int, exec_id: str = "k1", lane: int = 0, n: int = 1) -> Any:
    client_id = kill_id(two.owner, lane, "deadbeef", n)
    return OrderFilled(client_id, two.at_ms, -lots, 9_900, 3, exec_id, lane)


def differences(effects: list[Any]) -> list[str]:
    return [e.kind for e in effects if isinstance(e, DifferenceFound)]


def restarted(two: TwoInstruments) -> None:
    two.take(EngineStarted({}, two.state.seq, "second"), 60_000)


def test_a_sale_of_the_kill_command_is_booked_and_no_difference(two: TwoInstruments) -> None:
    stop = two.hold(0)
    restarted(two)
    effects = two.take(sold(two, 10))
    assert differences(effects) == []
    assert two.held(0) == 10, "the stop is still looked up: it may have sold some"
    effects = two.take(OrderEnded(stop, two.at_ms, "cancelled", 0))
    booked = [e for e in effects if isinstance(e, ExecutionBooked)]
    assert [(e.lots, e.exec_id) for e in booked] == [(-10, "k1")]
    assert two.held(0) == 0
    effects = two.account(0, 0)
    assert differences(effects) == []
    assert two.halts == []


def test_the_entry_that_filled_late_is_booked_before_its_sale(two: TwoInstruments) -> None:
    entry = two.enter(0, 10)
    restarted(two)
    effects = two.take(sold(two, 10))
    effects += two.take(OrderFilled(entry, two.at_ms, 6, 10_000, 3, "late", 0))
    assert two.held(0) == 6, "the end of the entry is not known yet"
    effects += two.take(OrderFilled(entry, two.at_ms, 4, 10_000, 3, "later", 0))
    booked = [(e.lots, e.exec_id) for e in effects if isinstance(e, ExecutionBooked)]
    assert booked == [(6, "late"), (4, "later"), (-10, "k1")]
    assert differences(effects) == []
    assert not [e for e in effects if isinstance(e, SubmitOrder)], "no stop for what was sold"


def test_nothing_is_sent_until_it_is_booked(two: TwoInstruments) -> None:
    """A stop for coins that are sold could sell those of somebody else."""
    stop = two.hold(0)
    restarted(two)
    two.take(sold(two, 10))
    for absent in range(3):
        effects = two.take(OrderAbsent(stop, two.at_ms, complete=False), 1_000 + absent)
        assert not [e for e in effects if isinstance(e, SubmitOrder)]


def test_an_execution_counts_once(two: TwoInstruments) -> None:
    two.fill(two.enter(0), 10)
    for order in list(two.state.orders.values()):
        two.take(OrderEnded(order.client_id, two.at_ms, "cancelled", 0))
    held = two.held(0)
    for _ in range(3):
        two.take(sold(two, 4))
    two.take(sold(two, 3, "k2"))
    assert two.held(0) == held - 7


def test_more_than_is_held_is_a_difference(two: TwoInstruments) -> None:
    two.fill(two.enter(0), 10)
    for order in list(two.state.orders.values()):
        two.take(OrderEnded(order.client_id, two.at_ms, "cancelled", 0))
    assert differences(two.take(sold(two, 12))) == ["beyond_position"]
    assert two.held(0) == 0


@pytest.mark.parametrize(
    "client_id",
    [
        "0a0b0c0d6b696c6c00",
        kill_id("ffffffff", 0, "deadbeef", 1),
        kill_id("0a0b0c0d", 9, "0" * 8, 1),
    ],
)
def test_what_is_not_of_this_engine_stays_a_difference(two: TwoInstruments, client_id: str) -> None:
    two.hold(0)
    fill = OrderFilled(client_id, two.at_ms, -10, 9_900, 3, "x", 0)
    assert differences(two.take(fill)) == ["unknown_order"]


def test_a_snapshot_keeps_what_waits(two: TwoInstruments) -> None:
    two.hold(0)
    restarted(two)
    two.take(sold(two, 10))
    again = restore(two.setup, snapshot(two.state))
    assert again.kill_executions == two.state.kill_executions != []


def test_an_open_order_of_the_kill_command_is_none_of_another_engine(two: TwoInstruments) -> None:
    open_id = kill_id(two.owner, 0, "deadbeef", 1)
    two.take(AccountSeen(two.at_ms, two.at_ms, True, (0, 0), (open_id,)))
    assert two.halts == []
