"""A models' journal that was cut or replaced is detected by its head."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ares.domain.errors import ExternalError
from ares.journal.writer import Writer
from ares.runtime.registry.journal_head import head_path, read_whole
from ares.runtime.registry.model_journal import (
    models_journal,
    read_registry,
    record,
)


def cut(folder: Path) -> None:
    """Cut the journal behind its first record."""
    (path,) = folder.glob("*.journal")
    raw = path.read_bytes()
    path.write_bytes(raw[: 24 + int.from_bytes(raw[:4], "little")])


def emptied(folder: Path) -> None:
    for path in folder.glob("*.journal"):
        path.write_bytes(b"")


@pytest.mark.parametrize("harm", [cut, emptied, shutil.rmtree])
def test_a_journal_that_lost_its_end_is_not_believed(
    journal: Path, harm: Callable[[Path], object], archived: Callable[..., Any]
) -> None:
    """Else champions, refusals and trials would be forgotten, to somebody's advantage."""
    folder = models_journal(journal)
    harm(folder)
    for ask in (lambda: read_registry(journal), lambda: record(journal, [archived("d")])):
        with pytest.raises(ExternalError, match=r"has lost its end: 3 records were written, [01]"):
            ask()
    head_path(folder).unlink()
    record(journal, [archived("d")])
    assert "d" in read_registry(journal).archived
    assert read_registry(journal).champions("paper") == {}


def test_a_journal_written_anew_in_its_place_is_not_believed(
    journal: Path, archived: Callable[..., Any]
) -> None:
    folder = models_journal(journal)
    shutil.rmtree(folder)
    writer = Writer(folder)
    for name in "xyz":
        writer.append(msgspec.msgpack.encode(archived(name)))
    writer.close()
    with pytest.raises(ExternalError, match="was replaced"):
        read_registry(journal)


def test_a_journal_may_be_ahead_of_its_head_and_a_head_may_be_missing(
    journal: Path, archived: Callable[..., Any]
) -> None:
    folder = models_journal(journal)
    before = head_path(folder).read_bytes()
    record(journal, [archived("d")])
    head_path(folder).write_bytes(before)  # a crash between the record and its head
    assert len(read_whole(folder)) == 4
    head_path(folder).unlink()  # a journal from before heads were kept
    assert len(read_whole(folder)) == 4
    head_path(folder).write_bytes(b"{")
    with pytest.raises(ExternalError, match="is damaged"):
        read_registry(journal)
