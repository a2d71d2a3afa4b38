"""The past of a run: walked as often as one likes, blind to what is written behind it."""

from __future__ import annotations

from pathlib import Path

from ares.domain.events import BarsClosed
from ares.journal.run import JournalReader, RunJournal, journaled_now


def test_the_past_is_what_stood_there_when_it_was_asked_for(tmp_path: Path) -> None:
    journal = RunJournal(tmp_path)

    def write(first: int, end: int) -> None:
        for seq in range(first, end):
            journal.event(seq, BarsClosed(seq, b"", b"", b""))
            journal.effects(seq, [])
        journal.sync()

    write(1, 6)
    past = journaled_now(tmp_path)
    write(6, 9)
    journal.close()
    assert [entry.seq for entry in past] == [1, 2, 3, 4, 5]
    assert [entry.seq for entry in past] == [1, 2, 3, 4, 5], "walked again"
    assert [entry.seq for entry in JournalReader(tmp_path, 2)] == [1, 2]
