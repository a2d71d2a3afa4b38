"""A journal of an older format reads as the entries that this version would have written."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ares.domain.errors import ExternalError, UserError
from ares.domain.events import BarsClosed, DecisionMade, EngineStarted, RunStarted
from ares.domain.order_events import (
    CancelOrder,
    ExecutionBooked,
    OrderAccepted,
    OrderEnded,
    OrderFilled,
    OrderMoved,
    SubmitOrder,
)
from ares.domain.run import RunSetup
from ares.domain.timeframe import Timeframe
from ares.journal.log import HEAD, LENGTH_MASK, chain, genesis
from ares.journal.run import RunJournal, RunReader, entries, epochs, setup_of

SETUP = RunSetup("history/x", (), (Timeframe.M1,), -1, 0, 1, 0, 10.0, {}, 0.25, {"kernel": "k"})


def order(client_id: str, kind: str, lots: int) -> dict[str, Any]:
    return {
        "type": "SubmitOrder", "client_id": client_id, "instrument": 1, "kind": kind, "lots": lots,
        "price_ticks": 7, "reason": "signal", "p": 0.6, "edge_bps": 9.0, "barrier_bps": 40.0,
    }  # fmt: skip


def filled(client_id: str, ts_ms: int, lots: int, remaining: int) -> dict[str, Any]:
    return {
        "type": "OrderFilled", "client_id": client_id, "ts_ms": ts_ms, "lots": lots,
        "price_ticks": 100, "fee_units": 2, "remaining": remaining,
    }  # fmt: skip


OLD: list[tuple[Any, list[Any]]] = [
    (msgspec.to_builtins(RunStarted(SETUP)), []),
    (
        {"type": "BarsClosed", "ts_ms": 10, "ohlcv": b"", "present": b"", "flat": b"",
         "warming": False},
        [order("a", "entry", 5)],
    ),
    ({"type": "OrderAccepted", "client_id": "a", "ts_ms": 11}, []),
    (filled("a", 12, 3, 2), [order("s", "stop", -3)]),
    (filled("a", 12, 2, 0), [{"type": "CancelOrder", "client_id": "s", "instrument": 1}]),
    ({"type": "OrderCancelled", "client_id": "s", "ts_ms": 13}, [order("r", "exit", -5)]),
    (
        {"type": "OrderRejected", "client_id": "r", "ts_ms": 14, "price_ticks": 99,
         "reason": "collar"},
        [],
    ),
    ({"type": "EngineStarted", "hashes": {"kernel": "j"}, "after_seq": 7}, []),
]  # fmt: skip


def write_old(folder: Path, records: list[tuple[Any, list[Any]]], version: int = 3) -> None:
    """Write a journal as an older format was."""
    raw, before = b"", genesis(version)
    for seq, (event, effects) in enumerate(records, 1):
        head = (seq, event) if version == 3 else (seq, 99, 0, 0, event)
        for kind, body in ((b"E", head), (b"F", (seq, effects))):
            payload = kind + msgspec.msgpack.encode(body)
            before = chain(before, payload)
            raw += HEAD.pack(len(payload), len(payload) ^ LENGTH_MASK, before) + payload
    folder.mkdir(exist_ok=True)
    (folder / "000001.journal").write_bytes(raw)


def test_every_old_event_reads_as_its_successor(tmp_path: Path) -> None:
    write_old(tmp_path, OLD)
    found = list(entries(tmp_path))
    assert [entry.seq for entry in found] == list(range(1, len(OLD) + 1))
    assert [entry.at_ms for entry in found] == [0, 10, 11, 12, 12, 13, 14, 14]
    assert [entry.event for entry in found[2:]] == [
        OrderAccepted("a", 11),
        OrderFilled("a", 12, 3, 100, 2, "4"),
        OrderFilled("a", 12, 2, 100, 2, "5"),
        OrderEnded("s", 13, "cancelled", 0),
        OrderEnded("r", 14, "rejected", 0, "collar", 99),
        EngineStarted({"kernel": "j"}, 7, ""),
    ]
    stop = SubmitOrder("s", 1, "stop", -3, 7, "signal", 0.6, 9.0, 40.0)
    assert found[2].effects == [OrderMoved("a", 1, 11, "accepted")]
    assert found[3].effects == [
        ExecutionBooked("a", 1, 12, 3, 100, 2, "4"), OrderMoved("a", 1, 12, "partly_filled"), stop,
    ]  # fmt: skip
    assert found[4].effects == [
        ExecutionBooked("a", 1, 12, 2, 100, 2, "5"), OrderMoved("a", 1, 12, "filled"),
        CancelOrder("s", 1), OrderMoved("s", 1, 12, "cancelling"),
    ]  # fmt: skip
    assert found[5].effects[0] == OrderMoved("s", 1, 13, "cancelled")
    assert found[6].effects == [OrderMoved("r", 1, 14, "rejected")]
    assert setup_of(tmp_path) == SETUP
    assert [(e.first_seq, e.hashes) for e in epochs(tmp_path)] == [
        (1, {"kernel": "k"}), (8, {"kernel": "j"}),
    ]  # fmt: skip


def test_bars_of_format_4_say_what_they_are_for(tmp_path: Path) -> None:
    head = {"type": "BarsClosed", "ohlcv": b"o", "present": b"p", "flat": b"f"}
    decided = DecisionMade(20, b"", 1, 2)
    records: list[tuple[Any, list[Any]]] = [
        (msgspec.to_builtins(RunStarted(SETUP)), []),
        (head | {"ts_ms": 10, "warming": True}, []),
        (head | {"ts_ms": 20, "warming": False}, [decided]),
        (msgspec.to_builtins(EngineStarted({"kernel": "j"}, 3, "n")), []),
    ]
    write_old(tmp_path, records, 4)
    _, warm, closing, started = entries(tmp_path)
    assert warm.event == BarsClosed(10, b"o", b"p", b"f", "warm")
    assert closing.event == BarsClosed(20, b"o", b"p", b"f")
    assert closing.effects == [decided]
    assert started.event == EngineStarted({"kernel": "j"}, 3, "n")
    assert {entry.at_ms for entry in entries(tmp_path)} == {99}
    with pytest.raises(UserError, match="has format 4, written by an older version"):
        RunJournal(tmp_path)
    write_old(tmp_path, [*records, ({"type": "MoonLanded", "ts_ms": 15}, [])], 4)
    with pytest.raises(ExternalError, match="does not know"):
        list(entries(tmp_path))


def test_a_late_answer_to_an_ended_order_moves_nothing(tmp_path: Path) -> None:
    write_old(tmp_path, [*OLD, ({"type": "OrderAccepted", "client_id": "a", "ts_ms": 15}, [])])
    assert list(entries(tmp_path))[-1].effects == []


def test_nothing_is_appended_to_an_old_journal(tmp_path: Path) -> None:
    write_old(tmp_path, OLD)
    before = (tmp_path / "000001.journal").read_bytes()
    with pytest.raises(UserError, match="has format 3, written by an older version"):
        RunJournal(tmp_path)
    assert (tmp_path / "000001.journal").read_bytes() == before


def test_what_no_version_wrote_is_one_line(tmp_path: Path) -> None:
    write_old(tmp_path, [*OLD, ({"type": "MoonLanded", "ts_ms": 15}, [])])
    with pytest.raises(ExternalError, match="does not know"):
        list(entries(tmp_path))
    write_old(tmp_path, [(OLD[0][0], [{"type": "MoonLanded"}])])
    with pytest.raises(ExternalError, match="does not know"):
        list(entries(tmp_path))


def test_the_run_of_an_archived_workspace_is_read(archived_root: Path) -> None:
    (folder,) = (path for path in (archived_root / "journal" / "history").iterdir())
    reader = RunReader(folder)
    counts: Counter[str] = Counter()
    booked: Counter[str] = Counter()
    for entry in reader:
        counts[type(entry.event).__name__] += 1
        for effect in entry.effects:
            counts[type(effect).__name__] += 1
            if isinstance(effect, ExecutionBooked):
                booked[effect.client_id] += effect.lots
    assert reader.version == 3
    assert counts["BarsClosed"] > 100
    assert counts["OrderFilled"] == counts["ExecutionBooked"] > 0
    assert counts["SubmitOrder"] >= len(booked) > 0
