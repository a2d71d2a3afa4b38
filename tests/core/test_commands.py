"""What people want is carried out once, and answered each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ares.core.commands import ANSWERS_KEPT
from ares.core.halts import ALL, BY_DIFFERENCE, BY_DOUBT, BY_OPERATOR, BY_VENUE, halt
from ares.core.reconcile import DOUBT_MS_MAX, SETTLE_MS
from ares.core.snapshot import restore, snapshot
from ares.domain.order_events import (
    CancelOrder,
    CancelRefused,
    CommandDone,
    CommandGiven,
    CommandRefused,
    DifferenceFound,
    DifferenceSettled,
    HaltChanged,
    OrderAbsent,
    OrderFilled,
    OrderUnknown,
    VenueDown,
    VenueUp,
)

if TYPE_CHECKING:
    from tests.core.conftest import TwoInstruments

T0, T1 = "test:T0/USDT", "test:T1/USDT"
UNITS = 1_000 * 10_000
"""Money units of one lot at 10,000 ticks."""


def refused(two: TwoInstruments, verb: str, **args: str) -> str:
    """Give a command that is refused; return the reason, and assert that nothing else followed."""
    (answer,) = two.command(verb, **args)
    assert isinstance(answer, CommandRefused)
    return answer.reason


def trade_of_a_person(two: TwoInstruments, lots: int, ticks: int = 10_000, lane: int = 0) -> None:
    exec_id = f"app {two.state.seq}"
    two.take(OrderFilled("app", two.at_ms, lots, ticks, 7, exec_id, lane))


def test_a_command_is_carried_out_once_by_its_id(two: TwoInstruments) -> None:
    command = CommandGiven("c", two.at_ms, "ada", "halt", {"reason": "news"})
    done = CommandDone("c", two.at_ms, "entries are halted")
    halted = HaltChanged(ALL, two.at_ms, True, BY_OPERATOR, True, "ada: news")
    assert two.take(command) == [halted, done]
    two.command("resume")
    assert two.halts == []
    two.state = restore(two.setup, snapshot(two.state))
    assert two.take(command, 60_000) == [done], "delivered again, after a restart too"
    assert two.halts == []


def test_a_refused_command_stays_refused(two: TwoInstruments) -> None:
    command = CommandGiven("c", two.at_ms, "ada", "resume", {})
    (answer,) = two.take(command)
    two.command("halt")
    assert two.take(command) == [answer]
    assert two.halts == [(ALL, BY_OPERATOR)]


def test_only_so_many_answers_are_kept(two: TwoInstruments) -> None:
    for _ in range(ANSWERS_KEPT + 5):
        two.command("resume")
    assert len(two.state.answers) == ANSWERS_KEPT


def test_a_command_that_has_expired_is_refused(two: TwoInstruments) -> None:
    until_ms = two.at_ms + 1_000
    two.take(CommandGiven("a", two.at_ms, "ada", "halt", {}, until_ms), 1_000)
    assert two.halts == [(ALL, BY_OPERATOR)]
    (answer,) = two.take(CommandGiven("b", two.at_ms, "ada", "resume", {}, until_ms), 1)
    assert answer == CommandRefused("b", two.at_ms, "it has expired")
    assert two.halts == [(ALL, BY_OPERATOR)]


def test_what_is_not_known_is_refused_by_name(two: TwoInstruments) -> None:
    assert refused(two, "halt", instrument="test:XX/USDT") == ("test:XX/USDT is not traded here")
    assert refused(two, "sell") == "unknown command sell"
    assert refused(two, "resume") == "no halt stands that a person must end"
    assert refused(two, "settle") == "there is nothing to settle"
    assert "is not one whose outcome is unknown" in refused(two, "settle", order="x")
    assert two.halts == []


def test_an_instrument_is_named_by_its_symbol_too(two: TwoInstruments) -> None:
    two.command("halt", instrument="T1/USDT")
    assert two.halts == [(1, BY_OPERATOR)]


def test_a_second_halt_is_answered_and_changes_nothing(two: TwoInstruments) -> None:
    two.command("halt", reason="first")
    (answer,) = two.command("halt", reason="second")
    assert isinstance(answer, CommandDone)
    assert answer.detail == "entries were halted already"
    assert [h.detail for h in two.state.halts] == ["ada: first"]


def test_a_halt_cancels_entries_that_are_not_filled_yet(two: TwoInstruments) -> None:
    entry, other = two.enter(0), two.enter(1)
    for id_ in (entry, other):
        two.accept(id_)
    effects = two.command("halt", instrument=T0)
    assert [e.client_id for e in effects if isinstance(e, CancelOrder)] == [entry]
    two.end(entry, "cancelled")
    assert (two.state.lane_orders[0].entry, two.state.lane_orders[1].entry) == ("", other)


def test_a_halt_keeps_what_an_entry_has_filled_under_its_stop(two: TwoInstruments) -> None:
    entry = two.enter(0)
    two.accept(entry)
    two.fill(entry, 4)
    effects = two.command("halt")
    assert [e.client_id for e in effects if isinstance(e, CancelOrder)] == [entry]
    two.end(entry, "cancelled", 4)
    stop = two.state.orders[two.state.lane_orders[0].stop]
    assert (two.held(0), stop.lots) == (4, -4)


def test_an_entry_whose_cancel_was_refused_is_cancelled_again(two: TwoInstruments) -> None:
    entry = two.enter(0)
    two.accept(entry)
    two.command("halt")
    two.take(CancelRefused(entry, two.at_ms, "busy"))
    two.accept(entry)  # what the look-up says
    effects = two.pass_ms(2_000)
    assert entry in [e.client_id for e in effects if isinstance(e, CancelOrder)]


def test_an_entry_is_cancelled_once_the_venue_is_back(two: TwoInstruments) -> None:
    entry = two.enter(0)
    two.accept(entry)
    two.take(VenueDown(two.at_ms))
    effects = two.command("halt")
    assert not [e for e in effects if isinstance(e, CancelOrder)]
    effects = two.take(VenueUp(two.at_ms, 2), 1_000)
    assert [e.client_id for e in effects if isinstance(e, CancelOrder)] == [entry]


def test_a_halt_of_one_instrument_leaves_the_other(two: TwoInstruments) -> None:
    two.command("halt", instrument=T1)
    assert two.halts == [(1, BY_OPERATOR)]
    assert refused(two, "resume", instrument=T0) == "no halt stands that a person must end"
    two.command("resume", instrument=T1)
    assert two.halts == []


def test_a_resume_ends_no_halt_that_ends_by_itself(two: TwoInstruments) -> None:
    halt(two.state, ALL, BY_VENUE)
    refused(two, "resume")
    two.command("halt")
    two.command("resume")
    assert two.halts == [(ALL, BY_VENUE)]


def test_resume_is_refused_while_differences_stand(two: TwoInstruments) -> None:
    trade_of_a_person(two, 3)
    assert refused(two, "resume") == "differences stand: settle them first"
    assert refused(two, "resume", instrument=T0) == "differences stand: settle them first"
    two.command("halt")
    answer = two.command("resume")[-1]
    assert isinstance(answer, CommandDone)
    assert answer.detail == "1 halts ended; 1 for differences stand: settle them"
    assert two.halts == [(0, BY_DIFFERENCE)]


def test_settled_lots_are_outside_the_ledger_and_their_price_is_moved_capital(
    two: TwoInstruments,
) -> None:
    """A person bought lots with the account's cash: that is neither a profit nor a loss."""
    two.hold(1)
    account = two.state.trade.account[0]
    names = ("cash", "equity", "peak_equity", "day_equity")
    before = {name: int(account[name]) for name in names}
    realized, fees = int(account["realized"]), int(account["fees"])
    trade_of_a_person(two, 5, 12_000)
    trade_of_a_person(two, -2, 11_000)
    moved = -5 * 12_000 * 1_000 + 2 * 11_000 * 1_000 - 2 * 7
    effects = two.command("settle")
    settled = [e for e in effects if isinstance(e, DifferenceSettled)]
    assert [(e.instrument, e.who, e.lots) for e in settled] == [(0, "ada", 5), (0, "ada", -2)]
    assert sum(e.cash_units for e in settled) == moved
    assert {name: int(account[name]) - before[name] for name in names} == dict.fromkeys(
        names, moved
    )
    assert (int(account["realized"]), int(account["fees"])) == (realized, fees)
    assert (two.held(0), two.state.outside_lots) == (0, [3, 0])
    assert two.halts == []
    for _ in range(3):
        two.at_ms += SETTLE_MS
        assert not [e for e in two.account(3, 10) if isinstance(e, DifferenceFound)]


