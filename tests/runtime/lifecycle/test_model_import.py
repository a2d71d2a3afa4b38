"""A user's own ONNX model: tried on stored rows, kept as a candidate, or refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ares.adapters.model_store import ModelStore
from ares.bootstrap.lifecycle import import_onnx
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.model import Validation
from ares.domain.model_life import ModelsImported
from ares.domain.package import sha256
from ares.runtime.lifecycle.model_import import NOTE, ROWS_MIN
from ares.runtime.registry.model_journal import read_registry

if TYPE_CHECKING:
    from tests.runtime.conftest import World

NOW = datetime(2024, 1, 2, 12, 0, 0, tzinfo=UTC)


def test_it_is_kept_as_a_candidate_of_its_own(world: World) -> None:
    graph = world.graph_of(world.first)
    done, _ = import_onnx(world.workspace, graph, "BTC/USDT", "1h", now=lambda: NOW)
    card = done.package.card
    assert (card.name, card.origin) == ("binance_BTC-USDT_1h_imported", "imported")
    assert card.recipe_hash == sha256(graph.read_bytes())
    assert card.metrics["note"] == NOTE
    assert card.validation == Validation()  # measured on rows that it may have seen: no evidence
    store = ModelStore(world.workspace.models_dir)
    assert store.ensemble(done.ensemble.hash) == done.ensemble
    registry = read_registry(world.workspace.journal_dir)
    imported = registry.records[-1]
    assert isinstance(imported, ModelsImported)
    assert (imported.packages, imported.ensemble_hash) == ((card.ref,), done.ensemble.hash)
    assert registry.status(done.ensemble.hash) == "candidate"


def test_a_file_that_is_no_model_is_refused_and_nothing_is_stored(
    world: World, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"rubbish")
    before = sorted((world.workspace.models_dir / "packages").rglob("*"))
    for path, interval, message in (
        (tmp_path / "none.onnx", "1h", "there is no such file"),
        (tmp_path, "1h", "there is no such file"),
        (bad, "1h", "is no ONNX model"),
        (world.graph_of(world.first), "7m", "unknown interval '7m'"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            import_onnx(world.workspace, path, "BTC/USDT", interval, now=lambda: NOW)
        assert "\n" not in str(caught.value)
        assert message in world.last_refusal().reason
    assert sorted((world.workspace.models_dir / "packages").rglob("*")) == before


def test_too_few_rows_show_nothing_about_a_model(
    trained: World, tmp_path: Path, workspace_of: Callable[..., Workspace]
) -> None:
    small = workspace_of(tmp_path / "small", ("BTC/USDT",), n=300)
    with pytest.raises(UserError, match=rf"too few to try a model on \(wanted {ROWS_MIN}\)"):
        import_onnx(small, trained.graph_of(trained.first), "BTC/USDT", "1h", now=lambda: NOW)
    assert not list(small.models_dir.rglob("model.onnx"))
