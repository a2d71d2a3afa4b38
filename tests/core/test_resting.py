"""Entries that rest: their price, their end, and a refusal that is no failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from ares.core.execution import wake_ms
from ares.domain.events import SignalRefused
from ares.domain.order_events import CancelOrder, CancelRefused, OrderAccepted, OrderFilled
from ares.kernel.trade.layout import BREAKER_FAILURES

if TYPE_CHECKING:
    from tests.core.conftest import TwoInstruments

REST_MS = 30_000


@pytest.fixture
def resting(two: TwoInstruments) -> TwoInstruments:
    """Return two instruments whose entries rest for half a minute."""
    two.state.setup = msgspec.structs.replace(two.state.setup, entry_rest_ms=REST_MS)
    return two


def test_an_entry_is_cancelled_after_its_time(resting: TwoInstruments) -> None:
    entry = resting.enter()
    resting.accept(entry)
    assert CancelOrder(entry, 0) not in resting.pass_ms(REST_MS - 1)
    assert CancelOrder(entry, 0) in resting.pass_ms(1)
    assert resting.orders_of(resting.end(entry, "cancelled", 0)) == []
    assert int(resting.state.trade.account[0]["failures"]) == 0


def test_a_refused_cancel_of_it_is_tried_again(resting: TwoInstruments) -> None:
    entry = resting.enter()
    resting.accept(entry)
    resting.pass_ms(REST_MS)
    resting.take(CancelRefused(entry, resting.at_ms))
    resting.take(OrderAccepted(entry, resting.at_ms))
    assert CancelOrder(entry, 0) in resting.pass_ms(5_000)


def test_an_entry_that_would_take_is_refused_and_no_failure(resting: TwoInstruments) -> None:
    entry = resting.enter()
    failures = int(resting.state.trade.account[0]["failures"])
    effects = resting.end(entry, "would_take", 0)
    (refused,) = [effect for effect in effects if isinstance(effect, SignalRefused)]
    assert (refused.code, refused.instrument, refused.p) == ("would_take", 0, 0.6)
    account = resting.state.trade.account[0]
    assert int(account["failures"]) == failures
    assert int(account["execution_count"]) == 0
    assert int(account["breaker_status"][BREAKER_FAILURES]) == 0
    assert resting.state.lane_orders[0].entry == ""
    assert int(resting.state.trade.book[0]["entry_open_lots"]) == 0


def test_what_it_buys_has_its_stop_while_it_rests(resting: TwoInstruments) -> None:
    entry = resting.enter()
    assert resting.orders_of(resting.fill(entry, 4)) == [("stop", -4)]


def test_an_entry_that_takes_at_once_is_not_timed(two: TwoInstruments) -> None:
    entry = two.enter()
    two.accept(entry)
    assert CancelOrder(entry, 0) not in two.pass_ms(4_000)
    assert wake_ms(two.state)


def test_its_price_is_the_deciding_close(resting: TwoInstruments) -> None:
    resting.enter()
    (order,) = resting.state.orders.values()
    assert order.expected_ticks == 10_000


def disputed(resting: TwoInstruments) -> str:
    """Let an entry rest in an instrument in which a person traded; return its client id."""
    entry = resting.enter()
    resting.accept(entry)
    resting.take(OrderFilled("app", resting.at_ms, 3, 10_000, 0, "e1", 0))
    return entry


def test_an_entry_in_a_disputed_instrument_is_cancelled_after_its_time(
    resting: TwoInstruments,
) -> None:
    entry = disputed(resting)
    assert CancelOrder(entry, 0) not in resting.pass_ms(REST_MS - 1)
    assert CancelOrder(entry, 0) in resting.pass_ms(1)
    resting.take(CancelRefused(entry, resting.at_ms))
    resting.take(OrderAccepted(entry, resting.at_ms))
    assert CancelOrder(entry, 0) in resting.pass_ms(5_000)


@pytest.mark.parametrize("verb", ["halt", "flatten"])
def test_a_person_withdraws_an_entry_in_a_disputed_instrument(
    resting: TwoInstruments, verb: str
) -> None:
    entry = disputed(resting)
    effects = resting.command(verb, reason="x")
    assert CancelOrder(entry, 0) in effects
    assert resting.orders_of(effects) == []
