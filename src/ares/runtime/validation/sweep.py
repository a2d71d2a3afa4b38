"""Sweeps: many recipes of one instrument, each trained, evaluated and counted as a trial."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from ares.adapters.durable import write_file
from ares.adapters.model_store import ModelStore
from ares.adapters.sampler import PointSampler
from ares.adapters.worker_pool import Task, TaskFailed, WorkerPool
from ares.domain.errors import ExternalError, UserError
from ares.domain.model import Ensemble
from ares.domain.sweep import Point, SweepPlan, SweepResult, point_key
from ares.domain.trial import Trial, ensemble_trial
from ares.domain.utc import utc_iso
from ares.learn.gate.sharpe import deflate, moments
from ares.learn.gate.trials import TrialStatistics, recipe_statistics
from ares.runtime.registry.model_journal import read_registry, record
from ares.runtime.registry.paths import ModelPaths
from ares.runtime.training.aggregate_job import ensemble_of
from ares.runtime.training.job import SkippedTraining
from ares.runtime.training.plan import TrainingRequest, package_jobs
from ares.runtime.training.train import package_trial, require_no_leak_in
from ares.runtime.training.training_permission import require_training_allowed
from ares.runtime.training.training_rules import TrainingRules
from ares.runtime.validation.sweep_point import PointDone, PointJob, train_point

PLAN_FILE, RESULTS_FILE = "plan.json", "results.jsonl"
DAYS_A_YEAR = 365.0
REPEATS_MAX = 20
"""A sampler that draws only known points so often in a row has seen all there are."""

OnProgress = Callable[[int, int, str], None]
Inputs = Callable[[Point], tuple[TrainingRules, TrainingRequest]]
"""From a point to the rules and the request of its training."""


@dataclass(frozen=True, slots=True)
class RankedResult:
    """A result with the probability that its Sharpe ratio is above the best of luck.

    deflated     : Deflated Sharpe ratio; None: not defined.
    expected_max : annualised Sharpe ratio expected of the best of all recipes without skill.
    """

    result: SweepResult
    deflated: float | None
    expected_max: float | None


@dataclass(frozen=True, slots=True)
class SweepReport:
    """A sweep's results, the best Sharpe ratio first.

    trials : distinct recipes ever tried on the instrument, these among them.
    best   : the ensemble that became a candidate; None: nothing traded.
    by_trials : Deflated Sharpe ratio of the best result, had so many recipes been tried: the first
             is of one, the last of ``trials``.
    new    : recipes that were evaluated now, not in an earlier part of the sweep.
    """

    folder: Path
    instrument: str
    plan: SweepPlan
    ranked: tuple[RankedResult, ...]
    trials: int
    new: int
    best: Ensemble | None
    by_trials: tuple[float, ...] = ()


def run_sweep(
    paths: ModelPaths,
    plan: SweepPlan,
    inputs: Inputs,
    pool: WorkerPool,
    now: Callable[[], datetime],
    on_progress: OnProgress = lambda _done, _total, _what: None,
) -> SweepReport:
    """Evaluate the points of a plan, or those that an interrupted sweep of it left; the best
    ensemble becomes a candidate.

    Every result is on disk, and its recipe in the models' journal, as soon as it is there.

    Raises UserError where a point is not allowed, or nothing can be trained.
    """
    folder = paths.models / "sweeps" / plan.hash[:12]
    sweep = _Sweep(paths, folder, _kept_plan(folder, plan), inputs, pool, now, on_progress)
    return sweep.complete()


class _Sweep:
    """A running sweep."""

    def __init__(
        self,
        paths: ModelPaths,
        folder: Path,
        plan: SweepPlan,
        inputs: Inputs,
        pool: WorkerPool,
        now: Callable[[], datetime],
        on_progress: OnProgress,
    ) -> None:
        self._paths, self._folder, self._plan = paths, folder, plan
        self._inputs, self._pool, self._now, self._on_progress = inputs, pool, now, on_progress
        self._store = ModelStore(folder)
        self._results = read_results(folder)
        self._instrument = ""
        self._new = 0

    def complete(self) -> SweepReport:
        """Evaluate what is left, in batches, and rank all."""
        plan, sampler = self._plan, PointSampler(self._plan)
        total = plan.trials or len(plan.grid)
        evaluated: dict[str, SweepResult] = {}
        repeats = 0
        while len(evaluated) < total and repeats < REPEATS_MAX:
            points = sampler.ask(min(plan.batch, total - len(evaluated)))
            if not points:
                break
            fresh = {point_key(point): point for point in points}
            left = [point for key, point in fresh.items() if key not in self._results]
            repeats = repeats + 1 if fresh.keys() <= evaluated.keys() else 0
            known = len(evaluated) + len(fresh.keys() & self._results.keys() - evaluated.keys())
            self._on_progress(known, total, "")
            self._evaluate(left, known, total)
            evaluated |= {key: self._results[key] for key in fresh}
            self._on_progress(len(evaluated), total, "")
            sampler.tell([self._results[point_key(point)].score for point in points])
        return self._report(list(evaluated.values()))

    def _evaluate(self, points: Sequence[Point], done: int, total: int) -> None:
        """Train the points in parallel; each result is kept at once."""
        tasks = [Task(_text(point), train_point, self._job(point)) for point in points]
        for number, (task, result) in enumerate(self._pool.run(tasks), done + 1):
            self._keep(task.argument, result)
            self._on_progress(number, total, task.label)

    def _job(self, point: Point) -> PointJob:
        rules, request = self._inputs(point)
        require_training_allowed(rules.permission)
        user = None if rules.context.user is None or request.strategy else rules.context.user.load()
        jobs, _ = package_jobs(rules, request, self._now(), user)
        if len({job.instruments for job in jobs}) > 1:
            raise UserError("a sweep is of one symbol: name it with -s")
        if not self._new and not self._results:
            require_no_leak_in(rules, jobs[0].columns(), jobs)
        self._instrument = jobs[0].instruments[0].key
        return PointJob(
            point, jobs[0].instruments[0], tuple(jobs), rules.weights,
            rules.context.edge_bps_min, rules.trade, rules.cash_quote,
        )  # fmt: skip

    def _keep(self, job: PointJob, done: PointDone | SkippedTraining | TaskFailed) -> None:
        """Store a point's models, count its recipe, and note its result, in this order: a result
        that is noted has been counted.
        """
        if isinstance(done, PointDone):
            result = self._stored(job, done)
        else:
            why = done.error if isinstance(done, TaskFailed) else done.reason
            result = SweepResult(job.point, note=why)
        self._results[point_key(job.point)] = result
        self._new += 1
        if not isinstance(done, TaskFailed):
            write_results(self._folder, list(self._results.values()))

    def _stored(self, job: PointJob, done: PointDone) -> SweepResult:
        members, trials, created = {}, list[Trial](), utc_iso(self._now())
        for package_job, package_done in done.packages:
            package = self._store.add(package_done.package)
            members[package.card.timeframe] = (package, package_job.recipe)
            trials.append(replace_created(package_trial(package.card), created))
        ensemble = ensemble_of(done.job, done.aggregate, members, created)
        self._store.save_ensemble(ensemble)
        aggregate, metrics = done.aggregate, done.aggregate.metrics
        cards = [package.card for package, _ in members.values()]
        trials.append(
            ensemble_trial(ensemble, cards, aggregate.first_day, aggregate.daily, metrics.numbers)
        )
        record(self._paths.journals, trials)
        return SweepResult(
            job.point, ensemble.recipe_hash, ensemble.hash, metrics.trades, metrics.net_bps,
            annual_sharpe(aggregate.daily), metrics.brier_skill, aggregate.first_day,
            aggregate.daily,
        )  # fmt: skip

    def _report(self, results: list[SweepResult]) -> SweepReport:
        known = [result for result in results if result.ensemble]
        if not known:
            reasons = "; ".join(dict.fromkeys(result.note for result in results))
            raise UserError(f"no recipe could be trained ({reasons})")
        instrument = self._store.ensemble(known[0].ensemble).instrument
        trials = read_registry(self._paths.journals).trials
        ranked = sorted((_ranked(result, trials, instrument) for result in known), key=_rank)
        failed = [RankedResult(result, None, None) for result in results if not result.ensemble]
        best = ranked[0].result
        candidate = None
        if best.sharpe is not None:
            candidate = self._adopted(best.ensemble)
        days, daily = _daily(best)
        tried = recipe_statistics(
            trials, instrument, best.recipe_hash, days, daily, single_package=False
        )
        return SweepReport(
            self._folder, instrument, self._plan, (*ranked, *failed), tried.recipes, self._new,
            candidate, _by_trials(daily, tried),
        )  # fmt: skip

    def _adopted(self, ensemble_hash: str) -> Ensemble:
        """Store an ensemble of the sweep and its packages among the workspace's models."""
        ensemble, models = self._store.ensemble(ensemble_hash), ModelStore(self._paths.models)
        for member in ensemble.members:
            models.adopt(self._store.member(member))
        models.save_ensemble(ensemble)
        return ensemble


