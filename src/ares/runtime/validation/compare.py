"""Two ensembles side by side: recipe, data, features, and what both made of the same bars."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from ares.adapters.model_store import ModelStore
from ares.adapters.worker_pool import WorkerPool
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.model import Ensemble
from ares.domain.package import Package
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import F64
from ares.learn.gate.account import EvidenceAccount, annual_sharpe
from ares.learn.gate.e_process import EProcessState
from ares.learn.gate.evidence import Figures
from ares.learn.gate.evidence_builder import figures, judged_bars, paired, window
from ares.learn.gate.oos_scores import EnsembleScores
from ares.runtime.registry.model_journal import read_registry
from ares.runtime.validation.evaluator import EnsembleEvaluator, OnProgress
from ares.runtime.validation.model_check import require_it_works
from ares.runtime.validation.validate import find, limits_of

COLUMNS_NAMED = 3


class ComparedEnsemble(msgspec.Struct, frozen=True):
    """One of the two.

    data : for each timeframe rows, first and last instant, and the hash of what was learned from.
    figures : on the bars on which both were out of sample.
    """

    hash: str
    instrument: str
    status: str
    created_at: str
    recipe_hash: str
    features_hash: str
    weights: dict[str, float]
    data: dict[str, dict[str, Any]]
    figures: Figures


class EnsembleComparison(msgspec.Struct, frozen=True):
    """What came of both on the same bars.

    recipe  : (what, in a, in b) where their recipes differ; empty: nothing on their cards differs.
    steps, mean_bps, sd_bps : hours, and the difference a - b of an hour's return.
    sharpe_of_difference : annualised, of the daily difference.
    e_a_better, e_b_better : of the anytime-valid test either way; ``e_enough`` would do.
    """

    a: ComparedEnsemble
    b: ComparedEnsemble
    from_ms: int
    to_ms: int
    recipe: tuple[tuple[str, str, str], ...]
    steps: int
    mean_bps: float
    sd_bps: float
    sharpe_of_difference: float | None
    e_a_better: float
    e_b_better: float
    e_enough: float
    notes: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """Return what the paired result says."""
        if self.e_a_better >= self.e_enough:
            return f"{self.a.hash[:12]} is better"
        if self.e_b_better >= self.e_enough:
            return f"{self.b.hash[:12]} is better"
        return f"neither is shown to be better in {self.steps:,} hours"


def compare(
    workspace: Workspace,
    first: str,
    second: str,
    *,
    on_progress: OnProgress = lambda _done, _total, _what: None,
    pool: WorkerPool | None = None,
) -> EnsembleComparison:
    """Walk two ensembles of one instrument again and compare them where both are out of sample.

    Raises UserMistake where they are for different instruments, or share no such bars.
    """
    models = ModelStore(workspace.models_dir)
    without = read_registry(workspace.journal_dir).archived
    a, b = find(models, first, without), find(models, second, without)
    if a.hash == b.hash:
        raise UserError(f"both are {a.hash[:12]}: name two different ones")
    if a.instrument != b.instrument:
        raise UserError(
            f"one is for {a.instrument}, the other for {b.instrument}: name two of one instrument"
        )
    packages = [require_it_works(workspace, one, constant_allowed=True) for one in (a, b)]
    court = EnsembleEvaluator(workspace, pool, on_progress)
    heard = court.hear(a, b, checks=False)
    if heard.champion is None:
        raise AssertionError("two were asked")
    try:
        from_ms, to_ms = window(heard.candidate, heard.champion)
    except ValueError:
        raise UserError(
            f"{a.hash[:12]} and {b.hash[:12]} share no bars on which both are out of sample"
        ) from None
    terms, limits = court.terms(a).judging(), limits_of(workspace)
    bars, before = judged_bars(heard.candidate, from_ms, to_ms)
    length = heard.candidate.watched_ms
    pair = [one.account(bars, length, terms) for one in (heard.candidate, heard.champion)]
    witnesses = (heard.candidate, heard.champion)

    def bet(k: int) -> EProcessState:
        mine, other = witnesses[k], witnesses[1 - k]
        return paired(mine, other, pair[k], pair[1 - k], before, terms, limits, "better")[0]

    book = read_registry(workspace.journal_dir)
    sides = [
        _side(one, own, book.status(one.hash), _seen(witness, account, from_ms, to_ms))
        for one, own, witness, account in zip((a, b), packages, witnesses, pair, strict=True)
    ]
    on_progress(1, 1, "compared")
    apart: F64 = 1e4 * (pair[0].steps() - pair[1].steps())
    return EnsembleComparison(
        a=sides[0],
        b=sides[1],
        from_ms=from_ms,
        to_ms=to_ms,
        recipe=recipe_differences(packages[0], packages[1], a, b),
        steps=len(apart),
        mean_bps=float(apart.mean()) if len(apart) else 0.0,
        sd_bps=float(apart.std()) if len(apart) else 0.0,
        sharpe_of_difference=annual_sharpe(pair[0].daily - pair[1].daily),
        e_a_better=bet(0).e_value,
        e_b_better=bet(1).e_value,
        e_enough=limits.e_value_min("better"),
        notes=heard.notes,
    )


def _seen(witness: EnsembleScores, account: EvidenceAccount, from_ms: int, to_ms: int) -> Figures:
    return figures(account, *witness.decisions(from_ms, to_ms))


def _side(
    ensemble: Ensemble, packages: Sequence[Package], status: str, seen: Figures
) -> ComparedEnsemble:
    return ComparedEnsemble(
        ensemble.hash,
        ensemble.instrument,
        status,
        ensemble.created_at,
        ensemble.recipe_hash,
        ensemble.features_hash,
        {member.timeframe.value: member.weight for member in ensemble.members},
        {
            p.card.timeframe.value: {
                "rows": p.card.data_rows,
                "from_ms": p.card.data_from_ms,
                "to_ms": p.card.data_to_ms,
                "hash": p.card.data_hash,
            }
            for p in packages
        },
        seen,
    )


def recipe_differences(
    mine: Sequence[Package], other: Sequence[Package], a: Ensemble, b: Ensemble
) -> tuple[tuple[str, str, str], ...]:
    """Return (what, in a, in b) for everything in the recipes that differs."""
    shared = {m.timeframe for m in a.members} & {m.timeframe for m in b.members}
    left, right = _flat(mine, a, shared), _flat(other, b, shared)
    return tuple(
        (name, _shown(left.get(name), right.get(name)), _shown(right.get(name), left.get(name)))
        for name in dict.fromkeys([*left, *right])
        if left.get(name) != right.get(name)
    )


def _flat(
    packages: Sequence[Package], ensemble: Ensemble, shared: Collection[Timeframe]
) -> dict[str, str | list[str]]:
    """Return an ensemble's recipe as names with points.

    Of a timeframe that only one of the two has, the weight says all.
    """
    out: dict[str, str | list[str]] = {
        f"weight.{m.timeframe}": f"{m.weight:.3f}" for m in ensemble.members
    }
    out["trades by"] = ensemble.anchor.value
    for package in packages:
        if package.card.timeframe not in shared:
            continue
        for name, value in _names(package.card.recipe, f"{package.card.timeframe}."):
            several = isinstance(value, list | tuple)
            out[name] = [str(one) for one in value] if several else str(value)
    return out


def _shown(value: str | list[str] | None, other: str | list[str] | None) -> str:
    """Return a value of a recipe; of a list, how many columns and which the other has not."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    own = [name for name in value if name not in (other or ())]
    named = ", ".join(own[:COLUMNS_NAMED]) + (", ..." if len(own) > COLUMNS_NAMED else "")
    return f"{len(value)} columns" + (f", {named} only here" if own else "")


def _names(content: Mapping[str, Any], prefix: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in content.items():
        if isinstance(value, Mapping):
            found += _names(value, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", value))
    return found
