"""Unknown outcomes are looked up until they are known, balances compared, and nothing invented."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import pytest

from ares.core.execution import FAILURES_NAKED
from ares.core.halts import ALL, BY_DOUBT, BY_UNKNOWN_ORDER
from ares.core.orders import DOUBT_MS_MAX, Life
from ares.domain.events import Effect, EngineStarted
from ares.domain.order_events import (
    ClockSkewMeasured,
    HaltChanged,
    OrderAbsent,
    OrderAccepted,
    OrderEnded,
    OrderFilled,
    OrderMoved,
    OrderUnknown,
    SubmitOrder,
    VenueDown,
    VenueUp,
)

if TYPE_CHECKING:
    from tests.core.conftest import TwoInstruments

MINUTE_MS = 60_000


def absent(
    two: TwoInstruments, client_id: str, venue_ms: int, *, complete: bool = True
) -> list[Effect]:
    """Report a look-up that did not find an order, as the answer to one that was asked for."""
    order = two.state.orders[client_id]
    while order.doubt_ms and order.counted == order.lookups:
        two.wake()
    return two.take(OrderAbsent(client_id, two.at_ms, complete, venue_ms))


def past_deadline_ms(two: TwoInstruments, client_id: str) -> int:
    """Return the first instant of the venue's clock at which absence counts."""
    margin_ms = two.setup.traits.absence_margin_ms
    return two.state.orders[client_id].send_by_ms + margin_ms + 1


# --- doubt ---------------------------------------------------------------------------------------


def test_silence_puts_an_order_in_doubt_and_ends_nothing(two: TwoInstruments) -> None:
    entry, sent_ms = two.enter(0), two.at_ms
    effects = two.wake()
    assert two.at_ms == sent_ms + two.setup.traits.answer_ms
    assert effects[0] == OrderMoved(entry, 0, two.at_ms, "unknown")
    assert two.lookups_of(effects) == [entry]
    two.pass_ms(3_600_000)
    assert two.state.orders[entry].life is Life.INTENDED
    assert not two.state.differences


def test_an_order_in_doubt_is_looked_up_after_growing_waits(two: TwoInstruments) -> None:
    entry = two.enter(0)
    assert two.lookups_of(two.take(OrderUnknown(entry, two.at_ms, "timeout"))) == [entry]
    times = [two.at_ms]
    while len(times) < 10:
        if two.lookups_of(two.wake()):
            times.append(two.at_ms)
    waits = [b - a for a, b in pairwise(times)]
    assert waits == [1_000, 2_000, 4_000, 8_000, 16_000, *[30_000] * 4]


def test_an_entry_that_is_accepted_and_does_not_fill_is_looked_up_a_stop_is_not(
    two: TwoInstruments,
) -> None:
    two.hold(1)
    entry = two.enter(0)
    two.accept(entry)
    accepted_ms = two.at_ms
    assert two.lookups_of(two.wake()) == [entry]
    assert two.at_ms == accepted_ms + two.setup.traits.fill_ms


def test_the_venues_word_ends_the_doubt(two: TwoInstruments) -> None:
    entry = two.enter(0)
    two.take(OrderUnknown(entry, two.at_ms))
    assert two.accept(entry)[0] == OrderMoved(entry, 0, two.at_ms, "accepted")
    order = two.state.orders[entry]
    assert (order.doubt_ms, order.lookups, order.absences) == (0, 0, 0)


def test_a_minute_of_doubt_halts_its_instrument_and_its_end_lifts_that(
    two: TwoInstruments,
) -> None:
    entry = two.enter(0)
    two.take(OrderUnknown(entry, two.at_ms))
    begun_ms = two.at_ms
    while not two.halts:
        two.wake()
    assert two.halts == [(0, BY_DOUBT)]
    assert DOUBT_MS_MAX <= two.at_ms - begun_ms <= DOUBT_MS_MAX + 30_000
    assert not two.state.halts[0].needs_person
    assert HaltChanged(0, two.at_ms, False, BY_DOUBT, False) in two.accept(entry)
    assert two.halts == []


def test_the_halt_for_doubt_stands_until_no_order_of_the_instrument_is_in_doubt(
    two: TwoInstruments,
) -> None:
    entry = two.enter(0)
    two.fill(entry, 4)
    stop = two.state.lane_orders[0].stop
    for order in (entry, stop):
        two.take(OrderUnknown(order, two.at_ms))
    two.pass_ms(2 * DOUBT_MS_MAX)
    assert two.halts == [(0, BY_DOUBT)]
    two.accept(stop)
    assert two.halts == [(0, BY_DOUBT)]
    two.accept(entry)
    assert two.halts == []


# --- absence -------------------------------------------------------------------------------------


def test_absence_is_proven_by_two_complete_look_ups_after_the_deadline_and_its_margin(
    two: TwoInstruments,
) -> None:
    entry = two.enter(0)
    two.take(OrderUnknown(entry, two.at_ms))
    proof_ms = past_deadline_ms(two, entry)
    for _ in range(5):
        absent(two, entry, proof_ms - 1)
        absent(two, entry, proof_ms + 10**6, complete=False)
    assert two.state.orders[entry].absences == 0
    assert absent(two, entry, proof_ms) == []
    assert two.state.orders[entry].open, "one look-up proves nothing"
    assert absent(two, entry, proof_ms) == [OrderMoved(entry, 0, two.at_ms, "absent")]
    assert two.state.ended[entry].end_reason == "absent"
    assert int(two.state.trade.book[0]["entry_open_lots"]) == 0, "what it had reserved is free"
    assert not two.state.differences