def annual_sharpe(daily: bytes) -> float | None:
    """Return the annualised Sharpe ratio of daily returns; None where it is not defined."""
    found = moments(np.frombuffer(daily, "<f8"))
    return None if found is None else found.sharpe * math.sqrt(DAYS_A_YEAR)


def read_results(folder: Path) -> dict[str, SweepResult]:
    """Return the results noted in a sweep's folder, by point.

    Raises ExternalError where the file is damaged.
    """
    path = folder / RESULTS_FILE
    if not path.exists():
        return {}
    try:
        lines = path.read_bytes().splitlines()
        found = [msgspec.json.decode(line, type=SweepResult) for line in lines]
    except msgspec.DecodeError as error:
        raise ExternalError(f"{path}: cannot be read ({error}): move the folder away") from None
    return {point_key(result.point): result for result in found}


def write_results(folder: Path, results: Sequence[SweepResult]) -> None:
    """Write the results of a sweep, atomically."""
    write_file(folder / RESULTS_FILE, b"".join(msgspec.json.encode(r) + b"\n" for r in results))


def replace_created(trial: Trial, created_at: str) -> Trial:
    """Return a package's trial as part of the ensemble that was made at an instant.

    A package of an ensemble is no trial of its own; the two are one by their time.
    """
    return msgspec.structs.replace(trial, created_at=created_at)


