"""The models' journal cannot be cut, exchanged or given two champions without it being said."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from ares.domain.errors import ExternalError, UserError
from ares.domain.model_life import EnsembleArchived, EnsemblePromoted
from ares.journal.log import Writer
from ares.runtime.registry.journal_head import head_path, read_whole
from ares.runtime.registry.model_journal import (
    models_journal,
    read_registry,
    record,
    refusals_journaled,
    who,
    writing,
)

NOW = datetime(2024, 1, 1, tzinfo=UTC)


def archived(name: str) -> EnsembleArchived:
    return EnsembleArchived(name, "now", "me", "test")


def promotion(target: str, previous: str, environment: str = "paper") -> EnsemblePromoted:
    return EnsemblePromoted(
        environment, "binance:BTC/USDT", target, previous, "now", "me", "why", True
    )


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Return the folder of journals, with three records of models in it."""
    record(tmp_path, [archived("a"), archived("b")])
    record(tmp_path, [promotion("c", "")])
    return tmp_path


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
    journal: Path, harm: Callable[[Path], object]
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


def test_a_journal_written_anew_in_its_place_is_not_believed(journal: Path) -> None:
    folder = models_journal(journal)
    shutil.rmtree(folder)
    writer = Writer(folder)
    for name in "xyz":
        writer.append(msgspec.msgpack.encode(archived(name)))
    writer.close()
    with pytest.raises(ExternalError, match="was replaced"):
        read_registry(journal)


def test_a_journal_may_be_ahead_of_its_head_and_a_head_may_be_missing(journal: Path) -> None:
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


def test_two_champions_in_the_journal_are_a_forgery(journal: Path) -> None:
    """Chained and counted as it should be, and still no promotion follows from another one."""
    record(journal, [promotion("d", "c"), promotion("e", "", "live")])
    assert read_registry(journal).champions("paper") == {"binance:BTC/USDT": "d"}
    record(journal, [promotion("e", "c")])
    with pytest.raises(
        ExternalError, match=r"names two champions of binance:BTC/USDT in paper \(d"
    ):
        read_registry(journal)


@pytest.mark.parametrize(
    "content",
    [
        {"type": "Dethroned", "ensemble_hash": "c"},
        {"environment": "paper", "ensemble_hash": "c"},  # from before records had a type
    ],
)
def test_a_record_of_another_version_is_named(journal: Path, content: dict[str, str]) -> None:
    folder = models_journal(journal)
    writer = Writer(folder)
    writer.append(msgspec.msgpack.encode(content))
    writer.close()
    with pytest.raises(ExternalError, match="a record that this version of Ares does not know"):
        read_registry(journal)


def test_a_refusal_by_an_error_is_journaled_and_raised(journal: Path) -> None:
    with (
        pytest.raises(UserError, match="no such"),
        refusals_journaled(journal, "import", "x.onnx", now=lambda: NOW),
    ):
        raise UserError("no such model")
    denied = read_registry(journal).refusals[-1]
    assert (denied.action, denied.target, denied.reason) == ("import", "x.onnx", "no such model")
    assert denied.at == "2024-01-01T00:00:00+00:00"
    assert denied.who == who()


def test_a_journal_that_cannot_be_written_does_not_hide_the_reason(journal: Path) -> None:
    emptied(models_journal(journal))
    with (
        pytest.raises(UserError, match="no such"),
        refusals_journaled(journal, "import", "x.onnx"),
    ):
        raise UserError("no such model")


def test_what_happened_to_a_model_comes_in_order(journal: Path) -> None:
    record(journal, [promotion("d", "c"), archived("c")])
    assert read_registry(journal).records_on("c") == [
        promotion("c", ""),
        promotion("d", "c"),
        archived("c"),
    ]


def test_nothing_is_written_where_the_block_fails(journal: Path) -> None:
    with pytest.raises(ZeroDivisionError), writing(journal):
        _ = 1 // 0
    assert len(read_whole(models_journal(journal))) == 3
    record(journal, [archived("d")])
