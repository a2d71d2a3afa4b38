"""What is too large for one order is split; never more is for sale than is held."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.core.execution import RETRY_MS, UNPROTECTED_MS_MAX, work
from ares.core.orders import Order, Request, placed_orders
from ares.core.pieces import PIECES_MAX, for_sale, pieces_of, remaining_wanted
from ares.domain.order_events import AmendOrder, CancelOrder, OrderAmended

if TYPE_CHECKING:
    from tests.core.conftest import TwoInstruments

LOTS = st.integers(1, 5_000)


def stop_of(lots: int, filled: int = 0, amended: int = 0) -> Order:
    return Order(
        "s", 0, "stop", -lots, 9_900, "stop", 0.6, 9.0, 100.0, 9_900, 1, 1, 0, 0,
        filled_lots=-filled, amended_lots=amended,
    )  # fmt: skip


@given(lots=LOTS, most=st.integers(0, 900), n_open=st.integers(0, PIECES_MAX))
def test_pieces_are_all_of_it_and_none_is_too_large(lots: int, most: int, n_open: int) -> None:
    pieces = list(pieces_of(lots, most, n_open))
    assert len(pieces) <= PIECES_MAX - n_open
    assert all(0 < piece <= (most or lots) for piece in pieces)
    assert sum(pieces) == lots or len(pieces) == PIECES_MAX - n_open


@given(
    sizes=st.lists(st.tuples(st.integers(1, 100), st.integers(0, 120)), max_size=5),
    held=st.integers(0, 600), most=st.sampled_from([0, 30, 100]),
)  # fmt: skip
def test_stops_grow_or_shrink_to_what_is_held(
    sizes: list[tuple[int, int]], held: int, most: int
) -> None:
    stops = [stop_of(lots, min(lots, filled)) for lots, filled in sizes]
    before = [-stop.remaining_lots for stop in stops]
    wanted, missing = remaining_wanted(stops, held, most)
    assert sum(wanted) + missing == held
    changes = [after - then for after, then in zip(wanted, before, strict=True)]
    assert all(c >= 0 for c in changes) or all(c <= 0 for c in changes)
    assert all(
        lots <= then or not most or lots + abs(stop.filled_lots) <= most
        for stop, lots, then in zip(stops, wanted, before, strict=True)
    )
    assert missing == 0 or not stops or most, "a stop that may grow needs no other beside it"


def test_what_an_amendment_may_have_added_is_for_sale() -> None:
    """Otherwise another stop grew by the same lots, and more was for sale than was held."""
    growing = stop_of(60, amended=80)
    assert remaining_wanted([growing, stop_of(40)], 120, 100) == ([60, 60], 0)
    growing.amend = Request.SENT
    assert remaining_wanted([growing, stop_of(40)], 120, 100) == ([80, 40], 0)
    growing.amend = Request.REFUSED  # it may still arrive
    assert remaining_wanted([growing, stop_of(40)], 120, 100) == ([80, 40], 0)
    assert for_sale([stop_of(60, filled=10), stop_of(5)]) == 55


# --- the engine ----------------------------------------------------------------------------------


@pytest.fixture
def large(two_of: type[TwoInstruments]) -> TwoInstruments:
    """Return a state whose venue takes no order larger than 10 lots, which holds 25."""
    two = two_of()
    entry = two.enter(0, 25)
    two.state.params.specs["order_lots_max"] = 10
    two.fill(entry, 25)
    return two


def ids(two: TwoInstruments, kind: str) -> list[str]:
    return [o.client_id for o in placed_orders(two.state.lane_orders[0], kind, two.state.orders)]


def sizes(two: TwoInstruments, kind: str) -> list[int]:
    return [o.lots for o in placed_orders(two.state.lane_orders[0], kind, two.state.orders)]


def test_a_stop_that_is_too_large_rests_in_pieces(large: TwoInstruments) -> None:
    assert sizes(large, "stop") == [-10, -10, -5]
    for id_ in ids(large, "stop"):
        large.accept(id_)
    assert large.state.lane_orders[0].unprotected_ms == 0
    assert work(large.state, 0) == []
    assert large.pass_ms(60_000) == [], "nothing is missing"


def test_pieces_of_a_stop_fill_in_any_order(large: TwoInstruments) -> None:
    first, second, third = ids(large, "stop")
    for id_ in (first, second, third):
        large.accept(id_)
    large.fill(second, -10, ticks=9_900)
    large.fill(first, -4, ticks=9_900)
    assert ids(large, "stop") == [first, third]
    large.fill(first, -6, ticks=9_900)
    assert ids(large, "stop") == [third]
    large.fill(third, -5, ticks=9_900)
    assert (large.held(), ids(large, "stop"), large.state.differences) == (0, [], [])


def test_a_piece_that_the_venue_drops_is_placed_again(large: TwoInstruments) -> None:
    first, second, third = ids(large, "stop")
    for id_ in (first, second, third):
        large.accept(id_)
    effects = large.end(second, "cancelled") + large.pass_ms(UNPROTECTED_MS_MAX)
    assert AmendOrder(third, 0, -10, 9_900) in effects
    assert large.orders_of(effects) == [("stop", -5)]
    large.take(OrderAmended(third, large.at_ms, -10, 9_900))
    assert for_sale(placed_orders(large.state.lane_orders[0], "stop", large.state.orders)) == 25


def test_a_piece_that_cannot_be_placed_has_all_sold(large: TwoInstruments) -> None:
    """A part of a position without a stop is a position without a stop."""
    first, second, third = ids(large, "stop")
    large.accept(first)
    large.accept(second)
    large.end(third, "rejected")
    effects = []
    for _ in range(20):
        effects = large.wake()
        rejected = [id_ for id_ in ids(large, "stop") if id_ not in (first, second)]
        if CancelOrder(first, 0) in effects:
            break
        for id_ in rejected:
            large.end(id_, "rejected")
    assert [CancelOrder(first, 0), CancelOrder(second, 0)] == effects[:2]
    large.end(first, "cancelled")
    assert large.orders_of(large.end(second, "cancelled")) == [
        ("exit", -10), ("exit", -10), ("exit", -5),
    ]  # fmt: skip


def test_pieces_that_are_rejected_together_are_one_failure(two: TwoInstruments) -> None:
    """Each was counted, and a position waited for half a minute after a single try."""
    entry = two.enter(0, 20)
    two.state.params.specs["order_lots_max"] = 1
    two.fill(entry, 20)
    for id_ in ids(two, "stop"):
        two.end(id_, "rejected")
    assert two.state.lane_orders[0].failures == 1
    assert len(two.orders_of(two.pass_ms(RETRY_MS))) == 20


def test_an_exit_that_is_too_large_is_sold_in_pieces_at_once(large: TwoInstruments) -> None:
    stops = ids(large, "stop")
    for id_ in stops:
        large.accept(id_)
    assert large.leave(0) == [CancelOrder(id_, 0) for id_ in stops]
    effects = [large.orders_of(large.end(id_, "cancelled")) for id_ in stops]
    assert effects == [[], [], [("exit", -10), ("exit", -10), ("exit", -5)]]
    first, second, third = ids(large, "exit")
    large.fill(third, -5)
    assert large.orders_of(large.end(first, "rejected")) == []
    assert large.orders_of(large.pass_ms(1_000)) == [("exit", -10)]
    large.fill(second, -10)
    large.fill(ids(large, "exit")[0], -10)
    assert (large.held(), large.state.orders, large.state.differences) == (0, {}, [])


def test_a_growing_position_makes_the_last_piece_larger_first(large: TwoInstruments) -> None:
    for id_ in ids(large, "stop"):
        large.accept(id_)
    third = ids(large, "stop")[2]
    large.at_ms += 1_000
    effects = large.fill(large.enter(0, 7), 7)
    assert AmendOrder(third, 0, -10, 9_900) in effects
    assert large.orders_of(effects) == [("stop", -2)]
    large.take(OrderAmended(third, large.at_ms, -10, 9_900))
    assert sizes(large, "stop") == [-10, -10, -10, -2]


def test_orders_beyond_what_a_venue_holds_follow_as_others_end(two: TwoInstruments) -> None:
    entry = two.enter(0, 50)
    two.state.params.specs["order_lots_max"] = 1
    two.fill(entry, 50)
    assert len(ids(two, "stop")) == PIECES_MAX
    two.leave(0)
    for id_ in ids(two, "stop"):
        two.end(id_, "cancelled")
    assert len(ids(two, "exit")) == PIECES_MAX
    assert two.orders_of(two.fill(ids(two, "exit")[0], -1)) == [("exit", -1)]
