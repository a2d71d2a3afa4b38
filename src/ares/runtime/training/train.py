"""Training: every (symbol, timeframe) pair a package, every instrument's packages an ensemble."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ares.adapters.model_store import ModelStore
from ares.adapters.worker_pool import Task, TaskFailed, WorkerPool
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.model import Ensemble, Member
from ares.domain.package import Package
from ares.domain.timeframe import Timeframe
from ares.domain.trial import Trial, ensemble_trial
from ares.kernel.features.user import UserFeatures
from ares.learn.ensemble import anchor_of, ensemble_recipe_hash, share_out
from ares.learn.evaluate import OosMetrics
from ares.learn.recipe import Recipe
from ares.observe.user_features_check import require_no_leak
from ares.runtime.registry.model_journal import read_registry, record
from ares.runtime.registry.paths import ModelPaths
from ares.runtime.training.instrument_history import HistorySource
from ares.runtime.training.job import (
    AggregateDone,
    AggregateJob,
    InvalidUserFeatures,
    PackageDone,
    PackageJob,
    SkippedTraining,
    join_members,
    train_package,
)
from ares.runtime.training.plan import TrainingRequest, package_jobs, stamp
from ares.runtime.training.report import MissingPackage, TrainingReport, joined_of, pair_of
from ares.runtime.training.training_permission import require_training_allowed
from ares.runtime.training.training_rules import TrainingRules
from ares.store.candles import CandleStore
from ares.store.database import open_database

__all__ = ["TrainingReport", "TrainingRequest", "train", "training_pool"]

WORKER_MODULES = (
    "ares.runtime.training.job",
    "ares.adapters.training_plot",
    "ares.store.history",
    "lightgbm",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "onnx",
    "onnxruntime",
    "scipy.special",
    "scipy.stats",
)
"""What a worker imports when it starts, so that its first job is as quick as its second."""

OnProgress = Callable[[int, int, str], None]
"""Told (done, total, what was done)."""


@dataclass(slots=True)
class _Session:
    """A training under way: where it writes, and what has come in so far."""

    store: ModelStore
    rules: TrainingRules
    created_at: str
    record_trial: Callable[[Trial], None]
    made: list[tuple[Package, PackageDone, Recipe]] = field(default_factory=list)
    ensembles: list[tuple[Ensemble, OosMetrics]] = field(default_factory=list)
    missing: list[MissingPackage] = field(default_factory=list)


def train(
    rules: TrainingRules,
    paths: ModelPaths,
    request: TrainingRequest,
    *,
    on_progress: OnProgress = lambda _done, _total, _what: None,
    record_trial: Callable[[Trial], None] | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    pool: WorkerPool | None = None,
) -> TrainingReport:
    """Train what is requested, save it under ``paths.models``, count it as trials, and report.

    Each package is saved as soon as it is made: an interrupted training loses only what was under
    way. ``record_trial`` is called with every package and ensemble whose evidence was computed;
    without it, the trial is counted in the models' journal.

    pool : warm workers to use; without one, a pool is made for this training and ended with it.

    Raises UserError where a symbol or interval is unknown, a feature of the user leaks or fails,
    or training is forbidden here; ExternalError where the store cannot be read.
    """
    created = now()
    require_training_allowed(rules.permission)
    read_registry(paths.journals)  # a damaged journal is found before the work
    user = None if rules.context.user is None else rules.context.user.load()
    jobs, remarks = package_jobs(rules, request, created, user)
    _require_no_leak(rules, user, jobs)
    session = _Session(
        ModelStore(paths.models),
        rules,
        stamp(created),
        record_trial or (lambda trial: record(paths.journals, [trial])),
    )
    with nullcontext(pool) if pool else training_pool(request.workers or rules.workers) as running:
        _train_all(session, jobs, running, on_progress)
    return _report(session, jobs, remarks)


def training_pool(workers: int = 0) -> WorkerPool:
    """Return a pool whose processes have everything imported that training needs."""
    return WorkerPool(workers, WORKER_MODULES)


def _train_all(
    session: _Session, jobs: list[PackageJob], pool: WorkerPool, on_progress: OnProgress
) -> None:
    """Train the packages of all jobs, then aggregate those of each instrument."""
    instruments = list(dict.fromkeys(i for job in jobs for i in job.instruments))
    total = len(jobs) + len(instruments)
    tasks = [Task(job.label, train_package, job) for job in jobs]
    for done, (task, result) in enumerate(pool.run(tasks), 1):
        _keep_package(session, task, result)
        on_progress(done, total, task.label)
    source = jobs[0].source
    tasks = [task for instrument in instruments for task in _join_task(session, instrument, source)]
    for done, (task, result) in enumerate(pool.run(tasks), len(jobs) + 1):
        _keep_ensemble(session, task, result)
        on_progress(done, total, task.label)


def _require_no_leak(
    rules: TrainingRules, user: UserFeatures | None, jobs: list[PackageJob]
) -> None:
    """Raise UserError where the user's features leak, or fail, on what is to be trained on."""
    if user is None:
        return
    data = rules.context.data
    engine = open_database(data.database_url)
    try:
        store = CandleStore(engine, data.cache)
        timeframes = {job.recipe.timeframe for job in jobs}
        require_no_leak(user, store, jobs[0].instruments, timeframes, jobs[0].source.to_ms)
    finally:
        engine.dispose()


