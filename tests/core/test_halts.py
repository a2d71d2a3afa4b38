"""Halts stop entries and nothing else; a difference stops what is sent for its instrument."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ares.core.execution import wake_ms
from ares.core.halts import (
    ALL,
    BY_CLOCK,
    BY_DIFFERENCE,
    BY_OPERATOR,
    BY_UNKNOWN_ORDER,
    differ,
    halt,
    is_disputed,
    lift,
)
from ares.core.snapshot import restore, snapshot
from ares.domain.holding_events import DifferenceFound
from ares.domain.order_events import CancelOrder, HaltChanged, VenueUp

if TYPE_CHECKING:
    from tests.core.conftest import TwoInstruments


def flags(two: TwoInstruments) -> tuple[int, int, int]:
    """Return what the kernel looks at before an entry: of all, of each instrument."""
    trade = two.state.trade
    return (int(trade.account[0]["halted"]), *map(int, trade.book["halted"]))  # type: ignore[return-value] # of two instruments


def test_a_halt_is_one_fact_however_often_it_is_given(two: TwoInstruments) -> None:
    state = two.state
    assert halt(state, 1, BY_OPERATOR, needs_person=True) == [
        HaltChanged(1, two.at_ms, True, BY_OPERATOR, True)
    ]
    assert halt(state, 1, BY_OPERATOR, needs_person=True) == []
    assert flags(two) == (0, 0, 1)
    assert lift(state, 0, BY_OPERATOR) == lift(state, 1, BY_CLOCK) == []
    assert lift(state, 1, BY_OPERATOR) == [HaltChanged(1, two.at_ms, False, BY_OPERATOR, True)]
    assert lift(state, 1, BY_OPERATOR) == []
    assert flags(two) == (0, 0, 0)


def test_entries_stay_halted_until_the_last_reason_is_gone(two: TwoInstruments) -> None:
    state = two.state
    halt(state, ALL, BY_CLOCK)
    halt(state, ALL, BY_OPERATOR, needs_person=True)
    halt(state, 0, BY_OPERATOR, needs_person=True)
    assert flags(two) == (1, 1, 0)
    lift(state, ALL, BY_CLOCK)
    assert flags(two) == (1, 1, 0)
    lift(state, ALL, BY_OPERATOR)
    assert flags(two) == (0, 1, 0)
    again = restore(two.setup, snapshot(state))
    assert again.halts == state.halts, "a halt outlives a restart"


def test_stops_and_exits_are_never_halted(two: TwoInstruments) -> None:
    entry = two.enter(0)
    for scope in (ALL, 0):
        halt(two.state, scope, BY_OPERATOR, needs_person=True)
    assert two.orders_of(two.fill(entry, 10)) == [("stop", -10)]
    stop = two.state.lane_orders[0].stop
    two.accept(stop)
    assert two.leave(0) == [CancelOrder(stop, 0)]
    assert two.orders_of(two.end(stop, "cancelled")) == [("exit", -10)]


def test_a_difference_halts_its_instrument_until_a_person_ends_it(two: TwoInstruments) -> None:
    found, changed = differ(two.state, 1, "balance", "3 lots more", lots=3)
    assert found == DifferenceFound(1, two.at_ms, "balance", "3 lots more", "", 3, 0, 0)
    assert changed == HaltChanged(1, two.at_ms, True, BY_DIFFERENCE, True)
    assert [is_disputed(two.state, lane) for lane in (0, 1)] == [False, True]
    assert len(differ(two.state, 1, "balance", "again")) == 1, "the halt stands already"
    assert len(two.state.differences) == 2


def test_nothing_is_sent_at_all_while_orders_of_another_engine_are_open(
    two: TwoInstruments,
) -> None:
    """A second engine, or a lost journal: it may sell the same lots. Until a person has looked
    neither lane gets an order, and no deadline asks for one.
    """
    stop = two.hold(0)
    two.account(10, 0, ids=(stop, two.owner + "0" * 24))
    assert two.halts == [(ALL, BY_UNKNOWN_ORDER)]
    assert [is_disputed(two.state, lane) for lane in (0, 1)] == [True, True]
    assert two.leave(0) == []
    assert two.orders_of(two.end(stop, "expired")) == []
    assert two.orders_of(two.take(VenueUp(two.at_ms, 2))) == []
    assert two.orders_of(two.pass_ms(600_000)) == []
    assert wake_ms(two.state) == two.state.account_due_ms, "only balances are asked for again"
    effects = two.command("resume")
    assert HaltChanged(ALL, two.at_ms, False, BY_UNKNOWN_ORDER, True) in effects
    assert two.orders_of(effects) == [("exit", -10)]
    assert not is_disputed(two.state, 0)


def test_a_difference_goes_on_holding_its_instrument_after_a_resume(two: TwoInstruments) -> None:
    two.hold(0)
    stop = two.hold(1)
    differ(two.state, 1, "balance", "more", lots=3)
    halt(two.state, ALL, BY_UNKNOWN_ORDER, needs_person=True)
    two.end(stop, "expired")
    assert two.orders_of(two.command("resume")) == []
    assert is_disputed(two.state, 1)
    assert two.orders_of(two.command("settle")) == [("stop", -10)]
