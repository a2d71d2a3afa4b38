"""Training: every (symbol, timeframe) pair a package, every instrument's packages an ensemble."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ares.adapters.model_store import ModelStore
from ares.adapters.worker_pool import Task, TaskFailed, WorkerPool
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.model import Ensemble
from ares.domain.package import Package, PackageCard
from ares.domain.trial import Trial, ensemble_trial
from ares.domain.utc import utc_iso
from ares.kernel.features.user import UserFeatures
from ares.learn.ensemble import anchor_of, normalised_weights
from ares.learn.evaluate import OosMetrics
from ares.learn.recipe import Recipe
from ares.observe.user_features_check import require_no_leak
from ares.runtime.registry.model_journal import read_registry, record
from ares.runtime.registry.paths import ModelPaths
from ares.runtime.training.aggregate_job import (
    AggregateDone,
    AggregateJob,
    aggregate_members,
    ensemble_of,
)
from ares.runtime.training.instrument_history import HistorySource
from ares.runtime.training.job import (
    InvalidUserFeatures,
    PackageDone,
    PackageJob,
    SkippedTraining,
    train_package,
)
from ares.runtime.training.plan import TrainingRequest, package_jobs, require_enough_candles
from ares.runtime.training.report import (
    MissingPackage,
    TrainingReport,
    ensemble_report,
    package_report,
)
from ares.runtime.training.training_permission import require_training_allowed
from ares.runtime.training.training_rules import TrainingRules
from ares.store.candles import CandleStore
from ares.store.database import open_database

__all__ = ["TrainingReport", "TrainingRequest", "train", "training_pool"]

WORKER_MODULES = (
    "ares.runtime.training.aggregate_job",
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
"""Called with (done, total, what was done)."""


@dataclass(slots=True)
class _Session:
    """A running training: where it writes, and its results so far."""

    store: ModelStore
    rules: TrainingRules
    created_at: str
    record_trial: Callable[[Trial], None]
    packages: list[tuple[Package, PackageDone, Recipe]] = field(default_factory=list)
    ensembles: list[tuple[Ensemble, OosMetrics]] = field(default_factory=list)
    missing: list[MissingPackage] = field(default_factory=list)

    def of(self, instrument: Instrument) -> list[tuple[Package, PackageDone, Recipe]]:
        """Return the packages that have scores of an instrument."""
        return [saved for saved in self.packages if instrument in saved[1].scores]


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
    user = None if rules.context.user is None or request.strategy else rules.context.user.load()
    jobs, remarks = package_jobs(rules, request, created, user)
    require_enough_candles(jobs)
    require_no_leak_in(rules, jobs[0].columns(), jobs)
    session = _Session(
        ModelStore(paths.models),
        rules,
        utc_iso(created),
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
        _save_package(session, task, result)
        on_progress(done, total, task.label)
    source = jobs[0].source
    tasks = [
        task for instrument in instruments for task in _aggregate_task(session, instrument, source)
    ]
    for done, (task, result) in enumerate(pool.run(tasks), len(jobs) + 1):
        _save_ensemble(session, task, result)
        on_progress(done, total, task.label)


def require_no_leak_in(
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


def _save_package(
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
    session.packages.append((package, result, job.recipe))
    session.record_trial(package_trial(package.card))


def package_trial(card: PackageCard) -> Trial:
    """Return the trial that a package is."""
    return Trial(
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


def _aggregate_task(
    session: _Session, instrument: Instrument, source: HistorySource
) -> Iterable[Task]:
    """Yield the task that aggregates an instrument's packages; none where it has no package."""
    label = f"{instrument.key} ensemble"
    members = {recipe.timeframe: (done, recipe) for _, done, recipe in session.of(instrument)}
    if not members:
        session.missing.append(
            MissingPackage(label, "none of its timeframes could be trained", False)
        )
        return
    rules = session.rules
    weights = normalised_weights(rules.weights, sorted(members, key=lambda t: t.ms))
    recipe = members[anchor_of(weights)][1]
    job = AggregateJob(
        instrument=instrument,
        scores={timeframe: done.scores[instrument] for timeframe, (done, _) in members.items()},
        weights=weights,
        label=recipe.label,
        edge_bps_min=rules.context.edge_bps_min,
        seed=recipe.seed,
        source=source,
        rules=rules.trade,
        cash_quote=rules.cash_quote,
    )
    yield Task(label, aggregate_members, job)


def _save_ensemble(
    session: _Session, task: Task, result: AggregateDone | SkippedTraining | TaskFailed
) -> None:
    if not isinstance(result, AggregateDone):
        session.missing.append(_missing(task, result))
        return
    job: AggregateJob = task.argument
    members = {
        recipe.timeframe: (package, recipe) for package, _, recipe in session.of(job.instrument)
    }
    cards = [package.card for package, _ in members.values()]
    ensemble = ensemble_of(job, result, members, session.created_at)
    session.store.save_ensemble(ensemble)
    session.ensembles.append((ensemble, result.metrics))
    session.record_trial(
        ensemble_trial(ensemble, cards, result.first_day, result.daily, result.metrics.numbers)
    )


def _missing(task: Task, result: SkippedTraining | TaskFailed) -> MissingPackage:
    if isinstance(result, TaskFailed):
        return MissingPackage(task.label, result.error, True)
    return MissingPackage(task.label, result.reason, False)


def _report(session: _Session, jobs: list[PackageJob], remarks: list[str]) -> TrainingReport:
    requested = list(dict.fromkeys(job.recipe.timeframe for job in jobs))
    notes = [note for _, done, _ in session.packages for note in done.notes]
    packages = [package_report(package, done.metrics) for package, done, _ in session.packages]
    ensembles = [ensemble_report(ensemble, m, requested) for ensemble, m in session.ensembles]
    return TrainingReport(
        tuple(sorted(packages, key=lambda made: (made.instruments, made.timeframe.ms))),
        tuple(sorted(ensembles, key=lambda made: made.instrument)),
        tuple(session.missing),
        tuple(dict.fromkeys([*notes, *remarks])),
    )
