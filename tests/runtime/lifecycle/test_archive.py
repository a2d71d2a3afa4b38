"""An archived ensemble is not promoted any more, and a champion is not archived."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ares.adapters.model_store import ModelStore
from ares.bootstrap.lifecycle import archive
from ares.runtime.lifecycle.promotion import PromotionResult
from ares.runtime.registry.model_journal import read_registry
from ares.runtime.validation.target import find

if TYPE_CHECKING:
    from tests.runtime.conftest import World


def test_archiving_takes_a_model_out_of_use_but_never_a_champion(world: World) -> None:
    world.force(world.refit)
    (refusal,) = archive(world.workspace, world.refit).refused
    assert "is champion in history" in refusal
    assert archive(world.workspace, world.other, "old") == PromotionResult(
        (), (), (), (world.other,)
    )
    assert read_registry(world.workspace.journal_dir).status(world.other) == "archived"
    (refusal,) = archive(world.workspace, world.other).refused
    assert "archived already" in refusal
    world.let_pass(world.other)
    assert "is archived" in world.promote(world.other).refused[0]


@pytest.fixture
def with_champion(world: World) -> World:
    """Return the world with a champion that must stay it."""
    world.let_pass(world.first)
    assert world.promote(world.first).promoted
    return world


def test_a_symbol_does_not_mean_what_is_archived(with_champion: World) -> None:
    models = ModelStore(with_champion.workspace.models_dir)
    newest = find(models, "BTC/USDT").hash
    assert newest != with_champion.champion()
    assert archive(with_champion.workspace, "BTC/USDT").refused == ()
    out = read_registry(with_champion.workspace.journal_dir).archived
    assert newest in out
    assert find(models, "BTC/USDT", out).hash not in out
    assert find(models, newest[:12], out).hash == newest  # named by itself it is found


def test_an_archived_model_is_not_forced_either(with_champion: World) -> None:
    archive(with_champion.workspace, with_champion.other)
    assert "is archived: train again" in with_champion.force(with_champion.other).refused[0]
    assert with_champion.champion() == with_champion.first
