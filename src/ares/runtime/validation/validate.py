"""Judging: an ensemble walked again on stored candles, examined, and the verdict kept."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ares.adapters.model_store import ModelStore
from ares.adapters.worker_pool import WorkerPool
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.model import Ensemble
from ares.domain.model_life import ENVIRONMENTS, VerdictBasis, hash_of
from ares.domain.package import Package
from ares.domain.trial import ensemble_trial
from ares.kernel.features.columns import columns_hash
from ares.kernel.jit import kernel_hash
from ares.learn.gate.evidence_builder import EvidenceResult, examine
from ares.learn.gate.sentiment_ablation import AblationResult, beside
from ares.learn.gate.trials import recipes_tried
from ares.learn.gate.verdict import GateLimits, Verdict, judge
from ares.runtime.registry.model_journal import read_registry, record
from ares.runtime.registry.registry_state import RegistryState
from ares.runtime.trade_rules import rules_of
from ares.runtime.validation.evaluator import EnsembleEvaluator, OnProgress, is_joined, user_of
from ares.runtime.validation.model_check import require_it_works


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """A verdict with everything that it was made of; nothing is written yet.

    notes : what a person should read beside it.
    sentiment : what sentiment added over prices alone; None: it has none.
    """

    ensemble: Ensemble
    environment: str
    verdict: Verdict
    limits: GateLimits
    examined: EvidenceResult
    basis: VerdictBasis
    at: str
    notes: tuple[str, ...]
    sentiment: AblationResult | None = None


def judge_ensemble(
    workspace: Workspace,
    target: str,
    environment: str = "history",
    *,
    on_progress: OnProgress = lambda _done, _total, _what: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    pool: WorkerPool | None = None,
) -> ValidationResult:
    """Return the verdict on an ensemble, compared with the champion of ``environment``.

    target : an ensemble's hash or its beginning, a symbol (its newest), or a package's name.

    Raises UserMistake where there is no such model, where it cannot work, or where it cannot be
    walked again; WorldTrouble where it is damaged.
    """
    require_environment(environment)
    settings = workspace.settings
    book = read_registry(workspace.journal_dir)
    ensemble = find(ModelStore(workspace.models_dir), target, book.archived)
    packages = require_it_works(workspace, ensemble, constant_allowed=True)
    _count(workspace, book, ensemble, packages)
    book = read_registry(workspace.journal_dir)
    court = EnsembleEvaluator(workspace, pool, on_progress)
    champion_hash = book.champions(environment).get(ensemble.instrument, "")
    champion = None
    if champion_hash and champion_hash != ensemble.hash:
        champion = ModelStore(workspace.models_dir).ensemble(champion_hash)
    heard = court.hear(ensemble, champion)
    limits = limits_of(workspace)
    try:
        examined = examine(
            heard.candidate,
            heard.champion,
            heard.checked,
            court.terms(ensemble),
            limits,
            book.trials,
        )
    except ValueError as error:
        raise UserError(f"{ensemble.instrument} {ensemble.hash[:12]}: {error}") from None
    on_progress(1, 1, "examined")
    twin = heard.by_prices
    terms = court.terms(ensemble)
    notes = heard.notes
    if ensemble.hash in book.archived:
        notes += (f"{ensemble.hash[:12]} is archived: no verdict brings it back, train again",)
    return ValidationResult(
        ensemble,
        environment,
        judge(examined.evidence, limits, settings.promotion.rule),
        limits,
        examined,
        basis_of(workspace, book, ensemble, environment),
        now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        notes,
        None if twin is None else beside(heard.candidate, twin, terms, limits),
    )


def basis_of(
    workspace: Workspace, book: RegistryState, ensemble: Ensemble, environment: str
) -> VerdictBasis:
    """Return what a verdict on an ensemble would rest on now."""
    settings = workspace.settings
    champion = book.champions(environment).get(ensemble.instrument, "")
    rules = rules_of(settings)
    terms = {name: getattr(rules, name) for name in rules.__slots__}
    return VerdictBasis(
        champion="" if champion == ensemble.hash else champion,
        rule=settings.promotion.rule,
        limits=hash_of(limits_of(workspace)),
        terms=hash_of([terms, settings.account.capital_quote]),
        trials=recipes_tried(
            book.trials, ensemble.instrument, ensemble.recipe_hash, alone=not is_joined(ensemble)
        ),
        code=hash_of([kernel_hash(), columns_hash(user_of(workspace))]),
    )


def limits_of(workspace: Workspace) -> GateLimits:
    """Return the limits that the settings set."""
    said = workspace.settings.promotion
    names = GateLimits.__struct_fields__
    return GateLimits(**{name: getattr(said, name) for name in names})


def require_environment(environment: str) -> None:
    """Raise UserMistake where there is no such environment."""
    if environment not in ENVIRONMENTS:
        raise UserError(
            f"unknown environment '{environment}': use one of {', '.join(ENVIRONMENTS)}"
        )


def find(models: ModelStore, target: str, without: Collection[str] = ()) -> Ensemble:
    """Return the ensemble that a person means; of a package, the one that it makes alone.

    That one is stored once it is judged, promoted or archived: asking alone changes nothing.

    without : hashes that an instrument's name does not mean while it has others.
    """
    keys = {ensemble.instrument for ensemble in models.listed().ensembles}
    named = sorted(key for key in keys if target in (key, key.partition(":")[2]))
    if len(named) > 1:
        raise UserError(f"'{target}' is on more than one venue: name one of {', '.join(named)}")
    newest = models.newest_candidate(named[0], without=without) if named else None
    if newest is not None:
        return newest
    found = models.resolve(target)
    if isinstance(found, Ensemble):
        return found
    card = found.card
    if len(card.instruments) != 1:
        raise UserError(
            f"{card.ref} was made for {len(card.instruments)} instruments: name one of their "
            "ensembles (`ares models list`)"
        )
    return found.alone(card.instruments[0], card.created_at)


def _count(
    workspace: Workspace, book: RegistryState, ensemble: Ensemble, packages: Sequence[Package]
) -> None:
    """Count a recipe that came from elsewhere (an import) as a trial, now that it is looked at."""
    if any(trial.recipe_hash == ensemble.recipe_hash for trial in book.trials):
        return
    cards = [package.card for package in packages]
    trial = ensemble_trial(ensemble, cards)
    record(workspace.journal_dir, [trial])
