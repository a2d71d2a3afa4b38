"""From stored candles to a verdict: skill passes, noise does not, and every number has a source."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from ares.adapters.model_store import ModelStore
from ares.bootstrap.lifecycle import import_onnx, promote
from ares.bootstrap.mlflow import sync_warnings
from ares.bootstrap.training import train
from ares.bootstrap.validation import (
    compare_models,
    save_verdict,
    validate_model,
    validation_config,
)
from ares.config.workspace import Workspace
from ares.domain.errors import ExternalError, UserError
from ares.domain.package import Package, sealed, sha256
from ares.kernel.features import N_FEATURES
from ares.learn.gate.verdict import Verdict, VerdictLine
from ares.runtime.registry.model_journal import read_registry
from ares.runtime.training.plan import TrainingRequest
from ares.runtime.validation.compare import recipe_differences
from ares.runtime.validation.evaluator import EnsembleEvaluator
from ares.runtime.validation.pipeline import ValidationResult

if TYPE_CHECKING:
    from tests.runtime.conftest import World


def line(verdict: Verdict, name: str) -> VerdictLine:
    return next(one for one in verdict.lines if one.name == name)


def judged(world: World, target: str, environment: str = "history") -> ValidationResult:
    return validate_model(world.workspace, target, environment, pool=world.pool)


@pytest.fixture(scope="module")
def good(trained: World) -> ValidationResult:
    return validate_model(trained.workspace, trained.refit, pool=trained.pool)


def test_a_planted_edge_passes_every_line(good: ValidationResult) -> None:
    verdict, evidence = good.verdict, good.evidence
    assert verdict.passed, verdict.failed
    assert good.notes == ()
    assert evidence.hypothesis == "beats_flat"
    assert evidence.not_reproduced == ()
    assert evidence.leak_values > 300_000
    assert evidence.parity_rows > 1_000
    assert evidence.metrics.trades > 100
    assert evidence.inference_us is not None
    assert {one.name for one in evidence.baselines} == {"buy_and_hold", "sma_cross"}
    assert line(verdict, "e_value").value == evidence.e_value
    assert good.plots is not None
    assert evidence.steps == len(good.plots.log_e) > 1_000


def test_noise_is_refused(trained: World) -> None:
    verdict = validate_model(trained.workspace, trained.noise, pool=trained.pool).verdict
    assert not verdict.passed
    assert line(verdict, "lookahead_leakage").passed
    assert line(verdict, "parity").passed
    assert line(verdict, "reproducible").passed
    assert not line(verdict, "e_value").passed


def test_what_is_judged_is_what_was_trained(trained: World, good: ValidationResult) -> None:
    """The witness' decisions are those whose numbers training printed, and the trial's returns
    are those of the judged account.
    """
    book = read_registry(trained.workspace.journal_dir)
    trial = next(t for t in book.trials if t.subject == trained.refit)
    assert good.plots is not None
    mine = good.plots.accounts["candidate"]
    assert np.array_equal(np.frombuffer(trial.daily, "<f8"), mine.daily)
    assert trial.first_day == mine.days[0]
    evaluator = EnsembleEvaluator(validation_config(trained.workspace), trained.pool)
    ensemble = ModelStore(trained.workspace.models_dir).ensemble(trained.refit)
    scores = evaluator.evaluate(ensemble, None, checks=False).candidate
    rows, p = scores.decisions(scores.from_ms, scores.to_ms)
    assert len(rows) == good.evidence.decisions
    silent = scores.signals(np.arange(scores.from_ms - 50, scores.from_ms), 22.0)
    assert np.isnan(silent.p).all()
    assert ((p > 0.0) & (p < 1.0)).all()
    assert len(set(scores.fold_numbers(rows).tolist())) >= 4


def test_the_same_candles_give_the_same_evidence(trained: World, good: ValidationResult) -> None:
    again = validate_model(trained.workspace, trained.refit, pool=trained.pool)
    one, two = good.evidence, again.evidence
    assert msgspec.structs.replace(one, inference_us=None) == msgspec.structs.replace(
        two, inference_us=None
    )


def test_trials_are_the_journals_and_mlflow_has_no_say(
    world: World, settled: Callable[..., Workspace]
) -> None:
    before = judged(world, world.refit).evidence
    assert before.trials == 2  # the recipe, tried twice, and the other one
    assert before.pbo is not None
    request = TrainingRequest(symbols=("BTC/USDT",))
    train(world.workspace, request, pool=world.pool)  # a refit
    changed = settled(world, continuous_learning={"retraining": {"patience": 5}})
    train(changed, request, pool=world.pool)  # another recipe
    three = judged(world, world.refit).evidence
    assert three.trials == 3
    (world.workspace.root / "mlflow.db").unlink()
    shutil.rmtree(world.workspace.models_dir / "mlflow", ignore_errors=True)
    after = judged(world, world.refit).evidence
    assert (after.trials, after.deflated_sharpe, after.pbo) == (
        three.trials,
        three.deflated_sharpe,
        three.pbo,
    )


def test_candles_that_changed_since_are_said_and_refused(
    world: World, corrected: Callable[[World], None]
) -> None:
    corrected(world)
    verdict = judged(world, world.refit).verdict
    assert not verdict.passed
    reproducible = line(verdict, "reproducible")
    assert not reproducible.passed
    assert "train again" in reproducible.note


@pytest.mark.parametrize("change", [{"gain": 1.9}, {"loss": 0.1}, {"width_min_bps": 500.0}])
def test_a_card_that_trades_otherwise_than_it_was_trained_is_refused(
    world: World, change: dict[str, object]
) -> None:
    """The graph is the one that was trained; what it would be traded by is not."""
    package, _ = _graph(world)
    whole = judged(world, _stored(world, sealed(package.card, dict(package.files))))
    assert line(whole.verdict, "reproducible").passed
    card = msgspec.structs.replace(package.card, files={}, **change)
    verdict = judged(world, _stored(world, sealed(card, dict(package.files)))).verdict
    assert not verdict.passed
    assert not line(verdict, "reproducible").passed


def test_a_verdict_is_kept_in_three_places(world: World) -> None:
    judgement = judged(world, world.noise)
    kept = save_verdict(world.workspace, judgement)
    assert sync_warnings(world.workspace) == ()
    said = json.loads(kept.path.read_text())
    assert kept.path.name.startswith(world.noise)
    assert kept.path.parent == world.workspace.models_dir / "verdicts"
    assert said["verdict_hash"] == judgement.verdict.hash == kept.record.verdict_hash
    assert said["evidence"]["subject"] == world.noise
    assert kept.picture.read_bytes()[:4] == b"\x89PNG"
    book = read_registry(world.workspace.journal_dir)
    assert book.verdict_on(world.noise, "history") == kept.record
    assert kept.record.file_hash == sha256(kept.path.read_bytes())
    assert book.status(world.noise) == "evaluated_inferior"
    again = save_verdict(world.workspace, judgement)
    assert again.path != kept.path
    assert sync_warnings(world.workspace) == ()
    assert _tags(world.workspace, world.noise)["verdict"] == "refused"


def _tags(workspace: Workspace, ensemble_hash: str) -> dict[str, str]:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(workspace.mlflow_uri, workspace.mlflow_uri)
    found = client.search_model_versions("")
    tags: dict[str, str] = next(
        v.tags for v in found if v.tags.get("ensemble_hash") == ensemble_hash
    )
    return tags


def test_the_champion_sets_the_question(world: World) -> None:
    promote(world.workspace, world.first, "history", True, "test")
    refit = judged(world, world.refit)
    assert refit.evidence.hypothesis == "not_worse"
    assert refit.evidence.champion_hash == world.first
    assert refit.evidence.champion is not None
    assert refit.basis.champion == world.first
    other = judged(world, world.other)
    assert other.evidence.hypothesis == "better"
    assert not line(other.verdict, "e_value").passed  # the same skill is not better
    assert judged(world, world.first, "paper").evidence.hypothesis == "beats_flat"


def test_the_simple_rule_asks_for_one_metric_only(
    world: World, settled: Callable[..., Workspace]
) -> None:
    workspace = settled(world, promotion={"rule": "simple"})
    verdict = validate_model(workspace, world.noise, pool=world.pool).verdict
    assert [one.name for one in verdict.lines if one.passed is not None] == [
        "reproducible",
        "lookahead_leakage",
        "parity",
        "simple",
    ]


def test_two_are_compared_on_the_same_bars(world: World) -> None:
    found = compare_models(world.workspace, world.refit, world.first, pool=world.pool)
    assert found.recipe == ()
    assert found.a.metrics.trades > 50
    assert found.difference.steps > 500
    assert "neither" in found.sentence
    other = compare_models(world.workspace, world.refit, world.other, pool=world.pool)
    assert ("1h.price_only", "False", "True") in other.recipe
    with pytest.raises(UserError, match="the first is for"):
        compare_models(world.workspace, world.refit, world.noise, pool=world.pool)
    with pytest.raises(UserError, match="two different"):
        compare_models(world.workspace, world.refit, world.refit, pool=world.pool)


def test_as_many_columns_are_not_the_same_columns(world: World) -> None:
    ensemble = ModelStore(world.workspace.models_dir).ensemble(world.refit)
    package, _ = _graph(world)
    columns = list(package.card.recipe["features"])
    recipe = {**package.card.recipe, "features": ["mine", *columns[1:]]}
    card = msgspec.structs.replace(package.card, recipe=recipe)
    own = msgspec.structs.replace(package, card=card)
    (line,) = recipe_differences([package], [own], ensemble, ensemble)
    assert line == ("1h.features", f"56 columns, {columns[0]} only here",
                    "56 columns, mine only here")  # fmt: skip
    assert recipe_differences([package], [package], ensemble, ensemble) == ()


def _graph(world: World) -> tuple[Package, Path]:
    models = ModelStore(world.workspace.models_dir)
    member = models.ensemble(world.refit).members[0]
    package = models.member(member)
    return package, models.folder(package.card)


@pytest.mark.parametrize("harm", ["byte", "file", "card"])
def test_a_damaged_package_is_not_judged(world: World, harm: str) -> None:
    _, folder = _graph(world)
    graph = folder / "model.onnx"
    if harm == "byte":
        raw = bytearray(graph.read_bytes())
        raw[len(raw) // 2] ^= 1
        graph.write_bytes(raw)
    elif harm == "file":
        graph.unlink()
    else:
        shutil.rmtree(folder)
    with pytest.raises(ExternalError, match=r"damaged|missing"):
        judged(world, world.refit)
    assert read_registry(world.workspace.journal_dir).verdicts == ()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"features_hash": "0" * 64}, "trained with other features"),
        ({"instruments": ("binance:ETH/USDT",)}, "was made for binance:ETH/USDT, not for"),
    ],
)
def test_a_package_for_something_else_is_not_judged(
    world: World, change: dict[str, object], says: str
) -> None:
    package, _ = _graph(world)
    card = msgspec.structs.replace(package.card, version="20230101_000000", files={}, **change)
    ensemble = _stored(world, sealed(card, dict(package.files)))
    with pytest.raises(UserError, match=says):
        judged(world, ensemble)


@pytest.mark.parametrize(
    ("kind", "says"),
    [("rubbish", "is no ONNX model"), ("nan", "gives NaN"), ("outside", "a probability lies in")],
)
def test_a_graph_that_is_no_model_is_not_judged(world: World, kind: str, says: str) -> None:
    package, _ = _graph(world)
    graph = b"rubbish" if kind == "rubbish" else _constant(float("nan") if kind == "nan" else 1.5)
    card = msgspec.structs.replace(package.card, version="20230101_000000", files={})
    ensemble = _stored(world, sealed(card, {**package.files, "model.onnx": graph}))
    with pytest.raises(UserError, match=says):
        judged(world, ensemble)


def _stored(world: World, package: Package) -> str:
    models = ModelStore(world.workspace.models_dir)
    stored = models.add(package)
    ensemble = stored.alone("binance:BTC/USDT", "2024-02-01T00:00:00Z")
    models.save_ensemble(ensemble)
    return ensemble.hash


def _constant(value: float) -> bytes:
    """Return a graph that answers every row with one value."""
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("ReduceSum", ["features", "axes"], ["total"], keepdims=1),
        helper.make_node("Mul", ["total", "zero"], ["none"]),
        helper.make_node("Add", ["none", "value"], ["probability"]),
    ]
    graph = helper.make_graph(
        nodes,
        "constant",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, N_FEATURES])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None, 1])],
        [
            helper.make_tensor("axes", TensorProto.INT64, [1], [1]),
            helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0]),
            helper.make_tensor("value", TensorProto.FLOAT, [1], [value]),
        ],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 15)])
    content: bytes = model.SerializeToString()
    return content


def test_an_imported_model_has_no_evidence_but_what_comes_after(world: World) -> None:
    """All candles are older than the import: there is nothing on which it is out of sample."""
    _, folder = _graph(world)
    done, _ = import_onnx(world.workspace, folder / "model.onnx", "BTC/USDT", "1h")
    with pytest.raises(UserError, match="no bars on which it is out of sample"):
        judged(world, done.ensemble.hash)
    book = read_registry(world.workspace.journal_dir)
    assert done.ensemble.recipe_hash in {trial.recipe_hash for trial in book.trials}