def _kept_plan(folder: Path, plan: SweepPlan) -> SweepPlan:
    """Return the plan that an interrupted sweep began with: the size of its batches stays."""
    path = folder / PLAN_FILE
    if path.exists():
        try:
            return msgspec.json.decode(path.read_bytes(), type=SweepPlan)
        except msgspec.DecodeError as error:
            raise ExternalError(f"{path}: cannot be read ({error}): move the folder away") from None
    write_file(path, msgspec.json.encode(plan) + b"\n")
    return plan


def _daily(result: SweepResult) -> tuple[np.ndarray, np.ndarray]:
    daily = np.frombuffer(result.daily, "<f8")
    return result.first_day + np.arange(len(daily)), daily


def _ranked(result: SweepResult, trials: Sequence[Trial], instrument: str) -> RankedResult:
    days, daily = _daily(result)
    found = recipe_statistics(
        trials, instrument, result.recipe_hash, days, daily, single_package=False
    )
    deflated = deflate(daily, found.recipes, found.variance)
    if deflated is None:
        return RankedResult(result, None, None)
    year = math.sqrt(DAYS_A_YEAR)
    return RankedResult(result, deflated.probability, deflated.expected_max * year)


def _by_trials(daily: NDArray[np.float64], tried: TrialStatistics) -> tuple[float, ...]:
    """Return the Deflated Sharpe ratio for 1, 2, ... recipes tried; empty: not defined."""
    found = [deflate(daily, n, tried.variance) for n in range(1, tried.recipes + 1)]
    return tuple(each.probability for each in found if each is not None)


def _rank(ranked: RankedResult) -> tuple[float, str]:
    sharpe = ranked.result.sharpe
    return (math.inf if sharpe is None else -sharpe, point_key(ranked.result.point))


def _text(point: Point) -> str:
    return " ".join(f"{name.rpartition('.')[2]}={value}" for name, value in point.items())
