"""From stored candles to a verdict: skill passes, noise does not, two runs agree."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from ares.adapters.model_store import ModelStore
from ares.bootstrap.validation import (
    validate_model,
    validation_config,
)
from ares.config.workspace import Workspace
from ares.domain.package import sealed
from ares.learn.gate.verdict import Verdict, VerdictLine
from ares.runtime.registry.model_journal import read_registry
from ares.runtime.validation.evaluator import EnsembleEvaluator
from ares.runtime.validation.pipeline import (
    ValidationResult,
    series_ablations,
    validate_inline,
)
from ares.runtime.validation.request import ValidationRequest

if TYPE_CHECKING:
    from tests.runtime.conftest import World


def line(verdict: Verdict, name: str) -> VerdictLine:
    return next(one for one in verdict.lines if one.name == name)


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
    assert {each.name for each in evidence.baselines} == {"buy_and_hold", "sma_cross"}
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


def test_the_scores_are_those_of_the_training(trained: World, good: ValidationResult) -> None:
    """The decisions are those whose metrics training printed, and the trial's returns are those of
    the evaluated account.
    """
    registry = read_registry(trained.workspace.journal_dir)
    trial = next(t for t in registry.trials if t.subject == trained.refit)
    assert good.plots is not None
    account = good.plots.accounts["candidate"]
    assert np.array_equal(np.frombuffer(trial.daily, "<f8"), account.daily)
    assert trial.first_day == account.days[0]
    evaluator = EnsembleEvaluator(validation_config(trained.workspace), trained.pool)
    ensemble = ModelStore(trained.workspace.models_dir).ensemble(trained.refit)
    scores = evaluator.evaluate(ensemble, None, checks=False).candidate
    rows, p = scores.decisions(scores.from_ms, scores.to_ms)
    assert len(rows) == good.evidence.decisions
    before = scores.signals(np.arange(scores.from_ms - 50, scores.from_ms), 22.0)
    assert np.isnan(before.p).all()
    assert ((p > 0.0) & (p < 1.0)).all()
    assert len(set(scores.fold_numbers(rows).tolist())) >= 4


def test_a_series_without_bars_for_its_ablation_is_a_remark(trained: World) -> None:
    config = validation_config(trained.workspace)
    ensemble = ModelStore(trained.workspace.models_dir).ensemble(trained.refit)
    evaluation = EnsembleEvaluator(config, trained.pool).evaluate(ensemble, None, checks=False)
    candidate = evaluation.candidate
    twins = {"rate": candidate, "funding": replace(candidate, steps=())}
    found, remarks = series_ablations(
        replace(evaluation, twins=twins), config.account_terms(ensemble), config.limits
    )
    assert [ablation.series for ablation in found] == ["rate"]
    assert remarks == (
        "no ablation of funding: the ensemble and its twin without funding share no "
        "out-of-sample bars",
    )


def test_the_same_candles_give_the_same_evidence(trained: World, good: ValidationResult) -> None:
    again = validate_model(trained.workspace, trained.refit, pool=trained.pool)
    first, second = (
        msgspec.structs.replace(result.evidence, inference_us=None) for result in (good, again)
    )
    assert first == second


def test_changed_candles_are_not_reproducible(
    world: World, corrected: Callable[[World], None]
) -> None:
    corrected(world)
    verdict = world.validated(world.refit).verdict
    assert not verdict.passed
    reproducible = line(verdict, "reproducible")
    assert not reproducible.passed
    assert "train again" in reproducible.note


@pytest.mark.parametrize("change", [{"gain": 1.9}, {"loss": 0.1}, {"width_min_bps": 500.0}])
def test_a_card_with_another_trade_is_not_reproducible(
    world: World, change: dict[str, object]
) -> None:
    """The graph is the one that was trained; what it would be traded by is not."""
    package = world.package_of(world.refit)
    whole = world.validated(world.stored(sealed(package.card, dict(package.files))))
    assert line(whole.verdict, "reproducible").passed
    card = msgspec.structs.replace(package.card, files={}, **change)
    verdict = world.validated(world.stored(sealed(card, dict(package.files)))).verdict
    assert not verdict.passed
    assert not line(verdict, "reproducible").passed


def test_the_simple_rule_limits_one_metric(world: World, settled: Callable[..., Workspace]) -> None:
    workspace = settled(world, promotion={"rule": "simple"})
    verdict = validate_model(workspace, world.noise, pool=world.pool).verdict
    assert [each.name for each in verdict.lines if each.passed is not None] == [
        "reproducible",
        "lookahead_leakage",
        "parity",
        "plausible",
        "simple",
    ]


def test_a_repeatable_request_gives_equal_verdicts(trained: World) -> None:
    """A refit's verdict is the same in every run: a latency that keeps its limit enters as it."""
    config = validation_config(trained.workspace)
    ensemble = ModelStore(trained.workspace.models_dir).ensemble(trained.refit)
    trials = read_registry(trained.workspace.journal_dir).trials
    request = ValidationRequest(config, "history", ensemble, None, trials, repeatable=True)
    sent = pickle.loads(pickle.dumps(request))
    first, second = validate_inline(request), validate_inline(sent)
    assert first.verdict == second.verdict
    assert first.basis == second.basis
    assert first.plots is None
    assert first.evidence.inference_us == config.limits.inference_us_max
    assert line(first.verdict, "inference_latency_us").passed
    slow = msgspec.structs.replace(config.limits, inference_us_max=1e-6)
    result = validate_inline(replace(request, config=replace(config, limits=slow)))
    assert result.evidence.inference_us is not None
    assert result.evidence.inference_us > 1e-6  # one that breaks the limit stays as measured
    assert not line(result.verdict, "inference_latency_us").passed
