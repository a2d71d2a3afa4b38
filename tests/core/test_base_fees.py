"""Fees in base currency: what is held, what it cost, and what is left of a lot, are exact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ares.core.snapshot import restore, snapshot
from ares.domain.events import Effect
from ares.domain.order_events import AccountSeen, ExecutionBooked, OrderFilled

if TYPE_CHECKING:
    from tests.core.conftest import TwoInstruments

LOT = 100_000
"""Units of 1e-8 of the base currency in a lot: quantities have 3 decimals."""

UNITS = 1_000 * 10_000
"""Money units of one lot at 10,000 ticks."""


def bought(two: TwoInstruments, client_id: str, lots: int, base_fee: int) -> list[Effect]:
    """Let an order be filled, with a fee in base currency."""
    exec_id = f"e{len(two.state.ended) + len(two.state.orders)}-{lots}-{two.at_ms}"
    two.at_ms += 1
    return two.take(
        OrderFilled(client_id, two.at_ms, lots, 10_000, 0, exec_id, 0, base_fee_units=base_fee)
    )


def holds(two: TwoInstruments) -> int:
    """Return the ledger's units of the first base currency."""
    return two.held() * LOT + two.state.dust_units[0]


def test_a_fee_leaves_the_position_and_the_rest_of_a_lot_is_dust(two: TwoInstruments) -> None:
    cash = two.cash
    entry = two.enter(0)
    effects = bought(two, entry, 10, LOT + 7)
    (booked,) = (e for e in effects if isinstance(e, ExecutionBooked))
    assert (booked.lots, booked.dust_units) == (8, LOT - 7)
    assert booked.fee_units == 2 * UNITS, "what it cost beside the lots that are held"
    assert (two.held(), two.cash) == (8, cash - 10 * UNITS)
    assert entry in two.state.ended, "it was filled whole"
    assert int(two.state.trade.book[0]["stop_lots"]) == 8


def test_dust_counts_with_the_next_purchase(two: TwoInstruments) -> None:
    """Fifty partial fills lose less than a lot together, not each."""
    cash, entry = two.cash, two.enter(0)
    for _ in range(10):
        bought(two, entry, 1, LOT // 10)
    assert (two.held(), two.state.dust_units[0], two.cash) == (9, 0, cash - 10 * UNITS)


def test_a_fill_of_which_a_fee_leaves_no_lot_is_paid_for(two: TwoInstruments) -> None:
    cash, entry = two.cash, two.enter(0)
    effects = bought(two, entry, 1, 1)
    assert [(e.lots, e.fee_units) for e in effects if isinstance(e, ExecutionBooked)] == [
        (0, UNITS)
    ]
    assert (two.held(), two.cash) == (0, cash - UNITS)
    bought(two, entry, 1, 1)
    assert (two.held(), two.state.dust_units[0], two.cash) == (1, LOT - 2, cash - 2 * UNITS)
    two.end(entry, "cancelled", 2)
    assert two.state.differences == []


def test_balances_are_compared_with_the_dust(two: TwoInstruments) -> None:
    entry = two.enter(0)
    bought(two, entry, 10, LOT + 7)
    two.accept(two.state.lane_orders[0].stop)
    for rest, found in ((LOT - 7, False), (0, False), (LOT - 7 + LOT, True)):
        two.at_ms += 100_000
        for _ in range(20):
            two.at_ms += 5_000
            two.end(entry, "filled", 10)
            two.take(AccountSeen(two.at_ms, two.at_ms, True, (8, 0), tuple(two.state.orders),
                                 (rest, 0)))  # fmt: skip
        assert bool(two.state.differences) == found, rest


def test_what_somebody_else_bought_is_a_difference_of_what_is_left(two: TwoInstruments) -> None:
    bought(two, "theirs", 5, 3)
    (difference,) = two.state.differences
    assert (difference.lots, difference.fee_units) == (4, UNITS)
    assert two.state.outside_rest_units[0] == LOT - 3


def test_a_sale_with_a_fee_in_base_currency_takes_no_more_than_is_held(two: TwoInstruments) -> None:
    entry = two.enter(0)
    bought(two, entry, 10, 0)
    stop = two.state.lane_orders[0].stop
    two.accept(stop)
    bought(two, stop, -10, 5)
    assert (two.held(), holds(two)) == (0, -5)


def test_a_snapshot_keeps_it(two: TwoInstruments) -> None:
    bought(two, two.enter(0), 10, LOT + 7)
    again = restore(two.setup, snapshot(two.state))
    assert (again.dust_units, again.outside_rest_units) == (
        two.state.dust_units, two.state.outside_rest_units
    )  # fmt: skip
