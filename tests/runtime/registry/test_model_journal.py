"""The models' journal cannot be cut, exchanged or given two champions without it being said."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from ares.bootstrap.training import train
from ares.domain.errors import AresError, ExternalError, UserError
from ares.domain.model_life import EnsembleArchived
from ares.journal.lock import Lock
from ares.journal.writer import Writer
from ares.runtime.registry.journal_head import head_path, read_whole
from ares.runtime.registry.model_journal import (
    models_journal,
    read_registry,
    record,
    refusals_journaled,
    who,
    writing,
)
from ares.runtime.training.plan import TrainingRequest

if TYPE_CHECKING:
    from tests.runtime.conftest import World

NOW = datetime(2024, 1, 1, tzinfo=UTC)


def test_two_champions_in_the_journal_are_a_forgery(
    journal: Path, promotion: Callable[..., Any]
) -> None:
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
    assert denied.at == "2024-01-01T00:00:00Z"
    assert denied.who == who()


def test_a_journal_that_cannot_be_written_does_not_hide_the_reason(journal: Path) -> None:
    for path in models_journal(journal).glob("*.journal"):
        path.write_bytes(b"")
    with (
        pytest.raises(UserError, match="no such"),
        refusals_journaled(journal, "import", "x.onnx"),
    ):
        raise UserError("no such model")


def test_nothing_is_written_where_the_block_fails(
    journal: Path, archived: Callable[..., Any]
) -> None:
    with pytest.raises(ZeroDivisionError), writing(journal):
        _ = 1 // 0
    assert len(read_whole(models_journal(journal))) == 3
    record(journal, [archived("d")])


def test_a_writer_waits_for_another_and_names_it(world: World) -> None:
    folder = models_journal(world.workspace.journal_dir)
    lock = Lock(folder)
    with (
        pytest.raises(ExternalError, match="another training or promotion"),
        writing(world.workspace.journal_dir),
    ):
        pass
    threading.Timer(0.2, lock.release).start()
    record(world.workspace.journal_dir, [EnsembleArchived("x", "now", "me", "test")])
    assert "x" in read_registry(world.workspace.journal_dir).archived


def test_a_promotion_torn_at_any_byte_never_was(world: World) -> None:
    """A crash while it is written leaves the head where it was."""
    folder = models_journal(world.workspace.journal_dir)
    world.force(world.first)
    head = head_path(folder).read_bytes()
    world.force(world.refit)
    (path,) = folder.glob("*.journal")
    whole = path.read_bytes()
    last = len(world.journal()[-1]) + 24
    head_path(folder).write_bytes(head)
    seen = set()
    for cut in range(len(whole) - last, len(whole), 7):
        path.write_bytes(whole[:cut])
        seen.add(world.champion())
    path.write_bytes(whole)
    assert world.champion() == world.refit
    assert seen == {world.first}
    path.write_bytes(whole[:-3])
    assert world.force(world.other).promoted[0].previous_hash == world.first


def test_damage_is_found_before_anything_is_decided_on_it(world: World) -> None:
    world.force(world.first)
    (path,) = models_journal(world.workspace.journal_dir).glob("*.journal")
    raw = bytearray(path.read_bytes())
    raw[40] ^= 1
    path.write_bytes(raw)
    for ask in (world.champion, lambda: world.force(world.refit)):
        with pytest.raises(AresError, match="damaged at byte 0") as raised:
            ask()
        assert raised.value.exit_code == 3
    assert path.read_bytes() == raw


def test_two_champions_are_found_before_a_training_makes_anything(world: World) -> None:
    world.force(world.first)
    forged = read_registry(world.workspace.journal_dir).promotions[-1]
    with writing(world.workspace.journal_dir) as append:
        append(msgspec.structs.replace(forged, ensemble_hash=world.other))
    packages = world.workspace.models_dir / "packages"
    before = sorted(packages.rglob("*"))
    with pytest.raises(ExternalError, match="names two champions"):
        train(world.workspace, TrainingRequest(symbols=("BTC/USDT",)), pool=world.pool)
    assert sorted(packages.rglob("*")) == before
