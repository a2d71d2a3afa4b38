"""A refit before the gate, in a worker: heard, examined and judged as `ares models validate` does.

The candidate was trained on candles that had closed by a virtual instant, and its window bounds
what the hearing reads: no later candle is looked at. One number of the evidence is a measured time
(that of a row); it enters as its limit where it keeps it, so that two runs have equal verdicts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from ares.adapters.layered_store import LayeredModelStore
from ares.adapters.worker_pool import InlinePool
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.model import Ensemble
from ares.domain.model_life import VerdictBasis, hash_of
from ares.domain.trial import Trial
from ares.kernel.features.columns import columns_hash
from ares.kernel.jit import kernel_hash
from ares.kernel.trade.confidence import probability_positive
from ares.learn.gate.evidence_builder import MemberChecks, examine
from ares.learn.gate.trials import recipes_tried
from ares.learn.gate.verdict import GateLimits, judge
from ares.runtime.trade_rules import rules_of
from ares.runtime.validation.evaluator import EnsembleEvaluator, is_joined, user_of
from ares.runtime.validation.validate import limits_of
from ares.runtime.validation.verdict_file import VerdictFile


@dataclass(frozen=True, slots=True)
class JudgeJob:
    """Judge a refit.

    workspace : with its settings read, so that they are those of the run.
    models    : the run's own store of models.
    champion  : which it must not be worse than; None: it must beat staying flat.
    trials    : all that were counted when the run was taken up.
    at        : virtual time of the verdict, as cards write it.
    """

    workspace: Workspace
    models: Path
    environment: str
    candidate: Ensemble
    champion: Ensemble | None
    trials: tuple[Trial, ...]
    at: str
    who: str


@dataclass(frozen=True, slots=True)
class JudgeDone:
    """The verdict as its file says it, and the mode confidence of the candidate's validation."""

    said: VerdictFile
    confidence: float


def judge_refit(job: JudgeJob) -> JudgeDone:
    """Return the verdict on a refit; raise UserMistake where it cannot be heard or examined."""
    workspace, candidate = job.workspace, job.candidate
    shelves = LayeredModelStore(job.models, workspace.models_dir)
    court = EnsembleEvaluator(workspace, InlinePool(), _silent, shelves)
    heard = court.hear(candidate, job.champion)
    limits = limits_of(workspace)
    try:
        examined = examine(
            heard.candidate,
            heard.champion,
            _timeless(heard.checked, limits),
            court.terms(candidate),
            limits,
            job.trials,
        )
    except ValueError as error:
        raise UserError(f"{candidate.instrument} cannot be judged: {error}") from None
    verdict = judge(examined.evidence, limits, workspace.settings.promotion.rule)
    said = VerdictFile(
        candidate.hash,
        candidate.instrument,
        job.environment,
        verdict,
        verdict.hash,
        examined.evidence,
        limits,
        _basis(job),
        heard.notes,
        job.at,
        job.who,
    )
    own = candidate.validation
    n = float(own.trades)
    confidence = probability_positive(n, own.mean_bps, own.sd_bps**2 * n)
    return JudgeDone(said, float(confidence))


def _timeless(checked: MemberChecks, limits: GateLimits) -> MemberChecks:
    """Return the checks with the time of a row as its limit, where it keeps it."""
    measured = checked.inference_us
    if measured is None or measured > limits.inference_us_max:
        return checked
    return replace(checked, inference_us=limits.inference_us_max)


def _basis(job: JudgeJob) -> VerdictBasis:
    """Return what the verdict rests on: as for a person's, but with the run's own champion."""
    workspace, candidate = job.workspace, job.candidate
    rules = rules_of(workspace.settings)
    terms = {name: getattr(rules, name) for name in rules.__slots__}
    return VerdictBasis(
        champion="" if job.champion is None else job.champion.hash,
        rule=workspace.settings.promotion.rule,
        limits=hash_of(limits_of(workspace)),
        terms=hash_of([terms, workspace.settings.account.capital_quote]),
        trials=recipes_tried(
            job.trials,
            candidate.instrument,
            candidate.recipe_hash,
            alone=not is_joined(candidate),
        ),
        code=hash_of([kernel_hash(), columns_hash(user_of(workspace))]),
    )


def verdict_bytes(said: VerdictFile) -> bytes:
    """Return the content of a verdict's file; the same verdict gives the same bytes."""
    return msgspec.json.format(msgspec.json.encode(said, order="sorted"), indent=2) + b"\n"


def _silent(_done: int, _total: int, _what: str) -> None:
    pass
