"""A first judgement: the champion, the trials, and models that were imported."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from ares.bootstrap.lifecycle import import_onnx, promote
from ares.bootstrap.training import train
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.learn.gate.verdict import Verdict, VerdictLine
from ares.runtime.registry.model_journal import read_registry
from ares.runtime.training.plan import TrainingRequest

if TYPE_CHECKING:
    from tests.runtime.conftest import World


def line(verdict: Verdict, name: str) -> VerdictLine:
    return next(one for one in verdict.lines if one.name == name)


def test_the_champion_decides_the_hypothesis(world: World) -> None:
    promote(world.workspace, world.first, "history", True, "test")
    refit = world.validated(world.refit)
    assert refit.evidence.hypothesis == "not_worse"
    assert refit.evidence.champion_hash == world.first
    assert refit.evidence.champion is not None
    assert refit.basis.champion == world.first
    other = world.validated(world.other)
    assert other.evidence.hypothesis == "better"
    assert not line(other.verdict, "e_value").passed  # the same skill is not better
    assert world.validated(world.first, "paper").evidence.hypothesis == "beats_flat"


def test_trials_are_counted_in_the_journal_not_in_mlflow(
    world: World, settled: Callable[..., Workspace]
) -> None:
    before = world.validated(world.refit).evidence
    assert before.trials == 2  # the recipe, tried twice, and the other one
    assert before.pbo is not None
    request = TrainingRequest(symbols=("BTC/USDT",))
    train(world.workspace, request, pool=world.pool)  # a refit
    changed = settled(world, continuous_learning={"retraining": {"patience": 5}})
    train(changed, request, pool=world.pool)  # another recipe
    three = world.validated(world.refit).evidence
    assert three.trials == 3
    (world.workspace.root / "mlflow.db").unlink()
    shutil.rmtree(world.workspace.models_dir / "mlflow", ignore_errors=True)
    after = world.validated(world.refit).evidence
    assert (after.trials, after.deflated_sharpe, after.pbo) == (
        three.trials,
        three.deflated_sharpe,
        three.pbo,
    )


def test_an_imported_model_is_out_of_sample_only_after_its_import(world: World) -> None:
    """All candles are older than the import: there is nothing on which it is out of sample."""
    done, _ = import_onnx(world.workspace, world.graph_of(world.refit), "BTC/USDT", "1h")
    with pytest.raises(UserError, match="no bars on which it is out of sample"):
        world.validated(done.ensemble.hash)
    registry = read_registry(world.workspace.journal_dir)
    assert done.ensemble.recipe_hash in {trial.recipe_hash for trial in registry.trials}


def test_with_the_promise_of_its_training_window_later_bars_are_evidence(world: World) -> None:
    graph = world.graph_of(world.refit)
    unknown, _ = import_onnx(world.workspace, graph, "BTC/USDT", "1h")
    card = unknown.package.card
    trained_to_ms = (card.data_from_ms + card.data_to_ms) // 2
    done, _ = import_onnx(world.workspace, graph, "BTC/USDT", "1h", trained_to_ms)
    assert done.package.card.trained_to_ms == trained_to_ms
    assert 0 < done.metrics.rows < unknown.metrics.rows
    result = world.validated(done.ensemble.hash)
    assert result.evidence.from_ms > trained_to_ms
    assert any("(--trained-to): only later bars count" in note for note in result.notes)
    with pytest.raises(UserError, match="0 rows were decided after it"):
        import_onnx(world.workspace, graph, "BTC/USDT", "1h", card.data_to_ms)
