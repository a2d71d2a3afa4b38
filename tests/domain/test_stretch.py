"""A stretch is the entries that it stands for."""

from __future__ import annotations

import struct

import msgspec

from ares.domain.events import BarsClosed, DailyLossReached, DecisionMade, ModeChanged
from ares.domain.stretch import BarsStretch

FACTS = (DailyLossReached(20, 0.5), ModeChanged(0, 20, "LEARNING", "TRADING", 0.9))
STRETCH = BarsStretch(
    7,
    struct.pack("<2q", 10, 20),
    struct.pack("<20d", *range(20)),
    b"\1\0\1\1",
    b"\0\0\1\0",
    struct.pack("<20d", *range(100, 120)),
    struct.pack("<4q", 1, 2, -3, 4),
    ((1, FACTS),),
)


def test_its_entries_are_single_instants() -> None:
    first = BarsClosed(10, struct.pack("<10d", *range(10)), b"\1\0", b"\0\0")
    second = BarsClosed(20, struct.pack("<10d", *range(10, 20)), b"\1\1", b"\1\0")
    outputs = [struct.pack("<10d", *range(k, k + 10)) for k in (100, 110)]
    assert list(STRETCH.entries()) == [
        (7, first, [DecisionMade(10, outputs[0], 1, 2)]),
        (8, second, [DecisionMade(20, outputs[1], -3, 4), *FACTS]),
    ]
    assert (len(STRETCH), STRETCH.last_seq, STRETCH.last_ms) == (2, 8, 20)


def test_it_is_stored_and_read_as_it_was() -> None:
    raw = msgspec.msgpack.encode(STRETCH)
    assert msgspec.msgpack.decode(raw, type=BarsStretch) == STRETCH
