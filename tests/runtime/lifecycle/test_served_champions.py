"""Runs and registry are compared: what an engine changed by itself, and what is taken over next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.runtime.engine.test_journaled_champions import KEY, JournaledEngine, hash_of

from ares.domain.model_life import EnsemblePromoted
from ares.runtime.lifecycle.served_champions import ServedChampion, served_champions
from ares.runtime.registry.registry_state import RegistryState


def promoted(name: str, previous: str = "", environment: str = "paper") -> EnsemblePromoted:
    before = hash_of(previous) if previous else ""
    return EnsemblePromoted(environment, KEY, hash_of(name), before, "t", "ada", "why", False)


def served(journals: Path, *records: Any, **more: Any) -> tuple[ServedChampion, ...]:
    rows, problems = served_champions(journals, RegistryState(records), **more)
    assert problems == ()
    return rows


def test_where_they_agree_nothing_is_found(tmp_path: Path) -> None:
    JournaledEngine(tmp_path / "paper").bars()
    assert served(tmp_path, promoted("first")) == ()
    assert served(tmp_path / "empty", promoted("first")) == ()


def test_a_challenger_that_the_engine_promoted_is_found(tmp_path: Path) -> None:
    engine = JournaledEngine(tmp_path / "paper")
    engine.publish("second")
    engine.bars(6 * 60)
    [row] = served(tmp_path, promoted("first"))
    assert row == ServedChampion(
        "paper", KEY, hash_of("second"), hash_of("first"), False, engine.moves[-1].ts_ms, "engine",
        "3 hours as canary without an objection",
    )  # fmt: skip
    assert served(tmp_path, promoted("first"), environments=["live", "history"]) == ()


def test_a_promotion_in_the_registry_waits_for_the_next_start(tmp_path: Path) -> None:
    JournaledEngine(tmp_path / "paper").bars()
    [row] = served(tmp_path, promoted("first"), promoted("second", "first"))
    assert (row.ensemble_hash, row.registry_hash) == (hash_of("first"), hash_of("second"))
    assert row.is_pending


def test_a_journal_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    engine = JournaledEngine(tmp_path / "paper")
    engine.journal.sync()
    [segment] = (tmp_path / "paper").glob("*.journal")
    segment.write_bytes(b"x" * 100)
    rows, [problem] = served_champions(tmp_path, RegistryState())
    assert rows == ()
    assert problem.startswith("which champions paper serves is not known: ")
