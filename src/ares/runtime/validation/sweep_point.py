"""One recipe of a sweep, as a worker process trains and aggregates it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ares.domain.instrument import Instrument
from ares.domain.sweep import Point
from ares.domain.timeframe import Timeframe
from ares.kernel.trade import Rules
from ares.learn.ensemble import anchor_of, normalised_weights
from ares.runtime.training.aggregate_job import AggregateDone, AggregateJob, aggregate_members
from ares.runtime.training.job import PackageDone, PackageJob, SkippedTraining, train_package


@dataclass(frozen=True, slots=True)
class PointJob:
    """Train the packages of a point, one for each timeframe, and aggregate them.

    weights : of all timeframes.     rules, cash_quote : see ``aggregate_job.AggregateJob``.
    """

    point: Point
    instrument: Instrument
    jobs: tuple[PackageJob, ...]
    weights: Mapping[Timeframe, float]
    edge_bps_min: float
    rules: Rules
    cash_quote: float


@dataclass(frozen=True, slots=True)
class PointDone:
    """The packages of a point with the jobs that made them, and their aggregate."""

    packages: tuple[tuple[PackageJob, PackageDone], ...]
    job: AggregateJob
    aggregate: AggregateDone


def train_point(job: PointJob) -> PointDone | SkippedTraining:
    """Return the packages and the aggregate of a point; why, where they cannot be made."""
    made: dict[Timeframe, tuple[PackageJob, PackageDone]] = {}
    for package_job in job.jobs:
        result = train_package(package_job)
        if not isinstance(result, PackageDone):
            return SkippedTraining(f"{package_job.label}: {result.reason}")
        made[package_job.recipe.timeframe] = (package_job, result)
    weights = normalised_weights(job.weights, sorted(made, key=lambda t: t.ms))
    recipe = made[anchor_of(weights)][0].recipe
    aggregate_job = AggregateJob(
        instrument=job.instrument,
        scores={timeframe: done.scores[job.instrument] for timeframe, (_, done) in made.items()},
        weights=weights,
        label=recipe.label,
        edge_bps_min=job.edge_bps_min,
        seed=recipe.seed,
        source=job.jobs[0].source,
        rules=job.rules,
        cash_quote=job.cash_quote,
    )
    aggregate = aggregate_members(aggregate_job)
    if isinstance(aggregate, SkippedTraining):
        return aggregate
    return PointDone(tuple(made.values()), aggregate_job, aggregate)
