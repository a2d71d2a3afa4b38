"""The one door into the ledger: each execution counts once, and only as far as it is explained."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from ares.core.orders import Life
from ares.core.snapshot import restore, snapshot
from ares.domain.events import Effect, TradeClosed
from ares.domain.holding_events import DifferenceFound
from ares.domain.order_events import (
    AmendOrder,
    CancelOrder,
    EventRefused,
    ExecutionBooked,
    GasPaid,
    OrderAmended,
    OrderEnded,
    OrderFilled,
    OrderMoved,
    QueryOrder,
)

if TYPE_CHECKING:
    from tests.core.conftest import TwoInstruments

UNITS = 1_000 * 10_000
"""Money units of one lot at 10,000 ticks: 0.001 at 100.00, in units of 1e-8."""


def booked(effects: list[Effect]) -> list[tuple[int, int]]:
    """Return lots and fee of what was booked."""
    return [(e.lots, e.fee_units) for e in effects if isinstance(e, ExecutionBooked)]


def found(effects: list[Effect]) -> list[tuple[str, int, int]]:
    """Return kind, lots and fee of the differences."""
    return [(e.kind, e.lots, e.fee_units) for e in effects if isinstance(e, DifferenceFound)]


def test_executions_in_any_order_and_by_any_way_count_once(two_of: type[TwoInstruments]) -> None:
    """The private stream, the answer to a look-up and a list of trades report the same executions,
    before or after the end of their order.
    """
    ends: set[tuple[int, int, int]] = set()
    reports = [(3, 9_990, "a"), (5, 10_000, "b"), (2, 10_010, "c"), (5, 10_000, "b"), None]
    for order in permutations(reports):
        two = two_of()
        entry = two.enter(0)
        for report in order:
            if report is None:
                two.end(entry, "filled", 10)
            else:
                lots, ticks, exec_id = report
                two.fill(entry, lots, exec_id, ticks, fee=lots)
        assert entry in two.state.ended
        assert two.state.ended[entry].filled_lots == 10
        assert not two.state.differences
        book = two.state.trade.book[0]
        ends.add((two.held(), two.cash, int(book["cost_units"])))
        assert int(book["stop_lots"]) == 10
    assert len(ends) == 1
    ((held, _, _),) = ends
    assert held == 10


def test_an_execution_counts_once_across_a_restart(two: TwoInstruments) -> None:
    entry = two.enter(0)
    two.fill(entry, 4, "a")
    two.state = restore(two.setup, snapshot(two.state))
    cash = two.cash
    assert two.fill(entry, 4, "a") == []
    assert (two.held(), two.cash) == (4, cash)
    two.fill(entry, 6, "b")
    two.state = restore(two.setup, snapshot(two.state))
    assert two.fill(entry, 6, "b") == [], "its order has ended meanwhile"
    assert two.held() == 10


def test_one_execution_id_at_two_orders_is_two_executions(two: TwoInstruments) -> None:
    two.fill(two.enter(0), 10, "x")
    entry = two.enter(1)
    assert booked(two.take(OrderFilled(entry, two.at_ms, 10, 10_000, 0, "x", 1))) == [(10, 0)]
    assert (two.held(0), two.held(1)) == (10, 10)


def test_lots_beyond_the_order_are_a_difference_with_their_share_of_the_fee(
    two: TwoInstruments,
) -> None:
    entry, cash = two.enter(0), two.cash
    effects = two.fill(entry, 13, "x", fee=100)
    assert booked(effects) == [(10, 76)]
    assert found(effects) == [("beyond_order", 3, 24)], "no unit of the fee is lost"
    assert (two.held(), two.cash) == (10, cash - 10 * UNITS - 76)
    assert two.fill(entry, 13, "x", fee=100) == []


@pytest.mark.parametrize("fee", [0, 1, 7, 99, 100, 101, 10**12 + 1, -5])
@pytest.mark.parametrize("lots", [11, 13, 1_000])
def test_the_fee_is_split_to_the_unit(two: TwoInstruments, fee: int, lots: int) -> None:
    effects = two.fill(two.enter(0), lots, "x", fee=fee)
    ((_, of_booked),) = booked(effects)
    ((_, _, of_rest),) = found(effects)
    assert of_booked + of_rest == fee
    assert int(two.state.trade.book[0]["position_fees"]) == of_booked


def test_an_execution_of_an_order_that_has_ended_whole_is_all_beyond(two: TwoInstruments) -> None:
    entry = two.enter(0)
    two.fill(entry, 10)
    cash = two.cash
    effects = two.fill(entry, 1, "late", fee=5)
    assert booked(effects) == []
    assert found(effects) == [("beyond_order", 1, 5)]
    assert (two.held(), two.cash) == (10, cash)


def test_lots_beyond_a_stop_that_filled_whole_without_its_amendment_are_a_difference(
    two: TwoInstruments,
) -> None:
    """Seed 8013: they counted as filled by an amendment that never arrived, and a second stop
    was for sale beside them.
    """
    entry = two.enter(0)
    two.fill(entry, 6)
    stop = two.state.lane_orders[0].stop
    two.accept(stop)
    two.at_ms += 1_000
    assert AmendOrder(stop, 0, -10, 9_900) in two.fill(entry, 4)
    two.take(OrderAmended(stop, two.at_ms, -6, 9_900), 10)  # what a look-up says
    two.end(stop, "filled", -6)
    two.fill(stop, -6)
    assert (two.held(), stop in two.state.ended) == (4, True)
    cash = two.cash
    effects = two.fill(stop, -1, "beyond", fee=5)
    assert booked(effects) == []
    assert found(effects) == [("beyond_order", -1, 5)]
    assert (two.held(), two.cash) == (4, cash)


def test_more_sold_than_held_never_makes_a_negative_position(two: TwoInstruments) -> None:
    """A venue that executed the stop after it had said that it was cancelled, whole."""
    stop = two.hold(0)
    two.leave(0)
    two.end(stop, "cancelled", 0)
    exit_id = two.state.lane_orders[0].exit
    two.fill(exit_id, -7)
    effects = two.fill(stop, -10, "late", fee=10)
    assert booked(effects) == [(-3, 3)]
    assert found(effects) == [("beyond_position", -7, 7)]
    assert two.held() == 0
    assert two.state.ended[stop].filled_lots == -10, "the order explains all of it"


def test_a_fill_on_the_wrong_side_is_a_difference_and_no_trade(two: TwoInstruments) -> None:
    stop = two.hold(0)
    cash = two.cash
    effects = two.fill(stop, 4, "x", fee=9)
    assert booked(effects) == []
    assert found(effects) == [("wrong_side", 4, 9)]
    assert (two.held(), two.cash) == (10, cash)
    assert two.state.orders[stop].filled_lots == 0


def test_a_late_execution_opens_a_position_that_gets_its_stop(two: TwoInstruments) -> None:
    """The venue reports an execution of a cancelled entry: the lots are ours, so they have a stop,
    that of the signal of that entry.
    """
    entry = two.enter(0)
    two.accept(entry)
    two.end(entry, "cancelled", 0)
    assert (two.held(), two.state.ended[entry].life) == (0, Life.ENDED)
    two.state.trade.book[0]["entry_barrier_bps"] = 500.0  # of a later signal
    effects = two.fill(entry, 4, "late")
    assert booked(effects) == [(4, 0)]
    assert two.orders_of(effects) == [("stop", -4)]
    assert int(two.state.trade.book[0]["stop_ticks"]) == 9_900
    assert not two.state.differences
    assert (two.held(), two.state.ended[entry].filled_lots) == (4, 4)


def test_an_end_of_more_than_is_known_is_no_end_until_the_rest_has_come(
    two: TwoInstruments,
) -> None:
    entry = two.enter(0)
    two.fill(entry, 4)
    effects = two.end(entry, "cancelled", 7)
    assert OrderMoved(entry, 0, two.at_ms, "unknown") in effects
    assert QueryOrder(entry, 0) in effects
    assert two.state.orders[entry].open
    effects = two.fill(entry, 3)
    assert OrderMoved(entry, 0, two.at_ms, "cancelled") in effects
    assert (two.held(), entry in two.state.ended) == (7, True)


def test_a_cancel_without_its_quantity_is_looked_up_before_anything_is_sold(
    two: TwoInstruments,
) -> None:
    stop = two.hold(0)
    assert two.leave(0) == [CancelOrder(stop, 0)]
    effects = two.end(stop, "cancelled", None)
    assert QueryOrder(stop, 0) in effects
    assert two.orders_of(effects) == []
    assert two.orders_of(two.fill(stop, -6)) == [], "all of it may have been executed"
    effects = two.end(stop, "cancelled", -6)
    assert two.orders_of(effects) == [("exit", -4)]


def test_an_end_of_less_than_was_executed_is_a_difference(two: TwoInstruments) -> None:
    entry = two.enter(0)
    two.fill(entry, 6)
    effects = two.end(entry, "cancelled", 5)
    assert found(effects) == [("beyond_order", 0, 0)]
    assert (two.held(), entry in two.state.ended) == (6, True), "what was executed is held"


def test_an_order_ends_with_its_last_lot_without_any_word_of_the_venue(two: TwoInstruments) -> None:
    entry = two.enter(0)
    effects = two.fill(entry, 10)
    assert OrderMoved(entry, 0, two.at_ms, "filled") in effects
    assert two.take(OrderEnded(entry, two.at_ms, "filled", 10)) == []


def test_gas_is_paid_from_the_account_and_is_a_cost_of_the_open_trade(two: TwoInstruments) -> None:
    stop = two.hold(0)
    account = two.state.trade.account[0]
    cash, equity = int(account["cash"]), int(account["equity"])
    assert two.take(GasPaid(two.at_ms, 0, 3 * UNITS)) == []
    assert (int(account["cash"]), int(account["equity"])) == (cash - 3 * UNITS, equity - 3 * UNITS)
    assert (int(account["gas"]), float(account["gas_recent"])) == (3 * UNITS, 3.0 * UNITS)
    (closed,) = [e for e in two.fill(stop, -10) if isinstance(e, TradeClosed)]
    assert (closed.pnl_units, closed.fees_units) == (-3 * UNITS, 3 * UNITS)
    assert int(account["gas_trades"]) == 1
    two.take(GasPaid(two.at_ms, 1, 7))
    assert int(account["gas"]) == 3 * UNITS + 7


@pytest.mark.parametrize(("instrument", "units"), [(2, 5), (-1, 5), (0, 0), (0, -5), (0, 10**18)])
def test_gas_that_cannot_be_true_is_refused(
    two: TwoInstruments, instrument: int, units: int
) -> None:
    before = snapshot(two.state)
    (effect,) = two.take(GasPaid(two.at_ms, instrument, units))
    assert isinstance(effect, EventRefused)
    two.state.seq -= 1
    assert snapshot(two.state) == before
