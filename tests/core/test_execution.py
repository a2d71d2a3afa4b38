"""What the kernel wants is brought about: never two sellers, never long without a stop, and no wait
that nothing ends.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import pytest

from ares.core.execution import (
    FAILURES_NAKED,
    RETRY_MS,
    RETRY_MS_MAX,
    STOP_CHANGE_MS,
    UNPROTECTED_MS_MAX,
    wake_ms,
    work,
)
from ares.core.halts import differ
from ares.core.orders import Request
from ares.domain.order_events import (
    AmendOrder,
    AmendRefused,
    AskAccount,
    CancelOrder,
    CancelRefused,
    OrderAbsent,
    OrderAccepted,
    OrderAmended,
    OrderUnknown,
    StopMissing,
    SubmitOrder,
    TimeReached,
    VenueDown,
    VenueUp,
)
from ares.domain.venue import SIMULATED

if TYPE_CHECKING:
    from tests.core.conftest import TwoInstruments

AMENDS = pytest.mark.parametrize("amends", [True, False])


def without_amendments(two_of: type[TwoInstruments], amends: bool = False) -> TwoInstruments:
    return two_of(msgspec.structs.replace(two_of().setup.traits, amends_stops=amends))


# --- exits ---------------------------------------------------------------------------------------


def test_an_exit_waits_for_the_end_of_the_stop_with_a_known_quantity(two: TwoInstruments) -> None:
    """Sold at once, the stop and the exit could both fill."""
    stop = two.hold(0)
    assert two.leave(0) == [CancelOrder(stop, 0)]
    assert work(two.state, 0) == [], "one cancel is on its way"
    assert two.orders_of(two.accept(stop)) == [], "a late acceptance is no end"
    assert two.orders_of(two.fill(stop, -3)) == [], "it fills during the cancel"
    assert two.orders_of(two.end(stop, "cancelled", None)) == [], "of an unknown quantity"
    assert two.orders_of(two.end(stop, "cancelled", -3)) == [("exit", -7)]
    assert work(two.state, 0) == [], "one exit is on its way"


def test_a_stop_that_fills_whole_during_its_cancel_leaves_nothing_to_sell(
    two: TwoInstruments,
) -> None:
    stop = two.hold(0)
    two.leave(0)
    assert two.orders_of(two.fill(stop, -10)) == []
    assert two.held() == 0
    assert two.orders_of(two.pass_ms(600_000)) == []


def test_a_refused_cancel_is_looked_up_and_sent_again_where_the_stop_goes_on(
    two: TwoInstruments,
) -> None:
    stop = two.hold(0)
    two.leave(0)
    effects = two.take(CancelRefused(stop, two.at_ms))
    assert two.lookups_of(effects) == [stop]
    assert two.orders_of(effects) == []
    assert not [e for e in two.accept(stop) if isinstance(e, CancelOrder)], "not at once again"
    assert CancelOrder(stop, 0) in two.pass_ms(RETRY_MS)


def test_refused_cancels_are_sent_with_growing_waits(two: TwoInstruments) -> None:
    stop, times = two.hold(0), list[int]()
    effects = two.leave(0)
    while len(times) < 6:
        if CancelOrder(stop, 0) in effects:
            times.append(two.at_ms)
            two.take(CancelRefused(stop, two.at_ms), 10)
            two.take(OrderAccepted(stop, two.at_ms), 10)
        effects = two.wake()
    waits = [b - a for a, b in pairwise(times)]
    assert waits == [100, 200, 400, 800, 1_000]


@pytest.mark.parametrize("late", ["accepted", "amended", "filled"])
def test_a_lost_cancel_is_looked_up_whatever_is_reported_late(
    two: TwoInstruments, late: str
) -> None:
    """A report that came twice or late switched the watch off: the exit waited for ever."""
    stop = two.hold(0)
    two.leave(0)  # the cancel is lost
    if late == "accepted":
        two.accept(stop)
    elif late == "amended":
        two.take(OrderAmended(stop, two.at_ms, -10, 9_900))
    else:
        two.fill(stop, -1)
    answer_ms = two.setup.traits.answer_ms
    assert two.lookups_of(two.pass_ms(answer_ms)) == [stop]


def test_an_amendment_without_an_answer_is_looked_up_and_never_repeated(
    two: TwoInstruments,
) -> None:
    entry = two.enter(0)
    two.accept(entry)
    two.fill(entry, 4)
    stop = two.state.lane_orders[0].stop
    two.accept(stop)
    assert AmendOrder(stop, 0, -10, 9_900) in two.fill(entry, 6)
    two.accept(stop)  # once more, late
    assert two.lookups_of(two.pass_ms(two.setup.traits.answer_ms)) == [stop]
    effects = two.take(OrderAmended(stop, two.at_ms, -4, 9_900))
    assert CancelOrder(stop, 0) in effects, "the first may still be on its way: another stop"
    assert not [e for e in effects if isinstance(e, AmendOrder)]


def test_a_report_of_before_an_amendment_is_not_its_answer(two: TwoInstruments) -> None:
    """A second amendment was sent on it, the delayed first one overtook it: the stop was small."""
    entry = two.enter(0)
    two.accept(entry)
    two.fill(entry, 2)
    stop = two.state.lane_orders[0].stop
    two.accept(stop)
    two.pass_ms(1_000)
    assert AmendOrder(stop, 0, -4, 9_900) in two.fill(entry, 2)
    two.fill(entry, 6)
    assert two.orders_of(two.take(OrderAmended(stop, two.at_ms, -2, 9_900))) == []
    two.pass_ms(1_000)
    assert two.take(OrderAmended(stop, two.at_ms, -4, 9_900))[-1:] == [
        AmendOrder(stop, 0, -10, 9_900)
    ]
    assert two.lookups_of(two.take(OrderAmended(stop, two.at_ms, -3, 9_900))) == [stop]
    assert two.state.orders[stop].lots == -4


def test_a_stop_that_fills_while_it_is_amended_has_not_ended(two: TwoInstruments) -> None:
    """The venue may hold it at its new size already: a second stop would sell too much."""
    entry = two.enter(0)
    two.accept(entry)
    two.fill(entry, 4)
    stop = two.state.lane_orders[0].stop
    two.accept(stop)
    two.fill(entry, 6)
    effects = two.fill(stop, -4)
    assert two.orders_of(effects) == []
    assert two.lookups_of(effects) == [stop]
    assert two.state.orders[stop].open
    assert two.orders_of(two.fill(stop, -6)) == []
    two.end(stop, "filled", -10)
    assert (two.held(), two.state.differences) == (0, [])


@pytest.mark.parametrize("lots", [-3, 3, -11])
def test_an_amendment_that_cannot_be_is_looked_up_and_changes_nothing(
    two: TwoInstruments, lots: int
) -> None:
    """A stale size let a sale be booked as a purchase."""
    stop = two.hold(0)
    two.fill(stop, -5)
    effects = two.take(OrderAmended(stop, two.at_ms, lots, 9_900))
    assert two.lookups_of(effects) == [stop]
    assert two.state.orders[stop].lots == -10
    two.fill(stop, -3)
    assert (two.held(), two.state.differences) == (2, [])


def test_an_exit_cancels_what_is_left_of_the_entry(two: TwoInstruments) -> None:
    entry = two.enter(0)
    two.accept(entry)
    two.fill(entry, 4)
    stop = two.state.lane_orders[0].stop
    assert two.leave(0) == [CancelOrder(entry, 0), CancelOrder(stop, 0)]
    two.fill(entry, 2)
    assert two.orders_of(two.end(stop, "cancelled")) == [("exit", -6)], "all that is held by then"
    exit_id = two.state.lane_orders[0].exit
    assert two.orders_of(two.fill(entry, 1)) == [("exit", -1)], "beside the one on its way"
    two.end(entry, "cancelled", 7)
    two.fill(exit_id, -6)
    two.fill(two.state.lane_orders[0].exit, -1)
    assert (two.held(), two.state.orders) == (0, {})


def test_the_remainder_of_an_entry_is_cancelled_when_the_stop_closed_the_position(
    two: TwoInstruments,
) -> None:
    """Old defect: the remainder fills, and nobody places a stop for it."""
    entry = two.enter(0)
    two.accept(entry)
    two.fill(entry, 4)
    stop = two.state.lane_orders[0].stop
    two.accept(stop)
    assert CancelOrder(entry, 0) in two.fill(stop, -4, ticks=9_900)
    assert two.held() == 0
    assert two.orders_of(two.fill(entry, 6)) == [("stop", -6)], "it fills before the cancel arrives"


def test_an_entry_that_nothing_of_is_filled_is_not_cancelled(two: TwoInstruments) -> None:
    entry = two.enter(0)
    two.accept(entry)
    assert work(two.state, 0) == []


def test_a_rejected_exit_is_sent_again_after_growing_waits(two: TwoInstruments) -> None:
    stop = two.hold(0)
    two.leave(0)
    two.end(stop, "cancelled")
    waits = []
    for _ in range(12):
        rejected_ms = two.at_ms
        assert two.orders_of(two.end(two.state.lane_orders[0].exit, "rejected")) == []
        while not two.state.lane_orders[0].exit:
            effects = two.wake()
        assert two.orders_of(effects) == [("exit", -10)]
        waits.append(two.at_ms - rejected_ms)
    assert waits[:FAILURES_NAKED] == [100, 200, 400, 800, *[1_000] * (FAILURES_NAKED - 4)]
    assert set(waits[FAILURES_NAKED:]) == {RETRY_MS_MAX}
    two.fill(two.state.lane_orders[0].exit, -10)
    assert (two.held(), two.state.lane_orders[0].failures) == (0, 0)


def test_an_exit_that_never_arrived_is_sent_again_at_once(two: TwoInstruments) -> None:
    """Nobody refused it: to wait would only add to the time without a stop (seed 29073)."""
    stop = two.hold(0)
    two.leave(0)
    two.end(stop, "cancelled")
    for _ in range(4):
        lost = two.state.lane_orders[0].exit
        two.take(OrderUnknown(lost, two.at_ms))
        two.pass_ms(10_000)
        effects = two.take(OrderAbsent(lost, two.at_ms, True, two.at_ms))
        while lost not in two.lookups_of(two.wake()):
            pass
        effects += two.take(OrderAbsent(lost, two.at_ms, True, two.at_ms))
        assert two.state.ended[lost].end_reason == "absent"
        assert two.orders_of(effects) == [("exit", -10)]


def test_an_exit_whose_retry_falls_together_with_another_event_is_still_sent(
    two: TwoInstruments,
) -> None:
    """What comes for another lane at that moment must not be taken for the deadline itself."""
    stop = two.hold(0)
    two.leave(0)
    two.end(stop, "cancelled")
    two.end(two.state.lane_orders[0].exit, "rejected")
    for wait_ms in (RETRY_MS, 1):
        two.take(OrderUnknown("of nobody", two.at_ms), wait_ms)
        assert 0 < wake_ms(two.state) <= two.at_ms
    assert two.orders_of(two.wake()) == [("exit", -10)]


def test_an_exit_of_a_closed_position_does_not_sell_the_next_one(two: TwoInstruments) -> None:
    """An entry reported late opens a position while the exit of the last one is still open."""
    entry = two.enter(0)
    two.accept(entry)
    two.fill(entry, 4)
    two.end(entry, "cancelled", 4)
    stop = two.state.lane_orders[0].stop
    two.accept(stop)
    two.leave(0)
    two.end(stop, "cancelled", 0)
    exit_id = two.state.lane_orders[0].exit
    assert CancelOrder(exit_id, 0) in two.fill(stop, -4, "late")
    assert two.held() == 0
    assert two.orders_of(two.fill(entry, 3)) == [], "two sellers of the same lots"
    assert two.orders_of(two.end(exit_id, "cancelled", 0)) == [("stop", -3)]


# --- stops ---------------------------------------------------------------------------------------


def test_a_stop_is_amended_where_the_venue_can(two: TwoInstruments) -> None:
    stop = two.hold(0)
    two.state.trade.book[0]["stop_ticks"] = 9_950
    assert work(two.state, 0) == [AmendOrder(stop, 0, -10, 9_950)]
    assert work(two.state, 0) == [], "one amendment is on its way"
    assert two.take(OrderAmended(stop, two.at_ms, -10, 9_950)) == []
    assert two.state.orders[stop].price_ticks == 9_950


def test_a_stop_is_cancelled_and_placed_anew_where_the_venue_cannot_amend(
    two_of: type[TwoInstruments],
) -> None:
    two = without_amendments(two_of)
    stop = two.hold(0)
    two.state.trade.book[0]["stop_ticks"] = 9_950
    assert work(two.state, 0) == [CancelOrder(stop, 0)]
    effects = two.end(stop, "cancelled", -2)
    assert two.orders_of(effects) == [], "two of its lots are still to be reported"
    (placed,) = [e for e in two.fill(stop, -2) if isinstance(e, SubmitOrder)]
    assert (placed.kind, placed.lots, placed.price_ticks) == ("stop", -8, 9_950)
    assert not [e for e in effects if isinstance(e, StopMissing)]


def test_a_refused_amendment_is_followed_by_cancel_and_replacement(two: TwoInstruments) -> None:
    stop = two.hold(0)
    two.state.trade.book[0]["stop_ticks"] = 9_950
    work(two.state, 0)
    assert two.take(AmendRefused(stop, two.at_ms)) == [CancelOrder(stop, 0)]


def test_a_stop_that_is_being_filled_is_not_moved(two: TwoInstruments) -> None:
    stop = two.hold(0)
    two.fill(stop, -4, ticks=9_900)
    two.state.trade.book[0]["stop_ticks"] = 9_950
    assert work(two.state, 0) == []


def test_a_stop_that_nobody_confirmed_is_not_changed(two: TwoInstruments) -> None:
    entry = two.enter(0)
    two.fill(entry, 4)
    assert two.orders_of(two.fill(entry, 6)) == []
    stop = two.state.lane_orders[0].stop
    assert two.state.orders[stop].lots == -4
    two.at_ms += STOP_CHANGE_MS
    assert two.accept(stop)[1:] == [AmendOrder(stop, 0, -10, 9_900)]


@AMENDS
def test_while_an_entry_fills_its_stop_follows_at_most_every_half_second(
    two_of: type[TwoInstruments], amends: bool
) -> None:
    two = without_amendments(two_of, amends)
    entry = two.enter(0, 100)
    two.accept(entry)
    two.fill(entry, 1)
    stop = two.state.lane_orders[0].stop
    two.accept(stop)
    changes = []
    for _ in range(40):
        effects = [*two.pass_ms(50), *two.fill(entry, 1)]
        changes += [
            two.at_ms for e in effects if isinstance(e, AmendOrder | CancelOrder | SubmitOrder)
        ]
        for e in effects:
            if isinstance(e, AmendOrder):
                two.take(OrderAmended(stop, two.at_ms, e.lots, e.price_ticks))
            if isinstance(e, CancelOrder):
                two.end(e.client_id, "cancelled")
                stop = two.state.lane_orders[0].stop
                two.accept(stop)
    assert 3 <= len(changes) <= 4, "in two seconds"
    assert min(b - a for a, b in pairwise(changes)) >= STOP_CHANGE_MS
    for e in two.pass_ms(STOP_CHANGE_MS):
        assert isinstance(e, AmendOrder), "the last fills too"
        two.take(OrderAmended(stop, two.at_ms, e.lots, e.price_ticks))
    assert two.state.orders[stop].lots == -two.held() == -41


def test_an_entry_that_has_ended_lets_the_stop_follow_at_once(two: TwoInstruments) -> None:
    entry = two.enter(0)
    two.accept(entry)
    two.fill(entry, 4)
    stop = two.state.lane_orders[0].stop
    two.accept(stop)
    assert AmendOrder(stop, 0, -10, 9_900) in two.fill(entry, 6)


def test_a_rejected_stop_is_reported_and_tried_again_and_after_a_second_the_position_is_sold(
    two: TwoInstruments,
) -> None:
    entry = two.enter(0)
    two.fill(entry, 10)
    begun_ms, tries = two.at_ms, []
    while two.state.lane_orders[0].stop:
        stop = two.state.lane_orders[0].stop
        tries.append(two.at_ms - begun_ms)
        (missing,) = [e for e in two.end(stop, "rejected") if isinstance(e, StopMissing)]
        assert missing == StopMissing(0, two.at_ms, 10, "the venue rejected the stop")
        effects = two.wake()
        while all(isinstance(e, AskAccount) for e in effects):  # are the coins still there?
            effects = two.wake()
    assert tries == [0, 100, 300, 700]
    assert two.orders_of(effects) == [("exit", -10)]
    assert two.at_ms - begun_ms == UNPROTECTED_MS_MAX
    two.fill(two.state.lane_orders[0].exit, -10)
    assert two.held() == 0


@pytest.mark.parametrize("reason", ["cancelled", "expired"])
def test_a_stop_that_the_venue_ends_by_itself_is_reported_and_placed_again(
    two: TwoInstruments, reason: str
) -> None:
    stop = two.hold(0)
    effects = two.end(stop, reason)
    assert StopMissing(0, two.at_ms, 10, f"the venue {reason} the stop") in effects
    assert two.orders_of(two.pass_ms(RETRY_MS)) == [("stop", -10)]


def test_a_position_whose_stop_never_arrived_is_sold(two: TwoInstruments) -> None:
    """It was without one for longer than a second."""
    entry = two.enter(0)
    two.fill(entry, 10)
    stop = two.state.lane_orders[0].stop
    two.take(OrderUnknown(stop, two.at_ms))
    two.pass_ms(10_000)
    effects = two.take(OrderAbsent(stop, two.at_ms, True, two.at_ms))
    again = two.take(OrderAbsent(stop, two.at_ms, True, two.at_ms))
    assert again == [], "the same look-up, delivered twice"
    while stop not in two.lookups_of(two.wake()):
        pass
    effects += two.take(OrderAbsent(stop, two.at_ms, True, two.at_ms))
    effects += two.pass_ms(RETRY_MS)
    assert two.orders_of(effects) == [("exit", -10)]


def test_a_position_without_a_barrier_has_no_stop(two: TwoInstruments) -> None:
    stop = two.hold(0)
    two.state.trade.book[0]["stop_ticks"] = 0
    assert work(two.state, 0) == [CancelOrder(stop, 0)]
    two.end(stop, "cancelled")
    assert two.orders_of(two.pass_ms(60_000)) == []


# --- when nothing may be sent --------------------------------------------------------------------


def test_nothing_is_sent_where_a_difference_stands_and_the_stop_is_left(
    two: TwoInstruments,
) -> None:
    two.hold(0)
    other = two.hold(1)
    differ(two.state, 0, "balance", "more", lots=1)
    assert two.leave(0) == []
    assert two.orders_of(two.pass_ms(600_000)) == []
    assert two.state.orders[two.state.lane_orders[0].stop].cancel is Request.NONE
    assert two.leave(1) == [CancelOrder(other, 1)], "the other instrument goes on"


def test_nothing_is_sent_while_the_venue_is_down_and_all_is_done_once_it_is_back(
    two: TwoInstruments,
) -> None:
    stop = two.hold(0)
    two.take(VenueDown(two.at_ms))
    assert two.leave(0) == []
    assert wake_ms(two.state) == 0
    assert two.take(TimeReached(two.at_ms + 600_000), 600_000) == []
    effects = two.take(VenueUp(two.at_ms, 2))
    assert CancelOrder(stop, 0) in effects
    assert two.lookups_of(effects) == [stop]


def test_a_position_that_had_no_stop_before_an_outage_has_a_second_again_after_it(
    two: TwoInstruments,
) -> None:
    """The time in which the venue is away is no time in which a stop could have been placed."""
    stop = two.hold(0)
    two.end(stop, "expired")
    two.take(VenueDown(two.at_ms))
    assert two.orders_of(two.take(VenueUp(two.at_ms, 2), 60_000)) == [("stop", -10)]


# --- deadlines -----------------------------------------------------------------------------------


def test_with_a_venue_that_answers_at_once_nothing_is_ever_due(
    two_of: type[TwoInstruments],
) -> None:
    two = two_of(SIMULATED)
    two.hold(0)
    two.enter(1)
    assert wake_ms(two.state) == 0


def bring_into(two: TwoInstruments, situation: str) -> None:
    """Bring lane 0 into a situation in which something is due."""
    if situation == "an entry that nobody confirms":
        two.enter(0)
        return
    if situation == "an entry that stays open":
        two.accept(two.enter(0))
        return
    entry = two.enter(0)
    two.accept(entry)
    two.fill(entry, 4)
    stop = two.state.lane_orders[0].stop
    if situation == "a stop that nobody confirms":
        return
    two.accept(stop)
    if situation == "a stop of a growing position":
        two.fill(entry, 3)
        return
    if situation == "a stop that was dropped":
        two.end(stop, "cancelled")
        return
    if situation == "a stop in doubt":
        two.take(OrderUnknown(stop, two.at_ms))
        return
    two.leave(0)
    if situation == "a cancel that nobody answers":
        return
    two.end(stop, "cancelled")
    if situation == "an exit that nobody confirms":
        return
    two.end(two.state.lane_orders[0].exit, "rejected")


SITUATIONS = (
    "an entry that nobody confirms", "an entry that stays open", "a stop that nobody confirms",
    "a stop of a growing position", "a stop that was dropped", "a stop in doubt",
    "a cancel that nobody answers", "an exit that nobody confirms", "an exit that was rejected",
)  # fmt: skip


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("disputed", [False, True])
@AMENDS
def test_no_deadline_returns_for_ever_with_a_venue_that_is_silent(
    two_of: type[TwoInstruments], situation: str, disputed: bool, amends: bool
) -> None:
    """After each deadline the next one is later: an hour has as many as the waits allow."""
    two = without_amendments(two_of, amends)
    bring_into(two, situation)
    if disputed:
        differ(two.state, 0, "balance", "more", lots=1)
    until_ms, n = two.at_ms + 3_600_000, 0
    while 0 < (due_ms := wake_ms(two.state)) <= until_ms:
        two.at_ms = max(two.at_ms, due_ms)
        two.take(TimeReached(two.at_ms))
        n += 1
        next_ms = wake_ms(two.state)
        assert next_ms == 0 or next_ms > two.at_ms, "it was reached, and is due again"
        assert n < 600
    assert n > 0


@AMENDS
def test_a_stop_limit_leaves_with_its_limit(two_of: type[TwoInstruments], amends: bool) -> None:
    traits = msgspec.structs.replace(two_of().setup.traits, stop_limit_bps=200, amends_stops=amends)
    two = two_of(traits)
    entry = two.enter(lots=10)
    (stop,) = [e for e in two.fill(entry, 6) if isinstance(e, SubmitOrder)]
    assert (stop.kind, stop.price_ticks, stop.limit_ticks) == ("stop", 9_900, 9_702)
    two.accept(stop.client_id)
    effects = two.fill(entry, 4) + two.pass_ms(STOP_CHANGE_MS)
    changed = [e for e in effects if isinstance(e, AmendOrder)]
    assert [(c.lots, c.limit_ticks) for c in changed] == ([(-10, 9_702)] if amends else [])
