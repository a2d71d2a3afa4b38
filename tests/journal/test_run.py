"""The journal of a run: every event and effect comes back as it was, in pairs, or it is damage."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import msgspec
import pytest

from ares.domain.errors import ExternalError
from ares.domain.events import (
    BarsClosed,
    BreakerChanged,
    DailyLossReached,
    DecisionMade,
    Effect,
    EngineStarted,
    Event,
    ModeChanged,
    RunStarted,
    SignalRefused,
    TradeClosed,
    VirtualTradeOpened,
)
from ares.domain.holding_events import DifferenceFound, DifferenceSettled
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.order_events import (
    AccountSeen,
    AmendOrder,
    AmendRefused,
    AskAccount,
    CancelOrder,
    CancelRefused,
    ClockSkewMeasured,
    CommandDone,
    CommandGiven,
    CommandRefused,
    EventRefused,
    ExecutionBooked,
    HaltChanged,
    OrderAbsent,
    OrderAccepted,
    OrderAmended,
    OrderEnded,
    OrderFilled,
    OrderMoved,
    OrderUnknown,
    QueryOrder,
    StopMissing,
    Stopping,
    SubmitOrder,
    TimeReached,
    VenueDown,
    VenueUp,
)
from ares.domain.run import RunInstrument, RunSetup
from ares.domain.stretch import BarsStretch
from ares.domain.timeframe import Timeframe
from ares.journal.run import (
    EFFECTS,
    EVENT,
    STRETCH,
    JournalReader,
    RunJournal,
    RunReader,
    decode_effects,
    encode_effects,
    entries,
    journaled_now,
    setup_of,
)
from ares.journal.writer import Writer

SETUP = RunSetup(
    "history/x", (RunInstrument(InstrumentSpec(Instrument("v", "A/B"), 2, 3), 60_000, None, True),),
    (Timeframe.M1,), -1, 0, 1, 0, 10.0, {"fee_bps": 1.0}, 0.25, {"kernel": "k"}, "f",
)  # fmt: skip
EVENTS: list[Event] = [
    RunStarted(SETUP),
    EngineStarted({"kernel": "k"}, 1, "nonce"),
    BarsClosed(5, b"\0\1", b"\1", b"\0", "catch_up", True),
    OrderAccepted("a", 1),
    OrderAccepted("a", 1, "venue's id"),
    OrderFilled("a", 2, -3, 4, 5, "x1"),
    OrderFilled("b", 2, 3, 4, 5, "x2", 1, 7),
    OrderEnded("a", 1, "rejected", 0, "why", 2, 3),
    OrderEnded("a", 1, "cancelled"),
    OrderUnknown("a", 1, "timed out"),
    OrderAbsent("a", 1, True, 2),
    CancelRefused("a", 1, "ended"),
    OrderAmended("a", 1, -3, 4),
    AmendRefused("a", 1, "no"),
    VenueDown(1, "closed"),
    VenueUp(1, 2),
    AccountSeen(2, 1, True, (3, -4), ("a",)),
    ClockSkewMeasured(1, -2),
    TimeReached(1),
    CommandGiven("c", 1, "ada", "halt", {"instrument": "v:A/B"}, 9),
    Stopping(1),
]
EVERY_EFFECT: list[Effect] = [
    SubmitOrder("a", 0, "entry", 10**15, 7, "signal", 0.6, math.inf, 1e-300),
    CancelOrder("a", 0), DecisionMade(5, b"\xff" * 40, -1, 2**62),
    SignalRefused(0, 5, "cash", 0.6, 9.0, 40.0),
    TradeClosed(0, False, 1, 2, 3.5, 4.5, 5, -6, 7, -8.5, 0.6, 9.0, "stop", "allowed", 0.9),
    ModeChanged(0, 5, "LEARNING", "TRADING", 0.8), BreakerChanged(-1, 5, "b", "x", "y", 0.5),
    DailyLossReached(5, 0.05), VirtualTradeOpened(0, 5, "cash", 9.0),
    SubmitOrder("a", 0, "stop", -3, 7, "stop", 0.6, 9.0, 40.0, 7, 99),
    AmendOrder("a", 0, -3, 7), QueryOrder("a", 0), AskAccount(5), OrderMoved("a", 0, 5, "unknown"),
    ExecutionBooked("a", 0, 5, -3, 4, 5, "x1"), StopMissing(0, 5, 3, "rejected"),
    DifferenceFound(0, 5, "balance", "why", "", 3, 4, 5), DifferenceSettled(0, 5, "ada", 3, -4),
    HaltChanged(-1, 5, True, "starting", False), CommandDone("c", 5, "done"),
    CommandRefused("c", 5, "no"), EventRefused(-1, 5, "late"),
]  # fmt: skip


def test_every_event_and_effect_comes_back(tmp_path: Path) -> None:
    journal = RunJournal(tmp_path)
    for seq, event in enumerate(EVENTS, 1):
        journal.event(seq, event)
        journal.effects(seq, EVERY_EFFECT if seq == 3 else [])
    journal.close()
    found = list(entries(tmp_path))
    assert [entry.seq for entry in found] == list(range(1, len(EVENTS) + 1))
    assert [entry.event for entry in found] == EVENTS
    assert [entry.effects for entry in found] == [
        EVERY_EFFECT if seq == 3 else [] for seq in range(1, len(EVENTS) + 1)
    ]
    assert found[2].effects_raw == encode_effects(3, EVERY_EFFECT)
    assert setup_of(tmp_path) == SETUP


def test_an_event_without_effects_is_the_crash_and_only_at_the_end(tmp_path: Path) -> None:
    journal = RunJournal(tmp_path)
    journal.event(1, EVENTS[0])
    journal.close()
    (entry,) = entries(tmp_path)
    assert (entry.effects_raw, entry.effects) == (None, [])
    journal = RunJournal(tmp_path)
    journal.event(2, EVENTS[3])
    journal.close()
    with pytest.raises(ExternalError, match="continues after event 1 with a record"):
        list(entries(tmp_path))


@pytest.mark.parametrize(
    "records",
    [[b"F\x92\x01\x90"], [b"X"], [b""]],
    ids=["effects of nothing", "another kind", "nothing"],
)
def test_a_record_that_cannot_stand_there_is_one_line(tmp_path: Path, records: list[bytes]) -> None:
    writer = Writer(tmp_path)
    event = EVENT + msgspec.msgpack.encode((1, 0, 0, 0, EVENTS[0]))
    for record in (event, EFFECTS + encode_effects(1, []), *records):
        writer.append(record)
    writer.close()
    with pytest.raises(ExternalError, match="a record of the wrong kind") as raised:
        list(entries(tmp_path))
    assert "\n" not in str(raised.value)


def test_events_and_effects_of_another_version_are_one_line(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.append(EVENT + msgspec.msgpack.encode((1, {"type": "MoonLanded", "ts_ms": 1})))
    writer.close()
    for ask in (lambda: list(entries(tmp_path)), lambda: setup_of(tmp_path)):
        with pytest.raises(ExternalError, match="does not know") as raised:
            ask()
        assert "\n" not in str(raised.value)
    with pytest.raises(ExternalError, match="does not know"):
        decode_effects(msgspec.msgpack.encode((1, [{"type": "MoonLanded"}])))


def test_a_journal_of_something_else_is_no_run(tmp_path: Path) -> None:
    assert setup_of(tmp_path) is None
    journal = RunJournal(tmp_path)
    journal.event(1, EVENTS[3])
    journal.effects(1, [])
    journal.close()
    with pytest.raises(ExternalError, match="does not begin with RunStarted"):
        setup_of(tmp_path)


def test_a_reader_ends_where_the_journal_did_when_it_was_opened(tmp_path: Path) -> None:
    journal = RunJournal(tmp_path)

    def write(first: int, end: int) -> None:
        for seq in range(first, end):
            journal.event(seq, BarsClosed(seq, b"", b"", b""))
            journal.effects(seq, [])
        journal.sync()

    write(1, 6)
    reader = journaled_now(tmp_path)
    write(6, 9)
    journal.close()
    assert [entry.seq for entry in reader] == [1, 2, 3, 4, 5]
    assert [entry.seq for entry in reader] == [1, 2, 3, 4, 5], "read again"
    assert [entry.seq for entry in JournalReader(tmp_path, 2)] == [1, 2]


def stretch_of(seq: int, n: int) -> BarsStretch:
    """Return calm instants of one instrument, the last with a fact."""
    times = struct.pack(f"<{n}q", *range(1_000, 1_000 + n))
    fact = (n - 1, (DailyLossReached(1_000 + n - 1, 0.5),))
    return BarsStretch(
        seq, times, bytes(40 * n), b"\1" * n, bytes(n), bytes(40 * n), bytes(16 * n), (fact,)
    )


def test_a_stretch_is_read_as_its_entries_and_as_a_whole(tmp_path: Path) -> None:
    stretch = stretch_of(2, 3)
    journal = RunJournal(tmp_path)
    journal.event(1, RunStarted(SETUP))
    journal.effects(1, [])
    journal.stretch(stretch)
    journal.event(5, TimeReached(9), 9)
    journal.effects(5, [])
    journal.close()
    assert list(RunReader(tmp_path).parts())[1] == stretch
    found = list(entries(tmp_path))
    assert [e.seq for e in found] == [1, 2, 3, 4, 5]
    assert [e.at_ms for e in found[1:4]] == [1_000, 1_001, 1_002]
    assert [e.effects for e in found[1:4]] == [effects for _, _, effects in stretch.entries()]
    raw = [encode_effects(seq, effects) for seq, _, effects in stretch.entries()]
    assert [e.effects_raw for e in found[1:4]] == raw
    assert [e.seq for e in JournalReader(tmp_path, 3)] == [1, 2, 3]


def test_an_instant_of_a_stretch_is_durable_with_all_of_it(tmp_path: Path) -> None:
    journal = RunJournal(tmp_path, sync_ms=None)
    journal.event(1, RunStarted(SETUP))
    journal.effects(1, [])
    journal.stretch(stretch_of(2, 3))
    for seq in (2, 4):
        assert journal.durable(seq).done()
    journal.event(5, TimeReached(9), 9)
    journal.effects(5, [])
    journal.durable(5).result(5.0)
    assert [e.seq for e in entries(tmp_path)] == [1, 2, 3, 4, 5]
    journal.close()


def test_a_stretch_that_is_not_known_is_refused_in_one_line(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.append(STRETCH + msgspec.msgpack.encode(["moon"]))
    writer.close()
    with pytest.raises(ExternalError, match="holds an event that this version"):
        list(entries(tmp_path))
