"""Moves of models, composed: a refusal is journaled; a failed sync is a warning of the move."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ares.bootstrap.lifecycle import (
    archive,
    export_model,
    find_model,
    import_bundle,
    import_onnx,
    list_models,
    promote,
    rollback,
    validate,
)
from ares.config.workspace import Workspace
from ares.domain.errors import AresError, UserError
from ares.domain.model import Ensemble
from ares.runtime.registry.model_journal import read_registry

MakeWorkspace = Callable[..., Workspace]
KEY = "simulated:BTC/USDT"


@pytest.mark.parametrize(
    ("action", "move"),
    [
        ("promote", lambda w: promote(w, "zzz", "history", False, None)),
        ("rollback", lambda w: rollback(w, "BTC/USDT", None, "history")),
        ("archive", lambda w: archive(w, "zzz")),
        ("validate", lambda w: validate(w, "zzz", "history")),
        ("import", lambda w: import_bundle(w, Path("none.zip"))),
        ("import", lambda w: import_onnx(w, Path("none.onnx"), "BTC/USDT", "1h")),
    ],
)
def test_a_refused_move_is_one_line_and_journaled(
    workspace_of: MakeWorkspace, action: str, move: Callable[[Workspace], object]
) -> None:
    workspace = workspace_of(bars=3)
    with pytest.raises(AresError) as caught:
        move(workspace)
    assert "\n" not in str(caught.value)
    (refusal,) = read_registry(workspace.journal_dir).refusals
    assert (refusal.action, refusal.reason) == (action, str(caught.value))


@pytest.mark.parametrize(("symbol", "interval"), [("", "1h"), ("BTC/USDT", "")])
def test_an_onnx_model_needs_its_instrument_and_its_interval(
    workspace_of: MakeWorkspace, symbol: str, interval: str
) -> None:
    with pytest.raises(UserError, match="say what it is a model of: -s BTC/USDT -i 1h"):
        import_onnx(workspace_of(), Path("mine.onnx"), symbol, interval)


def test_a_move_is_done_and_a_failed_sync_of_mlflow_is_its_warning(archived_root: Path) -> None:
    workspace = Workspace(archived_root)
    ensemble = read_registry(workspace.journal_dir).champions("history")[KEY]
    workspace.mlflow_path.write_bytes(b"no database" * 300)
    result = promote(workspace, ensemble[:12], "paper", True, "rehearsal")
    assert any("was not brought up to date" in line for line in result.warnings)
    assert read_registry(workspace.journal_dir).champions("paper") == {KEY: ensemble}


def test_models_travel_from_one_workspace_to_another(
    archived_root: Path, workspace_of: MakeWorkspace, tmp_path: Path
) -> None:
    here, there = Workspace(archived_root), workspace_of()
    ensemble = find_model(here, KEY).model
    assert isinstance(ensemble, Ensemble)
    export_model(here, ensemble.hash, tmp_path / "out.zip")
    bundle, _ = import_bundle(there, tmp_path / "out.zip")
    assert bundle.ensemble == ensemble
    assert find_model(there, ensemble.hash[:12]).model == ensemble
    assert read_registry(there.journal_dir).champions("history") == {}
    assert len(list_models(there).stored.packages) == len(ensemble.members)