def test_the_differences_of_one_instrument_are_settled_alone(two: TwoInstruments) -> None:
    trade_of_a_person(two, 5)
    trade_of_a_person(two, 4, lane=1)
    two.command("settle", instrument=T1)
    assert [d.lots for d in two.state.differences] == [5]
    assert two.halts == [(0, BY_DIFFERENCE)]
    assert two.state.outside_lots == [0, 4]


def test_once_settled_what_was_wanted_meanwhile_is_sent(two: TwoInstruments) -> None:
    stop = two.hold(0)
    trade_of_a_person(two, 5)
    assert two.leave(0) == []
    assert [getattr(e, "client_id", "") for e in two.command("settle")].count(stop) == 1
    assert two.orders_of(two.end(stop, "cancelled")) == [("exit", -10)]


def vanished_stop(two: TwoInstruments) -> str:
    """Hold lots whose stop was accepted, and which complete look-ups no longer find."""
    stop = two.hold(0)
    two.take(OrderUnknown(stop, two.at_ms))
    venue_ms = two.state.orders[stop].send_by_ms + 10_000
    for _ in range(2):
        two.take(OrderAbsent(stop, two.at_ms, True, venue_ms))
        while stop not in two.lookups_of(two.wake()):
            pass
    assert two.halts == [(0, BY_DIFFERENCE)]
    return stop


