"""A stop-limit that the market jumps over is no stop: what is left is sold in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ares.core.execution import wake_ms
from ares.core.orders import resize
from ares.core.price_watch import watched_ticks
from ares.core.stop_limits import TRIGGERED_MS
from ares.domain.events import BarsClosed
from ares.domain.feed_events import PriceSeen
from ares.domain.order_events import CancelOrder, StopTriggered, VenueDown, VenueUp
from ares.domain.timeframe import MINUTE_MS

if TYPE_CHECKING:
    from tests.core.conftest import TwoInstruments

LIMIT = 9_702
PROMISED_MS = 2_000


@pytest.fixture
def jumped(two_of: type[TwoInstruments]) -> TwoInstruments:
    """Return two instruments at a venue whose stops are stop-limits."""
    return with_limits(two_of)


def with_limits(two_of: type[TwoInstruments]) -> TwoInstruments:
    return two_of(msgspec.structs.replace(two_of().setup.traits, stop_limit_bps=200))


def price(two: TwoInstruments, ticks: int, lane: int = 0) -> list[Any]:
    return two.take(PriceSeen(two.at_ms, lane, ticks))


def bars(two: TwoInstruments, ticks: int, ts_ms: int) -> list[Any]:
    rows = np.tile([ticks / 100] * 4 + [5.0], (2, 1))
    return two.take(BarsClosed(ts_ms, rows.tobytes(), b"\1\0", b"\0\0"))


def test_a_price_below_the_limit_cancels_the_stop_and_sells_what_is_left(
    jumped: TwoInstruments,
) -> None:
    stop = jumped.hold()
    assert price(jumped, LIMIT - 1) == [CancelOrder(stop, 0)]
    assert jumped.orders_of(jumped.fill(stop, -4, ticks=LIMIT)) == [], "it fills during the cancel"
    assert jumped.orders_of(jumped.end(stop, "cancelled", -4)) == [("exit", -6)]


def test_a_price_at_the_limit_fills_the_stop_itself(jumped: TwoInstruments) -> None:
    jumped.hold()
    assert price(jumped, LIMIT) == []
    assert price(jumped, 9_900) == []


def test_a_triggered_stop_has_a_moment_to_fill(jumped: TwoInstruments) -> None:
    stop = jumped.hold()
    assert jumped.take(StopTriggered(stop, jumped.at_ms)) == []
    assert wake_ms(jumped.state) == jumped.at_ms + TRIGGERED_MS
    assert jumped.pass_ms(TRIGGERED_MS - 1) == []
    jumped.take(StopTriggered(stop, jumped.at_ms))  # the same word again gives it no longer
    assert jumped.pass_ms(1) == [CancelOrder(stop, 0)]


def test_the_moment_passes_though_another_event_comes_at_that_time(jumped: TwoInstruments) -> None:
    stop = jumped.hold()
    jumped.take(StopTriggered(stop, jumped.at_ms))
    price(jumped, 10_000, 1)
    jumped.take(PriceSeen(jumped.at_ms, 1, 10_000), TRIGGERED_MS + 5)
    assert wake_ms(jumped.state) <= jumped.at_ms
    assert jumped.wake() == [CancelOrder(stop, 0)]


def test_a_triggered_stop_that_fills_is_left_alone(jumped: TwoInstruments) -> None:
    stop = jumped.hold()
    jumped.take(StopTriggered(stop, jumped.at_ms))
    jumped.fill(stop, -10, ticks=9_890)
    assert jumped.held() == 0
    assert jumped.pass_ms(60_000) == []


def test_a_stop_that_sells_at_the_market_is_never_jumped(two: TwoInstruments) -> None:
    stop = two.hold()
    assert two.take(StopTriggered(stop, two.at_ms)) == []
    assert price(two, 1) == []
    assert watched_ticks(two.state) == ()
    assert two.orders_of(two.pass_ms(60_000)) == []


def test_only_prices_below_a_resting_limit_are_watched(jumped: TwoInstruments) -> None:
    assert watched_ticks(jumped.state) == ()
    stop = jumped.hold(1)
    assert watched_ticks(jumped.state) == (0, LIMIT - 1)
    price(jumped, LIMIT - 1, 1)
    assert watched_ticks(jumped.state) == (), "it is known by now"
    assert jumped.orders_of(jumped.end(stop, "cancelled", 0)) == [("exit", -10)]


def test_a_close_below_the_limit_counts_where_its_price_was_lost(jumped: TwoInstruments) -> None:
    stop = jumped.hold()
    before_ms = jumped.at_ms - 1
    assert CancelOrder(stop, 0) not in bars(jumped, LIMIT - 1, before_ms), "there was no stop then"
    jumped.at_ms += MINUTE_MS
    assert CancelOrder(stop, 0) in bars(jumped, LIMIT - 1, before_ms + MINUTE_MS)


def test_what_was_jumped_in_an_outage_is_sold_once_the_session_stands(
    jumped: TwoInstruments,
) -> None:
    stop = jumped.hold()
    jumped.take(VenueDown(jumped.at_ms))
    assert price(jumped, LIMIT - 1) == [], "nothing can be sent"
    effects = jumped.take(VenueUp(jumped.at_ms, 2), 5_000)
    assert CancelOrder(stop, 0) in effects


def test_a_jumped_stop_is_forgotten_where_it_moves_below_the_market(
    jumped: TwoInstruments,
) -> None:
    stop = jumped.hold()
    jumped.take(StopTriggered(stop, jumped.at_ms))
    order = jumped.state.orders[stop]
    assert resize(order, -10, 9_000, jumped.at_ms)
    assert order.jumped_ms == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    filled=st.integers(0, 9),
    ticks=st.integers(1, LIMIT + 300),
    is_triggered=st.booleans(),
    answer_ms=st.integers(0, 700),
)
def test_what_a_jumped_stop_left_is_for_sale_within_two_seconds(
    two_of: type[TwoInstruments], filled: int, ticks: int, is_triggered: bool, answer_ms: int
) -> None:
    """Whatever was filled before, and whichever word of the jump came."""
    two = with_limits(two_of)
    stop = two.hold()
    if filled:
        two.fill(stop, -filled, ticks=LIMIT)
    began_ms = two.at_ms
    effects = two.take(StopTriggered(stop, two.at_ms)) if is_triggered else price(two, ticks)
    effects += two.pass_ms(TRIGGERED_MS)
    if not is_triggered and ticks >= LIMIT:
        assert effects == []
        return
    assert effects.count(CancelOrder(stop, 0)) == 1
    two.at_ms += answer_ms
    assert two.orders_of(two.end(stop, "cancelled", -filled)) == [("exit", filled - 10)]
    assert two.at_ms - began_ms < PROMISED_MS
