"""Refits: an ensemble's own recipe on the candles up to an instant, and the gate's verdict on it.

Many run at once: their packages are trained side by side in worker processes, then aggregated,
then validated. A fault in one (its worker dies, hangs or raises) ends that one, and no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ares.adapters.durable import write_file
from ares.adapters.layered_store import FOLDER, LayeredModelStore
from ares.adapters.worker_pool import Task, TaskFailed, WorkerPool, error_text, unexpected
from ares.domain.timeframe import Timeframe
from ares.domain.trial import Trial
from ares.runtime.learner.refit_job import RefitJob, RefitRequest, RefitResult
from ares.runtime.training.aggregate_job import AggregateDone, aggregate_members
from ares.runtime.training.job import (
    InvalidUserFeatures,
    PackageDone,
    SkippedTraining,
    train_package,
)
from ares.runtime.validation.pipeline import ValidationResult, validate_inline
from ares.runtime.validation.request import ValidationConfig, ValidationRequest
from ares.runtime.validation.verdict_file import verdict_bytes, verdict_file, verdict_path

LEARNER = "learner"


class RefitRunner:
    """Runs refits for one run, in its own folder.

    config      : the values of the workspace.     rows_min : fewer rows are not fitted on.
    environment : of the run.     folder : of the run.     trials : counted so far.
    """

    def __init__(
        self,
        config: ValidationConfig,
        rows_min: int,
        environment: str,
        folder: Path,
        trials: Sequence[Trial],
        pool: WorkerPool,
    ) -> None:
        self._environment, self._folder, self._rows_min = environment, folder, rows_min
        self._trials, self._pool = tuple(trials), pool
        self.models = LayeredModelStore(folder / FOLDER, config.models)
        self.config = replace(config, run_models=self.models.root)

    def run(self, requests: Sequence[RefitRequest]) -> list[RefitResult]:
        """Return the result of each request; blocks until all have ended.

        An exception that a request causes is its result, and is not raised.
        """
        jobs = [RefitJob(request) for request in requests]
        _step(jobs, lambda job: job.prepare_packages(self.models, self.config, self._rows_min))
        self._train(jobs)
        _step(jobs, lambda job: job.end_if_unchanged(self.models))
        _step(jobs, lambda job: job.prepare_aggregate(self.config))
        self._aggregate(jobs)
        _step(jobs, lambda job: job.save_ensemble(self.models))
        self._validate(jobs)
        return [job.result or RefitResult("failed", "did not finish") for job in jobs]

    def _train(self, jobs: Sequence[RefitJob]) -> None:
        """Train the members of all refits, the slowest (the shortest timeframes) first."""
        tasks = {
            (number, timeframe.value): (train_package, package_job)
            for timeframe in sorted(Timeframe, key=lambda t: t.ms)
            for number, job in enumerate(jobs)
            if job.result is None and (package_job := job.jobs.get(timeframe)) is not None
        }

        def save(job: RefitJob, step: str, result: Any) -> str | None:
            if isinstance(result, SkippedTraining | InvalidUserFeatures):
                return result.reason
            if not isinstance(result, PackageDone):
                return unexpected(result)
            job.packages[Timeframe(step)] = result
            return None

        self._run(jobs, tasks, save)

    def _aggregate(self, jobs: Sequence[RefitJob]) -> None:
        tasks = {
            (number, "ensemble"): (aggregate_members, job.aggregate_job)
            for number, job in enumerate(jobs)
            if job.result is None and job.aggregate_job is not None
        }

        def save(job: RefitJob, _step: str, result: Any) -> str | None:
            if isinstance(result, SkippedTraining):
                return result.reason
            if not isinstance(result, AggregateDone):
                return unexpected(result)
            job.aggregated = result
            return None

        self._run(jobs, tasks, save)

    def _validate(self, jobs: Sequence[RefitJob]) -> None:
        tasks = {
            (number, "verdict"): (validate_inline, self._validation(job))
            for number, job in enumerate(jobs)
            if job.result is None and job.ensemble is not None
        }

        def save(job: RefitJob, _step: str, result: Any) -> str | None:
            if not isinstance(result, ValidationResult):
                return unexpected(result)
            self._save_verdict(result)
            job.end_with(result)
            return None

        self._run(jobs, tasks, save)

    def _validation(self, job: RefitJob) -> ValidationRequest:
        assert job.ensemble is not None
        return ValidationRequest(
            self.config,
            self._environment,
            job.ensemble,
            job.request.champion,
            self._trials,
            repeatable=True,
        )

    def _save_verdict(self, result: ValidationResult) -> None:
        """Save a verdict's file beside the run."""
        ensemble = result.ensemble
        content = verdict_file(result, ensemble.created_at, LEARNER)
        path = verdict_path(self._folder, ensemble.hash, ensemble.created_at)
        write_file(path, verdict_bytes(content))

    def _run(
        self,
        jobs: Sequence[RefitJob],
        tasks: Mapping[tuple[int, str], tuple[Callable[[Any], Any], Any]],
        save: Callable[[RefitJob, str, Any], str | None],
    ) -> None:
        """Run tasks, keyed by the number of their refit and their step.

        save : takes a refit, a step and its result; returns what is wrong with the result, if
               anything is.
        """
        labels = {f"{number} {step}": (jobs[number], step) for number, step in tasks}
        queue = [Task(label, *task) for label, task in zip(labels, tasks.values(), strict=True)]
        for task, result in self._pool.run(queue):
            job, step = labels[task.label]
            try:
                error = result.error if isinstance(result, TaskFailed) else save(job, step, result)
            except Exception as raised:  # whatever it is: a training must not end the run
                error = error_text(raised)
            if error is not None:
                job.fail(f"{step}: {error}")


def _step(jobs: Sequence[RefitJob], step: Callable[[RefitJob], None]) -> None:
    """Do a step of each refit that has not ended; an exception ends that refit."""
    for job in jobs:
        if job.result is None:
            try:
                step(job)
            except Exception as error:  # whatever it is: a training must not end the run
                job.fail(error_text(error))
