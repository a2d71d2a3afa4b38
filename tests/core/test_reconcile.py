"""Unknown outcomes are looked up until they are known, balances compared, and nothing invented."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import pytest

from ares.core.halts import ALL, BY_CLOCK, BY_DOUBT, BY_START, BY_UNKNOWN_ORDER, BY_VENUE
from ares.core.orders import Life
from ares.core.reconcile import DOUBT_MS_MAX, SETTLE_MS, SKEW_MS_MAX
from ares.core.snapshot import restore, snapshot
from ares.domain.events import Effect, EngineStarted
from ares.domain.order_events import (
    AccountSeen,
    AskAccount,
    ClockSkewMeasured,
    DifferenceFound,
    EventRefused,
    HaltChanged,
    OrderAbsent,
    OrderAccepted,
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


def found(effects: list[Effect]) -> list[tuple[int, str, int]]:
    """Return instrument, kind and lots of the differences."""
    return [(e.instrument, e.kind, e.lots) for e in effects if isinstance(e, DifferenceFound)]


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
    assert found(effects) == [(0, "vanished_order", 0)]
    assert two.state.orders[stop].open, "its end is not invented"
    assert not [e for e in effects if isinstance(e, SubmitOrder)]


def test_an_order_of_which_something_was_filled_is_not_absent(two: TwoInstruments) -> None:
    entry = two.enter(0)
    two.fill(entry, 4)
    two.take(OrderUnknown(entry, two.at_ms))
    proof_ms = past_deadline_ms(two, entry)
    effects = [e for _ in range(3) for e in absent(two, entry, proof_ms)]
    assert found(effects) == [(0, "vanished_order", 0)]
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


# --- balances ------------------------------------------------------------------------------------


def test_the_first_balances_are_the_baseline_and_no_difference(
    two_of: type[TwoInstruments],
) -> None:
    two = two_of(known=False)
    two.account(70, 5)
    assert (two.state.outside_lots, two.state.differences) == ([70, 5], [])
    two.hold(0)
    assert found(two.account(80, 5)) == []
    two.pass_ms(2 * SETTLE_MS)
    assert found(two.account(80, 5)) == []


def test_an_execution_reported_before_the_first_balances_is_not_counted_twice(
    two_of: type[TwoInstruments],
) -> None:
    two = two_of(known=False)
    two.take(OrderFilled("app", two.at_ms, 7, 10_000, 0, "x", 0))
    two.account(7, 0)
    for _ in range(3):
        two.at_ms += SETTLE_MS
        assert found(two.account(7, 0)) == []
    two.command("settle")
    assert two.state.outside_lots == [7, 0]


def test_a_mismatch_must_stand_for_five_seconds(two: TwoInstruments) -> None:
    assert found(two.account(3, 0)) == []
    two.at_ms += SETTLE_MS - 1
    assert found(two.account(3, 0)) == []
    two.at_ms += 1
    assert found(two.account(3, 0)) == [(0, "balance", 3)]
    for _ in range(3):
        two.at_ms += SETTLE_MS
        assert found(two.account(3, 0)) == [], "it is known"
    two.account(4, 0)
    two.at_ms += SETTLE_MS
    assert found(two.account(4, 0)) == [(0, "balance", 1)], "what came on top of it"


def test_a_mismatch_that_goes_away_is_none(two: TwoInstruments) -> None:
    two.account(3, 0)
    two.at_ms += SETTLE_MS - 1
    two.account(0, 0)
    two.at_ms += 1
    assert found(two.account(3, 0)) == [], "its five seconds begin anew"


def test_the_second_look_at_a_mismatch_is_asked_for_in_time(two: TwoInstruments) -> None:
    seen_ms = two.at_ms
    two.account(0, -4)
    assert AskAccount(seen_ms + SETTLE_MS) in two.wake()
    assert found(two.account(0, -4)) == [(1, "balance", -4)]


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
    assert found(two.fill(entry, 1, "beyond", fee=7)) == [(0, "beyond_order", 1)]
    assert two.state.differences[0].price_ticks == 10_000
    two.at_ms += SETTLE_MS
    assert two.account(11, 0) == []
    assert two.state.mismatch_ms == [0, 0]


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
    assert found(two.account(11, 0)) == [(0, "balance", 1)]


def test_a_mismatch_waits_a_minute_at_most(two: TwoInstruments) -> None:
    entry = two.enter(0)
    two.fill(entry, 10)
    two.accept(two.state.lane_orders[0].stop)
    two.at_ms += 60_000
    begun_ms = two.at_ms
    while not found(two.account(11, 0)):
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
    assert found(two.account(3, 0)) == []


def test_what_is_on_its_way_explains_a_mismatch(two: TwoInstruments) -> None:
    entry = two.enter(0)
    two.accept(entry)
    for _ in range(3):
        two.at_ms += SETTLE_MS
        assert found(two.account(4, 0)) == []
    two.fill(entry, 10)
    two.accept(two.state.lane_orders[0].stop)
    for _ in range(3):
        two.at_ms += SETTLE_MS
        assert found(two.account(10, 0)) == []


def test_a_stop_that_only_rests_explains_nothing(two: TwoInstruments) -> None:
    two.hold(0)
    two.at_ms += 1
    (entry,) = two.lookups_of(two.account(7, 0))
    two.at_ms += SETTLE_MS
    two.end(entry, "filled", 10)
    assert found(two.account(7, 0)) == [(0, "balance", -3)]


def test_balances_from_before_an_execution_are_ignored(two: TwoInstruments) -> None:
    before_ms = two.at_ms
    two.at_ms += 100
    two.hold(0)
    for _ in range(3):
        two.at_ms += SETTLE_MS
        assert two.account(0, 0, ids=(), as_of_ms=before_ms) == []
    assert two.state.mismatch_ms == [0, 0]


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


def test_an_open_order_that_the_venue_does_not_list_is_looked_up(two: TwoInstruments) -> None:
    stop = two.hold(0)
    assert two.lookups_of(two.account(ids=(stop,))) == []
    assert two.lookups_of(two.account(ids=())) == [stop]
    entry = two.enter(1)
    assert two.lookups_of(two.account(ids=(stop,))) == [], "it may not have arrived yet"
    assert two.state.orders[entry].doubt_ms == 0


@pytest.mark.parametrize("is_known", ["open", "ended", "unknown"])
def test_an_open_order_with_our_digits_that_the_journal_does_not_know_needs_a_person(
    two: TwoInstruments, is_known: str
) -> None:
    """Two engines with one account, or a journal that was lost."""
    stop = two.hold(0)
    (entry,) = two.state.ended
    id_ = {"open": stop, "ended": entry, "unknown": two.owner + "f" * 24}[is_known]
    effects = two.account(ids=(stop, id_, "app-1"))
    halted = HaltChanged(ALL, two.at_ms, True, BY_UNKNOWN_ORDER, True)
    assert (halted in effects) == (is_known == "unknown")


# --- clocks, sessions, starts --------------------------------------------------------------------


@pytest.mark.parametrize("sign", [1, -1])
def test_clocks_far_apart_halt_entries_until_they_agree(two: TwoInstruments, sign: int) -> None:
    assert two.take(ClockSkewMeasured(two.at_ms, sign * SKEW_MS_MAX)) == []
    two.take(ClockSkewMeasured(two.at_ms, sign * (SKEW_MS_MAX + 1)))
    assert two.halts == [(ALL, BY_CLOCK)]
    two.take(ClockSkewMeasured(two.at_ms, 0))
    assert two.halts == []


def test_after_an_outage_all_orders_and_the_balances_are_looked_up(two: TwoInstruments) -> None:
    stop, entry = two.hold(0), two.enter(1)
    two.take(VenueDown(two.at_ms))
    assert two.halts == [(ALL, BY_VENUE)]
    effects = two.take(VenueUp(two.at_ms, 2), MINUTE_MS)
    assert sorted(two.lookups_of(effects)) == sorted([stop, entry])
    assert AskAccount(two.at_ms) in effects
    assert two.halts == []


def test_a_start_is_halted_until_balances_and_all_orders_are_known(two: TwoInstruments) -> None:
    stop, entry = two.hold(0), two.enter(1)
    two.state = restore(two.setup, snapshot(two.state))
    effects = two.take(EngineStarted({}, two.state.seq, "second"))
    assert two.halts == [(ALL, BY_START)]
    assert sorted(two.lookups_of(effects)) == sorted([stop, entry])
    two.account(10, 0)
    assert two.halts == [(ALL, BY_START)], "orders are in doubt"
    two.accept(stop)
    assert two.halts == [(ALL, BY_START)]
    assert HaltChanged(ALL, two.at_ms, False, BY_START, False) in two.take(
        OrderAccepted(entry, two.at_ms)
    )


def test_a_start_is_halted_while_balances_are_unknown(two_of: type[TwoInstruments]) -> None:
    two = two_of(known=False)
    assert two.halts == [(ALL, BY_START)]
    two.take(AccountSeen(two.at_ms, two.at_ms, False, (0, 0), ()))
    assert two.halts == [(ALL, BY_START)], "an incomplete page proves nothing"
    two.account(0, 0)
    assert two.halts == []


def test_balances_are_compared_every_five_minutes(two: TwoInstruments) -> None:
    asked = [e.ts_ms for e in two.pass_ms(3_600_000) if isinstance(e, AskAccount)]
    assert [b - a for a, b in pairwise(asked)] == [300_000] * (len(asked) - 1)
    assert len(asked) == 12


def test_a_start_ends_the_halt_of_a_session_that_was_down_before(two: TwoInstruments) -> None:
    """Found by the attacking world, seed 1238: the halt stood for ever after a restart."""
    two.take(VenueDown(two.at_ms))
    two.take(EngineStarted({}, two.state.seq, "next"))
    two.account(0, 0)
    assert two.halts == []


def test_a_clock_that_is_not_believed_is_journaled_and_halts_entries(two: TwoInstruments) -> None:
    at_ms = two.at_ms
    year_ms = at_ms + 366 * 86_400_000
    effects = two.take(EngineStarted({}, two.state.seq, "next", clock_ms=year_ms))
    (refused,) = [e for e in effects if isinstance(e, EventRefused)]
    assert f"the machine's clock says {year_ms}, the journal ends at {at_ms}" in refused.reason
    two.account(0, 0)
    assert two.halts == [(ALL, BY_CLOCK)]
    assert two.state.at_ms == at_ms
    two.take(ClockSkewMeasured(two.at_ms, 0))
    assert two.halts == []
