"""A balance that nothing explains is a difference; and nothing is set from a balance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ares.core.balances import ENDED_MAX, SETTLE_MS
from ares.core.orders import DOUBT_MS_MAX
from ares.core.snapshot import snapshot
from ares.domain.events import EngineStarted
from ares.domain.order_events import (
    AccountSeen,
    AskAccount,
    EventRefused,
    OrderAbsent,
    OrderFilled,
    VenueDown,
    VenueUp,
)

if TYPE_CHECKING:
    from tests.core.conftest import TwoInstruments

MINUTE_MS = 60_000


def test_the_first_balances_are_the_baseline_and_no_difference(
    two_of: type[TwoInstruments],
) -> None:
    two = two_of(known=False)
    two.account(70, 5)
    assert (two.state.outside_lots, two.state.differences) == ([70, 5], [])
    two.hold(0)
    assert two.differences_of(two.account(80, 5)) == []
    two.pass_ms(2 * SETTLE_MS)
    assert two.differences_of(two.account(80, 5)) == []


def test_an_execution_reported_before_the_first_balances_is_not_counted_twice(
    two_of: type[TwoInstruments],
) -> None:
    two = two_of(known=False)
    two.take(OrderFilled("app", two.at_ms, 7, 10_000, 0, "x", 0))
    two.account(7, 0)
    for _ in range(3):
        two.at_ms += SETTLE_MS
        assert two.differences_of(two.account(7, 0)) == []
    two.command("settle")
    assert two.state.outside_lots == [7, 0]


def test_a_mismatch_must_stand_for_five_seconds(two: TwoInstruments) -> None:
    assert two.differences_of(two.account(3, 0)) == []
    two.at_ms += SETTLE_MS - 1
    assert two.differences_of(two.account(3, 0)) == []
    two.at_ms += 1
    assert two.differences_of(two.account(3, 0)) == [(0, "balance", 3)]
    for _ in range(3):
        two.at_ms += SETTLE_MS
        assert two.differences_of(two.account(3, 0)) == [], "it is known"
    two.account(4, 0)
    two.at_ms += SETTLE_MS
    assert two.differences_of(two.account(4, 0)) == [(0, "balance", 1)], "what came on top of it"


def test_a_mismatch_that_goes_away_is_none(two: TwoInstruments) -> None:
    two.account(3, 0)
    two.at_ms += SETTLE_MS - 1
    two.account(0, 0)
    two.at_ms += 1
    assert two.differences_of(two.account(3, 0)) == [], "its five seconds begin anew"


def test_the_second_look_at_a_mismatch_is_asked_for_in_time(two: TwoInstruments) -> None:
    seen_ms = two.at_ms
    two.account(0, -4)
    assert AskAccount(seen_ms + SETTLE_MS) in two.wake()
    assert two.differences_of(two.account(0, -4)) == [(1, "balance", -4)]


def test_a_mismatch_waits_for_the_answers_of_orders_that_ended(two: TwoInstruments) -> None:
    """Seed 9235: the one look-up was not answered, and the price of a lot never became known."""
    entry = two.enter(0)
    two.fill(entry, 10)
    two.accept(two.state.lane_orders[0].stop)
    two.at_ms += 60_000
    assert two.lookups_of(two.account(11, 0)) == [entry]
    for _ in range(3):
        two.at_ms += SETTLE_MS
        assert two.lookups_of(two.account(11, 0)) == [entry], "it was not answered"
    two.at_ms += 100
    two.end(entry, "filled", 11)
    two.at_ms += SETTLE_MS
    assert two.lookups_of(two.account(11, 0)) == [entry], "an execution is missing"
    two.at_ms += 100
    assert two.differences_of(two.fill(entry, 1, "beyond", fee=7)) == [(0, "beyond_order", 1)]
    assert two.state.differences[0].price_ticks == 10_000
    two.at_ms += SETTLE_MS
    assert two.account(11, 0) == []
    assert two.state.mismatch_ms == [0, 0]


def test_an_order_that_ended_fifty_minutes_before_is_looked_up_too(two: TwoInstruments) -> None:
    """Seed 30316: trading and outages kept balances from being compared for longer than before."""
    entry = two.enter(0)
    two.fill(entry, 10)
    two.accept(two.state.lane_orders[0].stop)
    two.at_ms += 3_000_000
    assert two.lookups_of(two.account(11, 0)) == [entry]


def test_every_order_that_ended_lately_is_looked_up_before_a_mismatch_is_one(
    two: TwoInstruments,
) -> None:
    """Seed 8464: later rejections hid the piece of a sale with an execution more."""
    entry = two.enter(0)
    two.fill(entry, 10)
    two.accept(two.state.lane_orders[0].stop)
    for _ in range(ENDED_MAX + 3):
        two.end(two.enter(1), "rejected")
        two.end(two.enter(0), "rejected")
    two.at_ms += 60_000
    newest = two.lookups_of(two.account(11, 0))
    assert len(newest) == ENDED_MAX
    assert entry not in newest
    two.at_ms += 100
    for order in newest:
        two.end(order, "rejected")
    two.at_ms += SETTLE_MS
    oldest = two.lookups_of(two.account(11, 0))
    assert entry in oldest
    assert not set(oldest) & set(newest)
    two.at_ms += 100
    assert two.differences_of(two.fill(entry, 1, "beyond", fee=7)) == [(0, "beyond_order", 1)]


@pytest.mark.parametrize("is_absent", [True, False])
def test_a_mismatch_that_every_answer_confirms_is_one(two: TwoInstruments, is_absent: bool) -> None:
    entry = two.enter(0)
    two.fill(entry, 10)
    two.accept(two.state.lane_orders[0].stop)
    two.at_ms += 60_000
    two.account(11, 0)
    two.at_ms += 100
    if is_absent:  # a venue that forgets what has ended
        two.take(OrderAbsent(entry, two.at_ms, True, two.at_ms))
    else:
        two.end(entry, "filled", 10)
    two.at_ms += SETTLE_MS
    assert two.differences_of(two.account(11, 0)) == [(0, "balance", 1)]


def test_a_mismatch_waits_a_minute_at_most(two: TwoInstruments) -> None:
    entry = two.enter(0)
    two.fill(entry, 10)
    two.accept(two.state.lane_orders[0].stop)
    two.at_ms += 60_000
    begun_ms = two.at_ms
    while not two.differences_of(two.account(11, 0)):
        assert two.at_ms < begun_ms + DOUBT_MS_MAX
        assert [e for e in two.wake() if isinstance(e, AskAccount)], "balances are asked for"
    assert two.at_ms == begun_ms + DOUBT_MS_MAX


def test_a_mismatch_at_a_start_is_looked_at_again_in_time(two: TwoInstruments) -> None:
    two.take(EngineStarted({}, two.state.seq, "second"), 1_000)
    two.at_ms += 100
    two.account(3, 0)
    seen_ms = two.at_ms
    assert AskAccount(seen_ms + SETTLE_MS) in two.wake()
    assert two.state.account_due_ms == two.at_ms + two.setup.traits.answer_ms, "or the answer lost"


def test_an_outage_begins_the_time_of_a_mismatch_anew(two: TwoInstruments) -> None:
    two.account(3, 0)
    two.take(VenueDown(two.at_ms, "the socket closed"), 1_000)
    two.take(VenueUp(two.at_ms, 2), 2 * DOUBT_MS_MAX)
    assert two.differences_of(two.account(3, 0)) == []


def test_what_is_on_its_way_explains_a_mismatch(two: TwoInstruments) -> None:
    entry = two.enter(0)
    two.accept(entry)
    for _ in range(3):
        two.at_ms += SETTLE_MS
        assert two.differences_of(two.account(4, 0)) == []
    two.fill(entry, 10)
    two.accept(two.state.lane_orders[0].stop)
    for _ in range(3):
        two.at_ms += SETTLE_MS
        assert two.differences_of(two.account(10, 0)) == []


def test_a_stop_that_only_rests_explains_nothing(two: TwoInstruments) -> None:
    two.hold(0)
    two.at_ms += 1
    (entry,) = two.lookups_of(two.account(7, 0))
    two.at_ms += SETTLE_MS
    two.end(entry, "filled", 10)
    assert two.differences_of(two.account(7, 0)) == [(0, "balance", -3)]


def test_balances_from_before_an_execution_are_ignored(two: TwoInstruments) -> None:
    before_ms = two.at_ms
    two.at_ms += 100
    two.hold(0)
    for _ in range(3):
        two.at_ms += SETTLE_MS
        assert two.account(0, 0, ids=(), as_of_ms=before_ms) == []
    assert two.state.mismatch_ms == [0, 0]


@pytest.mark.parametrize("is_open", [True, False])
def test_an_execution_that_is_known_already_makes_no_balance_out_of_date(
    two: TwoInstruments, is_open: bool
) -> None:
    """Seed 9405: each look-up repeated one, so no balance was ever taken, and no start ended."""
    entry = two.enter(0, 10 if is_open else 4)
    two.fill(entry, 4, "x")
    two.accept(two.state.lane_orders[0].stop)
    two.take(EngineStarted({}, two.state.seq, "second"), 60_000)
    before_ms = two.at_ms
    two.at_ms += 100
    two.fill(entry, 4, "x")
    two.account(as_of_ms=before_ms)
    assert not two.state.reconciling
    two.at_ms += 100
    two.take(EngineStarted({}, two.state.seq, "third"))
    two.fill(entry, 1, "news")
    two.account(as_of_ms=two.at_ms - 1)
    assert two.state.reconciling, "an execution that is new does"


@pytest.mark.parametrize("lots", [(), (1,), (1, 2, 3)])
@pytest.mark.parametrize("known", [True, False])
def test_balances_of_other_instruments_are_refused(
    two_of: type[TwoInstruments], lots: tuple[int, ...], known: bool
) -> None:
    two = two_of(known=known)
    before = snapshot(two.state)
    (refused,) = two.take(AccountSeen(two.at_ms, two.at_ms, True, lots, ()))
    assert isinstance(refused, EventRefused)
    two.state.seq -= 1
    assert snapshot(two.state) == before