def test_the_engines_own_clock_proves_no_absence(two: TwoInstruments) -> None:
    """It may be an hour ahead, while the venue would still accept the order."""
    entry = two.enter(0)
    two.take(OrderUnknown(entry, two.at_ms))
    proof_ms = past_deadline_ms(two, entry)
    two.pass_ms(3_600_000)
    for _ in range(5):
        absent(two, entry, proof_ms - 1)
    assert two.state.orders[entry].open


def test_deadlines_are_those_of_the_venues_clock(two: TwoInstruments) -> None:
    two.take(ClockSkewMeasured(two.at_ms, -700))
    order = two.state.orders[two.enter(0)]
    assert order.send_by_ms == two.at_ms - 700 + two.setup.traits.deadline_ms


def test_a_word_between_two_look_ups_begins_the_proof_anew(two: TwoInstruments) -> None:
    entry = two.enter(0)
    two.take(OrderUnknown(entry, two.at_ms))
    proof_ms = past_deadline_ms(two, entry)
    absent(two, entry, proof_ms)
    two.accept(entry)
    assert absent(two, entry, proof_ms) == [], "it is not in doubt"
    two.take(OrderUnknown(entry, two.at_ms))
    assert two.state.orders[entry].absences == 0


def test_an_accepted_order_that_vanishes_is_one_difference(two: TwoInstruments) -> None:
    stop = two.hold(0)
    two.take(OrderUnknown(stop, two.at_ms))
    proof_ms = past_deadline_ms(two, stop)
    effects = [e for _ in range(5) for e in absent(two, stop, proof_ms)]
    assert two.differences_of(effects) == [(0, "vanished_order", 0)]
    assert two.state.orders[stop].open, "its end is not invented"
    assert not [e for e in effects if isinstance(e, SubmitOrder)]


def test_an_order_of_which_something_was_filled_is_not_absent(two: TwoInstruments) -> None:
    entry = two.enter(0)
    two.fill(entry, 4)
    two.take(OrderUnknown(entry, two.at_ms))
    proof_ms = past_deadline_ms(two, entry)
    effects = [e for _ in range(3) for e in absent(two, entry, proof_ms)]
    assert two.differences_of(effects) == [(0, "vanished_order", 0)]
    assert two.state.orders[entry].open


def test_where_the_venue_proves_no_absence_a_person_must_look(
    two_of: type[TwoInstruments],
) -> None:
    two = two_of(msgspec.structs.replace(two_of().setup.traits, proves_absence=False))
    entry = two.enter(0)
    two.take(OrderUnknown(entry, two.at_ms))
    proof_ms = past_deadline_ms(two, entry)
    for _ in range(5):
        assert absent(two, entry, proof_ms) == []
    two.pass_ms(2 * DOUBT_MS_MAX)
    assert two.state.orders[entry].open
    assert [(h.reason, h.needs_person) for h in two.state.halts] == [(BY_DOUBT, True)]


def test_an_order_that_was_proven_absent_and_fills_after_all_is_booked(
    two: TwoInstruments,
) -> None:
    entry = two.enter(0)
    two.take(OrderUnknown(entry, two.at_ms))
    for _ in range(2):
        absent(two, entry, past_deadline_ms(two, entry))
    assert two.orders_of(two.fill(entry, 10)) == [("stop", -10)]
    assert two.held() == 10


# --- executions of nobody ------------------------------------------------------------------------


def test_an_execution_with_our_digits_that_the_journal_does_not_know_halts_all(
    two: TwoInstruments,
) -> None:
    two.take(OrderFilled("app", two.at_ms, 3, 10_000, 0, "x", 0))
    assert two.halts == [(0, "difference")], "a person's own trade"
    two.take(OrderFilled(two.owner + "0" * 24, two.at_ms, 3, 10_000, 0, "y", 0))
    assert (ALL, BY_UNKNOWN_ORDER) in two.halts


@pytest.mark.parametrize("what", ["end", "session", "start"])
def test_what_was_refused_is_tried_at_once_when_somebody_elses_order_has_ended(
    two: TwoInstruments, what: str
) -> None:
    """Seed 182: another bot's order had locked the coins, and the next try was 30 s away."""
    stop = two.hold(0)
    two.leave(0)
    two.end(stop, "cancelled")
    for _ in range(2 * FAILURES_NAKED):
        two.end(two.state.lane_orders[0].exit, "rejected")
        while not two.state.lane_orders[0].exit:
            two.wake()
    two.end(two.state.lane_orders[0].exit, "rejected")
    assert two.orders_of(two.take(OrderAccepted("app-1", two.at_ms), 1_000)) == []
    if what == "end":
        effects = two.take(OrderEnded("app-1", two.at_ms, "cancelled", 0))
    elif what == "session":
        two.take(VenueDown(two.at_ms))
        effects = two.take(VenueUp(two.at_ms, 2))
    else:
        two.take(EngineStarted({}, two.state.seq, "second"))
        effects = two.account(10, 0)
    assert two.orders_of(effects) == [("exit", -10)]


# --- open orders ---------------------------------------------------------------------------------
