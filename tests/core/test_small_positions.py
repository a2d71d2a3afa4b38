"""A position that is too small for a stop at the venue is protected here, or named once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ares.core.execution import wake_ms, work
from ares.core.price_watch import watched_ticks
from ares.core.small_positions import MARGIN, fits
from ares.domain.feed_events import PriceSeen
from ares.domain.holding_events import ResidueLeft
from ares.domain.order_events import (
    AmendOrder,
    CancelOrder,
    ExecutionBooked,
    StopMissing,
    SubmitOrder,
)

if TYPE_CHECKING:
    from tests.core.conftest import TwoInstruments

LOTS_MIN = 5
UNITS_MIN = 60_000_000
"""0.6 of the quote currency: 6 lots of 0.001 at 100."""


def small_of(two_of: type[TwoInstruments], lots_min: int = LOTS_MIN) -> TwoInstruments:
    two = two_of(msgspec.structs.replace(two_of().setup.traits, refuses_small=True))
    two.state.params.specs["order_lots_min"] = lots_min
    two.state.params.specs["cost_units_min"] = UNITS_MIN
    return two


@pytest.fixture
def small(two_of: type[TwoInstruments]) -> TwoInstruments:
    """Return two instruments at a venue that takes no order below 5 lots, or 0.6."""
    return small_of(two_of)


def bought(two: TwoInstruments, lots: int, of: int = 100, ticks: int = 10_000) -> list[Any]:
    """Buy a part of an entry, whose rest the venue cancels."""
    entry = two.enter(lots=of)
    effects = two.fill(entry, lots, ticks=ticks)
    return effects + two.end(entry, "expired", lots)


def price(two: TwoInstruments, ticks: int) -> list[Any]:
    return two.take(PriceSeen(two.at_ms, 0, ticks))


def residues(effects: list[Any]) -> list[ResidueLeft]:
    return [effect for effect in effects if isinstance(effect, ResidueLeft)]


def test_a_stop_that_the_venue_takes_rests_there(small: TwoInstruments) -> None:
    assert small.orders_of(bought(small, 7)) == [("stop", -7)]
    assert watched_ticks(small.state) == ()


def test_a_stop_below_the_smallest_cost_is_held_here(small: TwoInstruments) -> None:
    """7 lots cost 0.7 and may be sold; at a stop of 8,000 they would bring 0.56."""
    two = small
    entry = two.enter(lots=100)
    two.state.orders[entry].barrier_bps = 2_000.0
    assert two.orders_of(two.fill(entry, 7)) == []
    assert two.orders_of(two.end(entry, "expired", 7)) == []
    assert watched_ticks(two.state) == (8_658, 0), "the lowest price at which they can be sold"
    assert two.orders_of(two.pass_ms(120_000)) == [], "nothing is tried meanwhile"
    assert price(two, 8_659) == []
    effects = price(two, 8_658)
    assert two.orders_of(effects) == [("exit", -7)]
    exit_id = two.state.lane_orders[0].exit
    two.fill(exit_id, -7, ticks=8_657)
    assert two.held() == 0
    assert watched_ticks(two.state) == ()


def test_what_is_near_the_smallest_cost_is_sold_while_it_can_be(small: TwoInstruments) -> None:
    """6 lots bring 0.6 now, and less at any price below."""
    assert small.orders_of(bought(small, 6)) == [("exit", -6)]


@pytest.mark.parametrize("lots", [1, 4, 5])
def test_what_cannot_be_sold_is_left_once_and_needs_nobody(
    small: TwoInstruments, lots: int
) -> None:
    cash = small.cash
    effects = bought(small, lots)
    assert small.orders_of(effects) == []
    assert [(r.lots, r.price_ticks, r.units) for r in residues(effects)] == [
        (lots, 10_000, lots * 10_000_000)
    ]
    assert small.held() == 0
    assert small.state.outside_lots == [lots, 0]
    assert small.cash == cash - lots * 10_000_000, "its value leaves the capital, as a cost of none"
    later = small.pass_ms(280_000)
    assert not any(isinstance(effect, StopMissing | SubmitOrder | ResidueLeft) for effect in later)
    small.account(lots, 0)
    assert small.state.mismatch_ms == [0, 0], "the balance agrees"


def test_one_low_print_writes_no_position_off(two_of: type[TwoInstruments]) -> None:
    """All that was held became a residue at the price of one wrong trade, and had no stop."""
    two = two_of(
        msgspec.structs.replace(
            two_of().setup.traits, refuses_small=True, stop_limit_bps=200, amends_stops=False
        )
    )
    two.state.params.specs["order_lots_min"] = LOTS_MIN
    two.state.params.specs["cost_units_min"] = UNITS_MIN
    two.state.trade.book["last_close"] = 10_000
    stop = two.hold(lots=1_000)
    assert price(two, 1) == [CancelOrder(stop, 0)]
    effects = two.end(stop, "cancelled", 0)
    assert two.orders_of(effects) == [("exit", -1_000)]
    assert residues(effects) == []
    assert two.held() == 1_000


@pytest.mark.parametrize(
    ("last_close", "sent", "left"), [(10_000, [("exit", -100)], []), (40, [], [100])]
)
def test_only_a_bar_confirms_that_something_is_too_small(
    small: TwoInstruments, last_close: int, sent: list[Any], left: list[int]
) -> None:
    stop = small.hold(lots=100)
    small.leave()
    small.state.trade.book["last_close"] = last_close
    price(small, 40)
    effects = small.end(stop, "cancelled", 0)
    assert small.orders_of(effects) == sent
    assert [residue.lots for residue in residues(effects)] == left


def test_a_residue_counts_neither_as_profit_nor_as_loss(small: TwoInstruments) -> None:
    account = small.state.trade.account[0]
    realized = int(account["realized"])
    bought(small, 3)
    assert int(account["realized"]) == realized
    assert int(account["peak_equity"]) == int(account["day_equity"])


def test_the_rest_of_an_entry_is_waited_for(small: TwoInstruments) -> None:
    entry = small.enter(lots=100)
    assert small.orders_of(small.fill(entry, 3)) == []
    assert residues(small.pass_ms(1_000)) == []
    assert small.orders_of(small.fill(entry, 97)) == [("stop", -100)]


def test_what_a_partly_filled_exit_left_is_a_residue(small: TwoInstruments) -> None:
    stop = small.hold(lots=100)
    small.leave()
    small.end(stop, "cancelled", 0)
    exit_id = small.state.lane_orders[0].exit
    small.fill(exit_id, -98)
    effects = small.end(exit_id, "cancelled", -98)
    assert [r.lots for r in residues(effects)] == [2]
    assert small.held() == 0


def test_a_stop_is_not_amended_below_what_the_venue_takes(small: TwoInstruments) -> None:
    stop = small.hold(lots=100)
    small.state.trade.book[0]["position_lots"] = 3
    small.pass_ms(1_000)
    effects = small.take(PriceSeen(small.at_ms, 1, 10_000))
    assert not any(isinstance(effect, AmendOrder) for effect in effects)
    assert work(small.state, 0) == [CancelOrder(stop, 0)]


def test_a_venue_that_takes_any_size_holds_every_stop(two: TwoInstruments) -> None:
    assert two.orders_of(bought(two, 1)) == [("stop", -1)]
    assert fits(two.state, 0, 1, 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(lots=st.integers(1, 40), barrier=st.integers(1, 9_000), prices=st.lists(
    st.integers(1_000, 12_000), max_size=6))  # fmt: skip
def test_no_order_is_too_small_and_no_position_is_left_unwatched(
    two_of: type[TwoInstruments], lots: int, barrier: int, prices: list[int]
) -> None:
    """A position has a stop at the venue, is watched, is being sold, or has become a residue."""
    two = small_of(two_of)
    entry = two.enter(lots=100)
    two.state.orders[entry].barrier_bps = float(barrier)
    effects = two.fill(entry, lots) + two.end(entry, "expired", lots)
    now = 10_000
    for seen in [*prices, 10_000]:
        last_close = int(two.state.trade.book[0]["last_close"])
        for order in [e for e in effects if isinstance(e, SubmitOrder)]:
            ticks = order.price_ticks or max(now, last_close)
            assert -order.lots >= LOTS_MIN
            assert -order.lots * ticks * 1_000 >= UNITS_MIN
        held, placed = two.held(), two.state.lane_orders[0]
        watched = placed.held_ticks
        if held and not (placed.stop or placed.exit):
            stop_ticks = int(two.state.trade.book[0]["stop_ticks"])
            assert stop_ticks <= watched < now
            assert held * watched * 1_000 >= UNITS_MIN
        due_ms = wake_ms(two.state)
        assert not due_ms or due_ms > two.at_ms
        now = seen
        effects = price(two, seen) if seen <= watched else []
    assert MARGIN > 1.0
    assert sum(e.lots for e in effects if isinstance(e, ExecutionBooked)) <= 0
