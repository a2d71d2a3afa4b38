"""A journal is read while it is written: each entry once, nothing before it is whole."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from ares.domain.errors import ExternalError
from ares.domain.order_events import TimeReached
from ares.domain.stretch import BarsStretch
from ares.journal.log import START, Position
from ares.journal.run import RunJournal
from ares.journal.tail import JournalReplaced, JournalTail
from ares.journal.writer import Writer


def written(journal: RunJournal, first: int, last: int) -> None:
    for seq in range(first, last + 1):
        journal.event(seq, TimeReached(seq))
        journal.effects(seq, [])
    journal.write()


def seqs(tail: JournalTail, entries_max: int = 10**9) -> list[int]:
    return [entry.seq for entry in tail.read(entries_max)]


def test_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    tail = JournalTail(tmp_path / "none")
    assert seqs(tail) == []
    journal = RunJournal(tmp_path, sync_ms=None)
    tail = JournalTail(tmp_path)
    assert seqs(tail) == []
    written(journal, 1, 5)
    assert seqs(tail, 2) == [1, 2]
    assert seqs(tail) == [3, 4, 5]
    assert seqs(tail) == []
    written(journal, 6, 6)
    again = JournalTail(tmp_path, tail.position)
    assert seqs(tail) == seqs(again) == [6]
    assert tail.position == again.position == journal.position
    journal.close()


def test_it_follows_a_change_of_file(tmp_path: Path) -> None:
    journal = RunJournal(tmp_path, sync_ms=None)
    journal._writer._segment_bytes_max = 100
    tail, found = JournalTail(tmp_path), list[int]()
    for seq in range(1, 40):
        written(journal, seq, seq)
        if seq % 3 == 0:
            journal.sync()
        if seq % 4 == 0:
            found += seqs(tail)
    journal.close()
    found += seqs(tail)
    assert found == list(range(1, 40))
    assert tail.position.segment > 5


def test_every_byte_of_a_record_may_come_alone(tmp_path: Path) -> None:
    journal = RunJournal(tmp_path / "whole", sync_ms=None)
    written(journal, 1, 3)
    journal.close()
    raw = (tmp_path / "whole" / "000001.journal").read_bytes()
    part = tmp_path / "part"
    part.mkdir()
    tail, found = JournalTail(part), list[int]()
    for size in range(len(raw) + 1):
        (part / "000001.journal").write_bytes(raw[:size])
        found += seqs(tail)
        assert tail.position.offset <= size
    assert found == [1, 2, 3]


def test_an_event_waits_for_its_effects(tmp_path: Path) -> None:
    journal = RunJournal(tmp_path, sync_ms=None)
    written(journal, 1, 1)
    tail = JournalTail(tmp_path)
    assert seqs(tail) == [1]
    before = tail.position
    journal.event(2, TimeReached(2))
    journal.write()
    assert seqs(tail) == []
    assert tail.position == before
    journal.effects(2, [])
    journal.close()
    assert seqs(tail) == [2]


def test_what_a_start_cuts_off_is_never_read(tmp_path: Path) -> None:
    journal = RunJournal(tmp_path, sync_ms=None)
    written(journal, 1, 2)
    journal.close()
    path = tmp_path / "000001.journal"
    with path.open("ab") as file:
        file.write(b"half a record")
    tail = JournalTail(tmp_path)
    assert seqs(tail) == [1, 2]
    assert seqs(tail) == []
    journal = RunJournal(tmp_path, sync_ms=None)
    written(journal, 3, 3)
    journal.close()
    assert seqs(tail) == [3]


def test_damage_is_raised_at_the_second_look(tmp_path: Path) -> None:
    journal = RunJournal(tmp_path, sync_ms=None)
    written(journal, 1, 5)
    journal.close()
    path = tmp_path / "000001.journal"
    sound = path.read_bytes()
    changed = bytearray(sound)
    changed[len(sound) // 2] ^= 1
    path.write_bytes(changed)
    tail = JournalTail(tmp_path)
    found = seqs(tail)
    assert found == list(range(1, len(found) + 1))
    with pytest.raises(ExternalError, match="is damaged at byte"):
        tail.read(1)
    path.write_bytes(sound)
    assert found + seqs(tail) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("how", ["shorter", "other", "gone"])
def test_a_journal_that_was_replaced_is_noticed(tmp_path: Path, how: str) -> None:
    journal = RunJournal(tmp_path, sync_ms=None)
    written(journal, 1, 5)
    journal.close()
    path = tmp_path / "000001.journal"
    tail = JournalTail(tmp_path)
    assert len(seqs(tail)) == 5
    if how == "shorter":
        path.write_bytes(path.read_bytes()[:-30])
    else:
        path.unlink()
    if how == "other":
        writer = Writer(tmp_path)
        for k in range(40):
            writer.append(b"another payload %d" % k)
        writer.close()
    with pytest.raises(JournalReplaced, match="restored from a backup, or is of another run"):
        tail.read(1)


def test_no_position_is_in_every_journal(tmp_path: Path) -> None:
    assert JournalTail(tmp_path, START).read(1) == []
    with pytest.raises(JournalReplaced):
        JournalTail(tmp_path, Position(1, 100, b"x" * 16, 2, 10)).read(1)


def test_a_stretch_is_read_whole(tmp_path: Path) -> None:
    journal = RunJournal(tmp_path, sync_ms=None)
    written(journal, 1, 2)
    n = 5
    times = struct.pack(f"<{n}q", *range(n))
    flags = bytes(n)
    stretch = BarsStretch(3, times, bytes(40 * n), flags, flags, bytes(40 * n), bytes(16 * n))
    journal.stretch(stretch)
    written(journal, 8, 9)
    tail = JournalTail(tmp_path)
    assert seqs(tail, 1) == [1]
    assert tail.read(2)[1] == stretch, "it is not divided, however few entries are wanted"
    assert seqs(tail, 10) == [8, 9]
    journal.close()
