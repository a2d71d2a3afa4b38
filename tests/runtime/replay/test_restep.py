"""A run is opened for re-stepping: by the same code, from its own first snapshot, undamaged."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ares.core.snapshot import snapshot
from ares.domain.errors import ExternalError, UserError
from ares.domain.events import RunStarted
from ares.journal.run import JournalReader, journaled_now
from ares.runtime.replay.certify import certify
from ares.runtime.replay.restep import first_state, open_run, restep, stepped_states, stepping


@pytest.fixture
def forged(done: Any, tmp_path: Path) -> Path:
    """Return a copy of the run, to be changed."""
    shutil.copytree(done.folder, tmp_path / "run")
    return tmp_path / "run"


def test_a_damaged_first_snapshot_is_reported(world: Any, forged: Path) -> None:
    (first, *_) = sorted((forged / "snapshots").iterdir())
    raw = bytearray(first.read_bytes())
    raw[-1] ^= 1
    first.write_bytes(raw)
    for check in (restep, certify):
        with pytest.raises(ExternalError, match="first snapshot is missing or damaged"):
            check(forged, world.models)


def test_another_runs_first_snapshot_is_not_believed(
    world: Any, forged: Path, tmp_path: Path
) -> None:
    richer = world.with_(cash_quote=20_000.0)
    richer.run(tmp_path / "other", stopped=world.stop_after(1))
    name = "000000000000.snapshot"
    shutil.copy(tmp_path / "other" / "snapshots" / name, forged / "snapshots" / name)
    with pytest.raises(ExternalError, match="first snapshot is missing or damaged"):
        restep(forged, world.models)


def test_no_run_is_a_user_error(world: Any, tmp_path: Path) -> None:
    for folder in (tmp_path / "none", tmp_path):
        for check in (restep, certify):
            with pytest.raises(UserError, match="no run"):
                check(folder, world.models)


def test_a_damaged_journal_is_one_line(world: Any, forged: Path) -> None:
    path = forged / "000001.journal"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 4
    path.write_bytes(raw)
    for check in (restep, certify):
        with pytest.raises(ExternalError, match="damaged at byte"):
            check(forged, world.models)


def with_hashes(event: Any, **hashes: str) -> Any:
    """Return the first event of a run with other hashes, other events as they are."""
    if not isinstance(event, RunStarted):
        return event
    setup = event.setup
    return RunStarted(msgspec.structs.replace(setup, hashes=setup.hashes | hashes))


@pytest.mark.parametrize("name", ["kernel", "features", "engine"])
def test_a_run_of_other_code_is_not_compared(world: Any, forged: Path, name: str) -> None:
    world.forge(forged, lambda _, event, effects: (with_hashes(event, **{name: "x"}), effects))
    for check in (restep, certify):
        with pytest.raises(UserError, match=rf"made by another version of Ares \({name} differs\)"):
            check(forged, world.models)


def test_other_settings_are_the_same_code(world: Any, forged: Path) -> None:
    world.forge(forged, lambda _, event, effects: (with_hashes(event, settings="x"), effects))
    for check in (restep, certify):
        assert check(forged, world.models).mismatches == 0


def test_states_on_the_way_are_those_of_stepping_to_each_alone(world: Any, forged: Path) -> None:
    setup = open_run(forged)
    journal = journaled_now(forged)
    seqs = [2, 3, journal.seq_max // 2, journal.seq_max]
    first = first_state(forged, setup)
    found = stepped_states(first, setup, journal, seqs, world.models)
    for seq, state in zip(seqs, found, strict=True):
        alone = first_state(forged, setup)
        for _ in stepping(alone, setup, JournalReader(forged, seq), world.models):
            pass
        assert snapshot(state) == snapshot(alone)
