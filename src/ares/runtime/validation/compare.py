"""Two ensembles compared: recipe, data, features, and their results on the same bars."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from ares.adapters.model_store import ModelStore
from ares.adapters.worker_pool import WorkerPool
from ares.domain.errors import UserError
from ares.domain.model import Ensemble
from ares.domain.package import Package
from ares.domain.timeframe import Timeframe
from ares.learn.gate.evidence import PerformanceMetrics
from ares.learn.gate.evidence_builder import performance
from ares.learn.gate.paired import PairedAccounts, PairedDifference, trade_pair
from ares.runtime.registry.model_journal import read_registry
from ares.runtime.registry.paths import ModelPaths
from ares.runtime.registry.registry_state import RegistryState
from ares.runtime.validation.evaluator import EnsembleEvaluator
from ares.runtime.validation.request import OnProgress, ValidationConfig, no_progress
from ares.runtime.validation.stored_models import require_working
from ares.runtime.validation.target import find

COLUMNS_NAMED = 3


class ComparedEnsemble(msgspec.Struct, frozen=True):
    """One of the two ensembles.

    data    : by timeframe the rows trained on, their first and last instant, and their hash.
    metrics : on the bars on which both are out of sample.
    """

    hash: str
    instrument: str
    status: str
    created_at: str
    recipe_hash: str
    features_hash: str
    weights: dict[str, float]
    data: dict[str, dict[str, Any]]
    metrics: PerformanceMetrics


class EnsembleComparison(msgspec.Struct, frozen=True):
    """Two ensembles on the same bars.

    recipe     : (name, in a, in b) where their recipes differ; empty: their cards do not differ.
    difference : a less b.
    """

    a: ComparedEnsemble
    b: ComparedEnsemble
    from_ms: int
    to_ms: int
    recipe: tuple[tuple[str, str, str], ...]
    difference: PairedDifference
    notes: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """Return the result of the paired test as one sentence."""
        found = self.difference
        if found.e_first_better >= found.e_value_min:
            return f"{self.a.hash[:12]} is better"
        if found.e_second_better >= found.e_value_min:
            return f"{self.b.hash[:12]} is better"
        return f"neither is shown to be better in {found.steps:,} hours"


def compare(
    config: ValidationConfig,
    paths: ModelPaths,
    first: str,
    second: str,
    *,
    on_progress: OnProgress = no_progress,
    pool: WorkerPool | None = None,
) -> EnsembleComparison:
    """Compare two ensembles of one instrument where both are out of sample.

    Raises UserError where they are for different instruments, or share no such bars.
    """
    book = read_registry(paths.journals)
    a, b = _two(ModelStore(paths.models), first, second, book.archived)
    packages = [require_working(config, each, constant_allowed=True) for each in (a, b)]
    evaluation = EnsembleEvaluator(config, pool, on_progress).evaluate(a, b, checks=False)
    try:
        pair = trade_pair(evaluation.candidate, evaluation.champion, config.account_terms(a))
    except ValueError:
        raise UserError(
            f"{a.hash[:12]} and {b.hash[:12]} share no bars on which both are out of sample"
        ) from None
    on_progress(1, 1, "compared")
    metrics = _metrics(pair)
    return EnsembleComparison(
        a=_compared(a, packages[0], book, metrics[0]),
        b=_compared(b, packages[1], book, metrics[1]),
        from_ms=pair.from_ms,
        to_ms=pair.to_ms,
        recipe=recipe_differences(packages[0], packages[1], a, b),
        difference=pair.difference(config.limits),
        notes=evaluation.notes,
    )


def _two(
    models: ModelStore, first: str, second: str, without: Collection[str]
) -> tuple[Ensemble, Ensemble]:
    a, b = find(models, first, without), find(models, second, without)
    if a.hash == b.hash:
        raise UserError(f"both are {a.hash[:12]}: name two different ensembles")
    if a.instrument != b.instrument:
        raise UserError(
            f"the first is for {a.instrument}, the second for {b.instrument}: name two of one "
            "instrument"
        )
    return a, b


def _metrics(pair: PairedAccounts) -> list[PerformanceMetrics]:
    both = ((pair.first, pair.first_account), (pair.second, pair.second_account))
    return [
        performance(account, *scores.decisions(pair.from_ms, pair.to_ms))
        for scores, account in both
        if scores is not None and account is not None
    ]


def _compared(
    ensemble: Ensemble,
    packages: Sequence[Package],
    book: RegistryState,
    metrics: PerformanceMetrics,
) -> ComparedEnsemble:
    return ComparedEnsemble(
        ensemble.hash,
        ensemble.instrument,
        book.status(ensemble.hash),
        ensemble.created_at,
        ensemble.recipe_hash,
        ensemble.features_hash,
        {member.timeframe.value: member.weight for member in ensemble.members},
        {
            package.card.timeframe.value: {
                "rows": package.card.data_rows,
                "from_ms": package.card.data_from_ms,
                "to_ms": package.card.data_to_ms,
                "hash": package.card.data_hash,
            }
            for package in packages
        },
        metrics,
    )


def recipe_differences(
    packages: Sequence[Package], others: Sequence[Package], a: Ensemble, b: Ensemble
) -> tuple[tuple[str, str, str], ...]:
    """Return (name, in a, in b) for everything in the recipes that differs."""
    shared = {m.timeframe for m in a.members} & {m.timeframe for m in b.members}
    left, right = _flat(packages, a, shared), _flat(others, b, shared)
    return tuple(
        (name, _shown(left.get(name), right.get(name)), _shown(right.get(name), left.get(name)))
        for name in dict.fromkeys([*left, *right])
        if left.get(name) != right.get(name)
    )


def _flat(
    packages: Sequence[Package], ensemble: Ensemble, shared: Collection[Timeframe]
) -> dict[str, str | list[str]]:
    """Return an ensemble's recipe as dotted names.

    Of a timeframe that only one of the two has, the weight alone is listed.
    """
    out: dict[str, str | list[str]] = {
        f"weight.{m.timeframe}": f"{m.weight:.3f}" for m in ensemble.members
    }
    out["anchor"] = ensemble.anchor.value
    for package in packages:
        if package.card.timeframe not in shared:
            continue
        for name, value in _dotted(package.card.recipe, f"{package.card.timeframe}."):
            several = isinstance(value, list | tuple)
            out[name] = [str(item) for item in value] if several else str(value)
    return out


def _shown(value: str | list[str] | None, other: str | list[str] | None) -> str:
    """Return a value of a recipe; of a list, its length and what the other list has not."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    own = [name for name in value if name not in (other or ())]
    named = ", ".join(own[:COLUMNS_NAMED]) + (", ..." if len(own) > COLUMNS_NAMED else "")
    return f"{len(value)} columns" + (f", {named} only here" if own else "")


def _dotted(content: Mapping[str, Any], prefix: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in content.items():
        if isinstance(value, Mapping):
            found += _dotted(value, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", value))
    return found
