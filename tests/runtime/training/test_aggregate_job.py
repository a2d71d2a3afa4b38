"""The aggregation of packages: reproducible, and skipped where there is nothing to calibrate."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from ares.adapters.model_store import ModelStore
from ares.bootstrap.validation import validation_config
from ares.domain.timeframe import Timeframe
from ares.kernel.ensemble import Scores
from ares.runtime.training.aggregate_job import (
    AggregateDone,
    AggregateJob,
    aggregate_members,
    ensemble_of,
)
from ares.runtime.training.job import PackageDone, PackageScores, SkippedTraining, train_package
from ares.runtime.validation.request import recipe_of, training_job

if TYPE_CHECKING:
    from tests.runtime.conftest import World

Made = tuple[AggregateJob, AggregateDone, PackageDone]


@pytest.fixture(scope="module")
def made(trained: World) -> Made:
    config = validation_config(trained.workspace)
    job = training_job(config, trained.package_of(trained.first))
    package = train_package(job)
    assert isinstance(package, PackageDone)
    [instrument] = job.instruments
    aggregate = AggregateJob(
        instrument, {Timeframe.H1: package.scores[instrument]}, {Timeframe.H1: 1.0},
        job.recipe.label, config.edge_bps_min, job.recipe.seed, job.source, config.rules,
        config.cash_quote,
    )  # fmt: skip
    done = aggregate_members(aggregate)
    assert isinstance(done, AggregateDone)
    return aggregate, done, package


def test_the_daily_returns_are_of_the_days_out_of_sample(made: Made) -> None:
    job, done, _ = made
    days = np.frombuffer(done.daily, "<f8")
    assert np.isfinite(days).all()
    member = job.scores[Timeframe.H1]
    first_ms = int(member.scores.close_ms[np.isfinite(member.scores.p)][0])
    day_ms = 86_400_000
    assert done.first_day >= first_ms // day_ms
    assert done.first_day + len(days) - 1 == (int(member.path_bars.ts_ms[-1]) + 3_600_000 - 1) // (
        day_ms
    )
    assert done.metrics.trades > 30


def test_without_out_of_sample_scores_there_is_no_ensemble_and_a_reason(made: Made) -> None:
    job, _, _ = made
    member = job.scores[Timeframe.H1]
    none = Scores(
        member.scores.close_ms, np.full_like(member.scores.p, np.nan), member.scores.sigma
    )
    empty = PackageScores(none, member.path_bars, member.path_interval_ms)
    skipped = aggregate_members(replace(job, scores={Timeframe.H1: empty}))
    assert isinstance(skipped, SkippedTraining)
    assert skipped.reason


def test_the_ensemble_is_that_of_the_training_to_the_hash(trained: World, made: Made) -> None:
    job, done, package = made
    stored = ModelStore(trained.workspace.models_dir).ensemble(trained.first)
    members = {Timeframe.H1: (package.package, recipe_of(package.package))}
    again = ensemble_of(job, done, members, stored.created_at)
    assert again.hash == stored.hash
    dear = replace(job, label=msgspec.structs.replace(job.label, cost_bps=50.0))
    assert ensemble_of(dear, done, members, stored.created_at).recipe_hash != stored.recipe_hash
