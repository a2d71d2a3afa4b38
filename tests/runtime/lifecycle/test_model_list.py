"""The list of models names champions that are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ares.adapters.model_store import ModelStore
from ares.runtime.lifecycle.model_list import missing_champions
from ares.runtime.registry.model_journal import read_registry

if TYPE_CHECKING:
    from tests.runtime.conftest import World


def test_a_champion_that_is_not_stored_any_more_is_named(world: World) -> None:
    world.force(world.first)
    models = ModelStore(world.workspace.models_dir)
    book = read_registry(world.workspace.journal_dir)
    assert missing_champions(models.listed(), book) == []
    models.ensemble_path(models.ensemble(world.first)).unlink()
    [output] = missing_champions(models.listed(), book)
    assert output.startswith(f"{world.first[:12]} is champion of binance:BTC/USDT in history")
