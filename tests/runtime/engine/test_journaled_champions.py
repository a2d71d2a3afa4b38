"""Which champion a run serves is read from its journal: a snapshot, and what came after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.core.conftest import Engine

from ares.core.snapshot import snapshot
from ares.domain.errors import ExternalError
from ares.domain.events import RunStarted
from ares.domain.model_events import ModelPublished, SlotChangeRequested
from ares.journal.run import RunJournal
from ares.journal.snapshots import save_snapshot
from ares.runtime.engine.journaled_champions import JournaledChampion, journaled_champions

KEY = "test:T0/USDT"


class JournaledEngine(Engine):
    """An engine that journals what it does."""

    def __init__(self, folder: Path, **more: Any) -> None:
        super().__init__(**more)
        self.folder, self.journal = folder, RunJournal(folder)
        self.take(RunStarted(self.state.setup))

    def take(self, event: Any) -> None:
        self.journal.event(self.state.seq + 1, event)
        n = len(self.moves)
        super().take(event)
        self.journal.effects(self.state.seq, list(self.moves[n:]))
        self.journal.write()

    def save(self) -> None:
        self.journal.sync()
        setup, position = self.state.setup, self.journal.position
        save_snapshot(self.folder, self.state.seq, snapshot(self.state), position, setup)

    @property
    def found(self) -> JournaledChampion:
        (row,) = journaled_champions(self.folder)
        return row


@pytest.fixture
def engine(tmp_path: Path) -> JournaledEngine:
    return JournaledEngine(tmp_path)


def hash_of(name: str) -> str:
    return Engine.ensemble(name).hash


def test_where_nothing_was_journaled_there_is_no_champion(tmp_path: Path) -> None:
    assert journaled_champions(tmp_path / "paper") == ()


def test_a_run_begins_with_the_champion_of_its_setup(engine: JournaledEngine) -> None:
    assert engine.found == JournaledChampion(KEY, hash_of("first"), hash_of("first"))


@pytest.mark.parametrize("saved_before", [False, True])
def test_a_promotion_by_the_engine_is_found_with_its_cause(
    engine: JournaledEngine, saved_before: bool
) -> None:
    engine.publish("second")
    if saved_before:
        engine.save()
    engine.bars(6 * 60)
    assert [change.move for change in engine.moves] == ["published", "canary", "promoted"]
    found, promoted = engine.found, engine.moves[-1]
    assert (found.ensemble_hash, found.taken_hash) == (hash_of("second"), hash_of("first"))
    assert (found.since_ms, found.who, found.reason) == (
        promoted.ts_ms, "engine", "3 hours as canary without an objection",
    )  # fmt: skip


def test_after_a_snapshot_the_cause_is_forgotten_and_the_champion_is_not(
    engine: JournaledEngine,
) -> None:
    engine.publish("second")
    engine.bars(6 * 60)
    before = engine.found
    engine.save()
    engine.bars()
    assert engine.found == JournaledChampion(
        KEY, before.ensemble_hash, before.taken_hash, before.since_ms
    )


def test_a_champion_that_was_withdrawn_is_none(engine: JournaledEngine) -> None:
    engine.trades(0, 0.01, 30)
    engine.bars()
    assert engine.moves[-1].move == "withdrawn"
    found = engine.found
    assert (found.ensemble_hash, found.taken_hash) == ("", hash_of("first"))
    assert (found.since_ms, found.who) == (engine.moves[-1].ts_ms, "engine")


@pytest.mark.parametrize("saved", [False, True])
def test_what_was_taken_over_from_the_registry_is_known(
    engine: JournaledEngine, saved: bool
) -> None:
    second, now_ms = Engine.ensemble("second"), engine.now_ms
    engine.take(
        ModelPublished(now_ms, 0, second, "champion", False, "", "ada", "test", from_registry=True)
    )
    if saved:
        engine.save()
    assert (engine.found.ensemble_hash, engine.found.taken_hash) == (second.hash, second.hash)
    engine.take(SlotChangeRequested(now_ms, 0, "withdraw", "start", "reverted"))
    assert (engine.found.ensemble_hash, engine.found.taken_hash) == ("", "")


def test_a_snapshot_of_another_layout_is_refused_in_one_line(engine: JournaledEngine) -> None:
    engine.journal.sync()
    raw = msgspec.msgpack.encode({"slots": 7})
    save_snapshot(engine.folder, engine.state.seq, raw, engine.journal.position)
    with pytest.raises(ExternalError, match=r"cannot be read .*: start the engine once with this"):
        journaled_champions(engine.folder)
