"""The one pipeline of evidence and verdicts, for a first judgement and for a refit alike.

Request -> member scores (in workers or inline) -> ensemble scores -> evidence -> verdict. The
verdict is saved by ``verdict_file``. A comparison uses the same stages up to the ensemble scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ares.adapters.worker_pool import InlinePool, WorkerPool
from ares.domain.errors import UserError
from ares.domain.model import Ensemble
from ares.domain.model_life import VerdictBasis, hash_of
from ares.domain.trial import Trial
from ares.kernel.features.columns import columns_hash
from ares.kernel.jit import kernel_hash
from ares.learn.gate.account import AccountTerms
from ares.learn.gate.evidence import Evidence
from ares.learn.gate.evidence_builder import EvidencePlots, MemberChecks, build_evidence
from ares.learn.gate.plausible import Attestation
from ares.learn.gate.series_ablation import AblationResult, ablation
from ares.learn.gate.trials import recipes_tried
from ares.learn.gate.verdict import PLAUSIBLE, GateLimits, Verdict, judge
from ares.runtime.validation.evaluator import EnsembleEvaluation, EnsembleEvaluator
from ares.runtime.validation.request import (
    OnProgress,
    ValidationConfig,
    ValidationRequest,
    no_progress,
)


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """A verdict with everything that it rests on; nothing is written yet.

    notes     : remarks that a person should read beside it.
    ablations : what each external series adds.
    plots     : series for the picture; None where they were left in a worker.
    attestation : a person's word that the verdict rests on; None: it needs none.
    """

    ensemble: Ensemble
    environment: str
    verdict: Verdict
    limits: GateLimits
    evidence: Evidence
    basis: VerdictBasis
    notes: tuple[str, ...]
    ablations: tuple[AblationResult, ...]
    plots: EvidencePlots | None
    attestation: Attestation | None = None


def validate(
    request: ValidationRequest,
    pool: WorkerPool | None = None,
    on_progress: OnProgress = no_progress,
) -> ValidationResult:
    """Return the verdict on an ensemble.

    pool : in which members are scored; None: processes of its own.

    Raises UserError where a walk-forward cannot be repeated, or no bars are out of sample.
    """
    config, candidate, champion = request.config, request.candidate, request.champion
    evaluator = EnsembleEvaluator(config, pool, on_progress)
    evaluation = evaluator.evaluate(candidate, champion)
    terms, limits = config.account_terms(candidate), config.limits
    checks = evaluation.checks
    if request.repeatable:
        checks = _with_latency_limit(checks, limits)
    try:
        result = build_evidence(
            evaluation.candidate, evaluation.champion, checks, terms, limits, request.trials
        )
    except ValueError as error:
        hint = ""
        if any("was imported" in note for note in evaluation.notes):
            hint = ": import newer candles, or import it with --trained-to DATE"
        raise UserError(
            f"{candidate.instrument} {candidate.hash[:12]} cannot be validated: {error}{hint}"
        ) from None
    on_progress(1, 1, "evidence")
    ablations, left_out = series_ablations(evaluation, terms, limits)
    attestation = _needed(request.attestation, result.evidence, limits)
    return ValidationResult(
        candidate,
        request.environment,
        judge(result.evidence, limits, config.rule, attestation),
        limits,
        result.evidence,
        verdict_basis(config, candidate, "" if champion is None else champion.hash, request.trials),
        (*evaluation.notes, *left_out),
        ablations,
        result.plots,
        attestation,
    )


def validate_inline(request: ValidationRequest) -> ValidationResult:
    """Return the verdict on an ensemble, all in this process: the job of a worker.

    The plots stay behind: nobody draws a refit's picture.
    """
    return replace(validate(request, InlinePool()), plots=None)


def verdict_basis(
    config: ValidationConfig, ensemble: Ensemble, champion_hash: str, trials: Sequence[Trial]
) -> VerdictBasis:
    """Return what a verdict on an ensemble rests on beside the ensemble itself."""
    rules = config.rules
    terms = {name: getattr(rules, name) for name in rules.__slots__}
    return VerdictBasis(
        champion=champion_hash,
        rule=config.rule,
        limits=hash_of(config.limits),
        terms=hash_of([terms, config.cash_quote]),
        trials=recipes_tried(
            trials,
            ensemble.instrument,
            ensemble.recipe_hash,
            single_package=not ensemble.aggregated,
        ),
        code=hash_of([kernel_hash(), columns_hash(config.user_features())]),
    )


def _needed(
    given: Attestation | None, evidence: Evidence, limits: GateLimits
) -> Attestation | None:
    """Return a person's word where the results are not plausible without it."""
    if given is None:
        return None
    failed = {line.name for line in judge(evidence, limits).failed}
    return given if PLAUSIBLE in failed else None


def _with_latency_limit(checks: MemberChecks, limits: GateLimits) -> MemberChecks:
    """Return the checks with the limit in place of a measured latency that keeps it."""
    measured = checks.inference_us
    if measured is None or measured > limits.inference_us_max:
        return checks
    return replace(checks, inference_us=limits.inference_us_max)


def series_ablations(
    evaluation: EnsembleEvaluation, terms: AccountTerms, limits: GateLimits
) -> tuple[tuple[AblationResult, ...], tuple[str, ...]]:
    """Return the ablation of each external series, and a remark for each that has no bars."""
    found, left_out = [], []
    for series, twin in evaluation.twins.items():
        try:
            found.append(ablation(series, evaluation.candidate, twin, terms, limits))
        except ValueError:
            left_out.append(
                f"no ablation of {series}: the ensemble and its twin without {series} share no "
                "out-of-sample bars"
            )
    return tuple(found), tuple(left_out)