def test_a_person_ends_an_order_that_never_arrived(two: TwoInstruments) -> None:
    stop = vanished_stop(two)
    assert refused(two, "settle", order=stop) == "outcome must be absent"
    assert refused(two, "settle", order=stop, outcome="filled") == "outcome must be absent"
    answer = two.command("settle", order=stop, outcome="absent")[-1]
    assert answer == CommandDone(answer.id, two.at_ms, "2 settled")  # type: ignore[union-attr] # the answer to a command
    assert two.state.ended[stop].end_reason == "absent"
    assert two.orders_of(two.pass_ms(1_000)) == [("stop", -10)]


def test_the_halt_for_doubt_ends_with_the_last_order_that_a_person_settles(
    two: TwoInstruments,
) -> None:
    """Nothing else would ever end it: no order is left whose outcome could become known."""
    stop = vanished_stop(two)
    two.pass_ms(2 * DOUBT_MS_MAX)
    assert two.halts == [(0, BY_DIFFERENCE), (0, BY_DOUBT)]
    two.command("settle", order=stop, outcome="absent")
    assert two.halts == []


@pytest.mark.parametrize("state", ["open", "ended"])
def test_an_order_whose_outcome_is_known_is_not_settled(two: TwoInstruments, state: str) -> None:
    stop = two.hold(0)
    (entry,) = two.state.ended
    id_ = stop if state == "open" else entry
    assert "is not one whose outcome is unknown" in refused(
        two, "settle", order=id_, outcome="absent"
    )
    assert two.state.orders[stop].open
