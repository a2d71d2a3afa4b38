"""Where a run was steered: parts begin with the first decision after it."""

from __future__ import annotations

from ares.domain.events import BarsClosed, DecisionMade, Effect, Event
from ares.domain.order_events import CommandDone, CommandGiven, HaltChanged, OrderFilled
from ares.journal.run import JournalEntry, encode_effects
from ares.runtime.replay.steering import unsteered

DECISION = DecisionMade(1, b"", 0, 0)
BARS = BarsClosed(1, b"", b"", b"")


def entry(seq: int, event: Event, *effects: Effect) -> JournalEntry:
    return JournalEntry(seq, event, encode_effects(seq, list(effects)))


def given(seq: int, verb: str, *effects: Effect) -> JournalEntry:
    event = CommandGiven(str(seq), 0, "me", verb, {})
    return entry(seq, event, *effects, CommandDone(str(seq), 0, "done"))


def halted(on: bool) -> HaltChanged:
    return HaltChanged(0, 0, on, "operator", needs_person=True)


def test_nobody_steers_a_run_by_looking_at_it() -> None:
    journal = [entry(1, BARS, DECISION), given(2, "snapshot"), entry(3, BARS, DECISION)]
    assert unsteered(journal, 1, 3) == [(1, 3)]


def test_a_command_ends_a_part_before_the_next_decision() -> None:
    journal = [
        entry(1, BARS, DECISION), given(2, "breaker"), given(3, "config set"),
        entry(4, BARS, DECISION), entry(5, BARS, DECISION),
    ]  # fmt: skip
    assert unsteered(journal, 1, 5) == [(1, 3), (4, 5)]
    assert unsteered(journal, 5, 5) == [(5, 5)], "what was before a stretch is in its state"


def test_a_halt_within_a_bar_and_one_that_came_and_went() -> None:
    came_and_went = [
        entry(1, BARS, DECISION), given(2, "stop", halted(True)), given(3, "stop", halted(False)),
        entry(4, BARS, DECISION),
    ]  # fmt: skip
    assert unsteered(came_and_went, 1, 4) == [(1, 4)]
    within = [
        entry(1, BARS, DECISION, halted(True)), entry(2, BARS, DECISION), entry(3, BARS, DECISION),
    ]  # fmt: skip
    assert unsteered(within, 1, 3) == [(1, 1), (2, 3)]


def test_a_fill_within_a_late_bar_ends_a_part_before_the_next_decision() -> None:
    late = BarsClosed(1, b"", b"", b"", "late")
    fill = OrderFilled("a", 1, 1, 1, 0, "1")
    journal = [
        entry(1, BARS, DECISION), entry(2, fill), entry(3, BARS, DECISION),
        entry(4, late), entry(5, BARS, DECISION), entry(6, fill), entry(7, late), entry(8, fill),
        entry(9, late), entry(10, fill), entry(11, BARS, DECISION), entry(12, BARS, DECISION),
    ]  # fmt: skip
    assert unsteered(journal, 1, 12) == [(1, 9), (10, 12)]
    assert unsteered([*journal[:9], *journal[10:]], 1, 12) == [(1, 10), (11, 12)]
