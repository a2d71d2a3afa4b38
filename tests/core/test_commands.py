"""What people want is carried out once, and answered each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ares.core.commands import ANSWERS_KEPT
from ares.core.halts import (
    ALL,
    BY_DIFFERENCE,
    BY_FLATTEN,
    BY_OPERATOR,
    BY_REMOVAL,
    BY_VENUE,
    halt,
)
from ares.core.models import Models
from ares.core.snapshot import restore, snapshot
from ares.core.step import step
from ares.domain.model_events import TrainingRequested
from ares.domain.order_events import (
    CancelOrder,
    CancelRefused,
    CommandDone,
    CommandGiven,
    CommandRefused,
    HaltChanged,
    OrderFilled,
    SubmitOrder,
    VenueDown,
    VenueUp,
)

if TYPE_CHECKING:
    from tests.core.conftest import TwoInstruments

T0, T1 = "test:T0/USDT", "test:T1/USDT"


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


@pytest.mark.parametrize(
    ("verb", "args", "reason"),
    [
        ("halt", {"symbol": "x"}, "halt takes no argument symbol"),
        ("force-exit", {}, "force-exit is of one instrument: name it"),
        ("force-exit", {"instrument": T0}, "nothing of test:T0/USDT is held"),
        ("learn", {"instrument": T0}, "no learner runs beside this engine"),
        ("symbols", {"action": "drop", "instrument": T0}, "unknown action drop on symbols"),
        ("symbols", {"action": "add", "instrument": T0}, "test:T0/USDT is traded already"),
        ("symbols", {"action": "add", "instrument": "X/Y"}, "X/Y is not an instrument of this run"),
        ("promote", {"instrument": T0}, "there is no challenger"),
        ("rollback", {"instrument": T0}, "there is no champion"),
        ("unreadable", {}, "unknown command unreadable"),
    ],
)
def test_each_refusal_has_its_reason(
    two: TwoInstruments, verb: str, args: dict[str, str], reason: str
) -> None:
    assert refused(two, verb, **args).startswith(reason)


def test_flatten_sells_what_is_held_and_halts(two: TwoInstruments) -> None:
    stop, other = two.hold(0), two.hold(1)
    effects = two.command("flatten", instrument=T0, reason="news")
    assert [e.client_id for e in effects if isinstance(e, CancelOrder)] == [stop]
    answer = effects[-1]
    assert isinstance(answer, CommandDone)
    assert answer.detail == f"entries of {T0} are halted; 1 position is being sold"
    (order,) = [e for e in two.end(stop, "cancelled") if isinstance(e, SubmitOrder)]
    assert (order.kind, order.lots, order.reason) == ("exit", -10, "operator")
    two.fill(order.client_id, -10)
    assert (two.held(0), two.held(1)) == (0, 10)
    assert two.state.orders[other].open
    assert two.halts == [(0, BY_FLATTEN)]
    two.command("resume", reason="calm")
    assert two.halts == []


def test_flatten_sells_what_a_late_execution_still_bought(two: TwoInstruments) -> None:
    entry = two.enter(0)
    two.accept(entry)
    effects = two.command("flatten")
    assert [e.client_id for e in effects if isinstance(e, CancelOrder)] == [entry]
    sent = two.orders_of(two.fill(entry, 4))
    assert sent == [("exit", -4)], "no stop is placed under it"


def test_flatten_waits_for_differences_and_for_the_venue(two: TwoInstruments) -> None:
    two.hold(0)
    stop = two.hold(1)
    trade_of_a_person(two, 3)
    effects = two.command("flatten")
    assert [e.client_id for e in effects if isinstance(e, CancelOrder)] == [stop]
    answer = effects[-1]
    assert isinstance(answer, CommandDone)
    assert answer.detail.endswith(
        "1 position is being sold; 1 position is not: differences stand, settle them first"
    )
    two.take(VenueDown(two.at_ms))
    (answer,) = two.command("flatten")
    assert isinstance(answer, CommandDone)
    assert answer.detail.endswith("2 positions are sold once the venue is back")


def test_force_exit_sells_one_position_without_a_halt(two: TwoInstruments) -> None:
    stop = two.hold(0)
    two.command("force-exit", instrument="T0/USDT", reason="test")
    (order,) = [e for e in two.end(stop, "cancelled") if isinstance(e, SubmitOrder)]
    assert (order.kind, order.lots, order.reason) == ("exit", -10, "operator")
    (answer,) = two.command("force-exit", instrument=T0)
    assert isinstance(answer, CommandDone)
    assert answer.detail == "1 position is being sold"
    two.fill(order.client_id, -10)
    assert (two.halts, two.held(0)) == ([], 0)


def test_an_instrument_is_removed_only_when_it_is_flat(two: TwoInstruments) -> None:
    two.hold(0)
    remove = {"action": "remove", "instrument": T0}
    assert refused(two, "symbols", **remove) == "test:T0/USDT is not flat: `ares flatten` first"
    two.command("symbols", action="remove", instrument=T1)
    assert two.halts == [(1, BY_REMOVAL)]
    assert refused(two, "symbols", action="remove", instrument=T1) == (
        "test:T1/USDT was removed already"
    )
    refused(two, "resume")
    two.state = restore(two.setup, snapshot(two.state))
    assert two.halts == [(1, BY_REMOVAL)], "over a restart, and no resume ends it"
    two.command("symbols", action="add", instrument=T1)
    assert two.halts == []


def test_an_instrument_with_an_entry_on_its_way_is_not_flat(two: TwoInstruments) -> None:
    two.enter(0)
    assert "is not flat" in refused(two, "symbols", action="remove", instrument=T0)


def test_stop_and_snapshot_are_answered(two: TwoInstruments) -> None:
    for verb, detail in (("stop", "the engine stops"), ("snapshot", "a snapshot is written")):
        (answer,) = two.command(verb, reason="test")
        assert isinstance(answer, CommandDone)
        assert answer.detail == detail


def test_a_learner_is_asked_for_a_training(engine_of: Any) -> None:
    engine = engine_of()
    command = CommandGiven("c", engine.now_ms, "ada", "learn", {"instrument": "T0/USDT"})
    requested, answer = step(engine.state, command, Models({}))
    assert requested == TrainingRequested(0, engine.state.at_ms, "ada")
    assert answer.detail == "a training of test:T0/USDT is requested"  # type: ignore[union-attr] # CommandDone


def test_slots_change_for_the_version_that_was_seen_only(engine_of: Any) -> None:
    engine = engine_of()
    engine.bars()
    engine.publish("second")
    champion = engine.state.slots[0].hash

    def give(n: int, verb: str, version: str) -> Any:
        args = {"instrument": "T0/USDT", "reason": "test"}
        command = CommandGiven(f"c{n}", engine.now_ms, "ada", verb, args, 0, version)
        return step(engine.state, command, Models(engine_scorers()))

    (refusal,) = give(1, "promote", "0123456789")
    assert refusal.reason == f"the champion is {champion[:12]} by now, not 0123456789"
    (refusal,) = give(2, "promote", champion[:4])
    assert isinstance(refusal, CommandRefused)
    changed, *_, answer = give(3, "promote", champion[:12])
    assert (changed.move, changed.who, changed.reason) == ("promoted", "ada", "test")
    assert isinstance(answer, CommandDone)
    *_, answer = give(4, "rollback", "")
    assert answer.detail == f"rollback of test:T0/USDT: the champion is {champion[:12]}"


def engine_scorers() -> Any:
    return EveryScorer()


class EveryScorer(dict[str, Any]):
    """A scorer for every package."""

    def __contains__(self, _: object) -> bool:
        return True

    def __missing__(self, _: str) -> Any:
        return lambda rows: [0.5] * len(rows)


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
    assert answer.detail == "1 halt ended; 1 for differences stand: settle them"
    assert two.halts == [(0, BY_DIFFERENCE)]