def _keep_package(
    session: _Session,
    task: Task,
    result: PackageDone | SkippedTraining | InvalidUserFeatures | TaskFailed,
) -> None:
    if isinstance(result, InvalidUserFeatures):
        raise UserError(result.reason)
    if not isinstance(result, PackageDone):
        session.missing.append(_missing(task, result))
        return
    job: PackageJob = task.argument
    package = session.store.add(result.package)
    session.made.append((package, result, job.recipe))
    card = package.card
    session.record_trial(
        Trial(
            kind="package",
            scope="universe" if card.scope == "universe" else card.instruments[0],
            timeframe=card.timeframe.value,
            recipe_hash=card.recipe_hash,
            subject=card.ref,
            data_hash=card.data_hash,
            data_from_ms=card.data_from_ms,
            data_to_ms=card.data_to_ms,
            validation=card.validation,
            created_at=card.created_at,
        )
    )


def _join_task(session: _Session, instrument: Instrument, source: HistorySource) -> Iterable[Task]:
    """Yield the task that joins an instrument's packages; none where it has no package."""
    mine = [one for one in session.made if instrument in one[1].spoken]
    members = {recipe.timeframe: (done, recipe) for _, done, recipe in mine}
    label = f"{instrument.key} ensemble"
    if not members:
        session.missing.append(
            MissingPackage(label, "none of its timeframes could be trained", False)
        )
        return
    weights = share_out(session.rules.weights, sorted(members, key=lambda timeframe: timeframe.ms))
    recipe = members[anchor_of(weights)][1]
    spoken = {timeframe: done.spoken[instrument] for timeframe, (done, _) in members.items()}
    job = AggregateJob(
        instrument=instrument,
        spoken=spoken,
        weights=weights,
        label=recipe.label,
        edge_bps_min=session.rules.context.edge_bps_min,
        seed=recipe.seed,
        source=source,
        rules=session.rules.trade,
        cash_quote=session.rules.cash_quote,
    )
    yield Task(label, join_members, job)


def _keep_ensemble(
    session: _Session, task: Task, result: AggregateDone | SkippedTraining | TaskFailed
) -> None:
    if not isinstance(result, AggregateDone):
        session.missing.append(_missing(task, result))
        return
    job: AggregateJob = task.argument
    mine = {
        recipe.timeframe: (package, recipe)
        for package, done, recipe in session.made
        if job.instrument in done.spoken
    }
    cards = [package.card for package, _ in mine.values()]
    ensemble = ensemble_of(job, result, mine, session.created_at)
    session.store.save_ensemble(ensemble)
    session.ensembles.append((ensemble, result.metrics))
    session.record_trial(
        ensemble_trial(ensemble, cards, result.first_day, result.daily, result.metrics.numbers)
    )


def ensemble_of(
    job: AggregateJob,
    result: AggregateDone,
    members: Mapping[Timeframe, tuple[Package, Recipe]],
    created_at: str,
) -> Ensemble:
    """Return the ensemble of these members, as they were joined."""
    recipes = {timeframe: recipe.hash for timeframe, (_, recipe) in members.items()}
    first = next(iter(members.values()))[0]
    return Ensemble(
        instrument=job.instrument.key,
        members=tuple(
            _member(members[timeframe][0], weight) for timeframe, weight in job.weights.items()
        ),
        anchor=anchor_of(job.weights),
        platt_a=result.platt.a,
        platt_b=result.platt.b,
        horizon_bars=job.label.horizon_bars,
        width_sigmas=job.label.width_sigmas,
        width_min_bps=job.label.width_min_bps,
        gain=result.payoff.gain,
        loss=result.payoff.loss,
        cost_bps=job.label.cost_bps,
        recipe_hash=ensemble_recipe_hash(recipes, job.weights, job.label),
        features_hash=first.card.features_hash,
        validation=result.metrics.validation,
        created_at=created_at,
    )


def _member(package: Package, weight: float) -> Member:
    card = package.card
    return Member(card.timeframe, card.name, card.version, package.hash, weight)


def _missing(task: Task, result: SkippedTraining | TaskFailed) -> MissingPackage:
    if isinstance(result, TaskFailed):
        return MissingPackage(task.label, result.error, True)
    return MissingPackage(task.label, result.reason, False)


def _report(session: _Session, jobs: list[PackageJob], remarks: list[str]) -> TrainingReport:
    asked = list(dict.fromkeys(job.recipe.timeframe for job in jobs))
    notes = [note for _, done, _ in session.made for note in done.notes]
    pairs = [pair_of(package, done.metrics) for package, done, _ in session.made]
    joined = [joined_of(ensemble, metrics, asked) for ensemble, metrics in session.ensembles]
    return TrainingReport(
        tuple(sorted(pairs, key=lambda pair: (pair.instruments, pair.timeframe.ms))),
        tuple(sorted(joined, key=lambda one: one.instrument)),
        tuple(session.missing),
        tuple(dict.fromkeys([*notes, *remarks])),
    )
