"""A refit: an ensemble's own recipe on the candles up to an instant, and what the gate says of it.

Many at once: their packages are trained side by side in worker processes, then joined, then judged.
What goes wrong with one (its worker dies, hangs or raises) is its own end, and nobody else's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ares.adapters.durable import write_file
from ares.adapters.layered_store import FOLDER, LayeredModelStore
from ares.adapters.provenance import git_commit, library_versions
from ares.adapters.worker_pool import (
    Task,
    TaskFailed,
    WorkerPool,
    error_text,
    unexpected,
)
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.model import Ensemble
from ares.domain.package import Package
from ares.domain.timeframe import Timeframe
from ares.domain.trial import Trial
from ares.domain.utc import utc_iso, utc_version
from ares.kernel.trade.confidence import probability_positive
from ares.runtime.trade_rules import rules_of
from ares.runtime.training.aggregate_job import (
    AggregateDone,
    AggregateJob,
    aggregate_members,
    ensemble_of,
)
from ares.runtime.training.job import (
    InvalidUserFeatures,
    PackageDone,
    PackageJob,
    SkippedTraining,
    train_package,
)
from ares.runtime.validation.from_workspace import validation_config
from ares.runtime.validation.pipeline import ValidationResult, validate_inline
from ares.runtime.validation.request import ValidationRequest, training_job
from ares.runtime.validation.verdict_file import verdict_bytes, verdict_file, verdict_path

LEARNER = "learner"


@dataclass(frozen=True, slots=True)
class RefitRequest:
    """Make ``taught`` anew from candles that had closed by ``at_ms``.

    champion : which the refit must not be worse than; None: it must beat staying flat.
    """

    taught: Ensemble
    champion: Ensemble | None
    at_ms: int


@dataclass(frozen=True, slots=True)
class RefitResult:
    """What came of an assignment; ``ensemble`` is None where it failed or nothing has changed."""

    outcome: Literal["published", "refused", "unchanged", "failed"]
    note: str = ""
    ensemble: Ensemble | None = None
    rows: int = 0
    epochs: int = 0
    confidence: float = 0.0
    verdict_hash: str = ""
    passed: bool = False
    failed: tuple[str, ...] = ()


@dataclass(slots=True)
class RefitJob:
    """An assignment under way: what it has got so far."""

    assignment: RefitRequest
    jobs: dict[Timeframe, PackageJob] = field(default_factory=dict)
    made: dict[Timeframe, PackageDone] = field(default_factory=dict)
    joining: AggregateJob | None = None
    joined: AggregateDone | None = None
    ensemble: Ensemble | None = None
    end: RefitResult | None = None

    @property
    def instrument(self) -> Instrument:
        """Return the instrument whose ensemble is refitted."""
        return Instrument.parse(self.assignment.taught.instrument)

    def fail(self, note: str) -> None:
        """End it."""
        self.end = self.end or RefitResult("failed", note)


class RefitRunner:
    """Makes refits for one run, in its own folder.

    environment : of the run.     folder : of the run.     trials : counted so far.
    """

    def __init__(
        self,
        workspace: Workspace,
        environment: str,
        folder: Path,
        trials: Sequence[Trial],
        pool: WorkerPool,
    ) -> None:
        self._workspace, self._environment, self._folder = workspace, environment, folder
        self._trials, self._pool = tuple(trials), pool
        self._libraries = library_versions()
        self.models = LayeredModelStore(folder / FOLDER, workspace.models_dir)
        self._config = validation_config(workspace, self.models.root)

    def run(self, assignments: Sequence[RefitRequest]) -> list[RefitResult]:
        """Return what comes of each assignment; blocks until all are done, and raises nothing that
        one of them brought about.
        """
        desks = [RefitJob(one) for one in assignments]
        self._guarded(desks, self._take_up)
        self._train(desks)
        self._guarded(desks, self._compare)
        self._guarded(desks, self._prepare_join)
        self._join(desks)
        self._guarded(desks, self._assemble)
        self._judge(desks)
        return [desk.end or RefitResult("failed", "it came to no end") for desk in desks]

    def _guarded(self, desks: Sequence[RefitJob], step: Callable[[RefitJob], None]) -> None:
        for desk in desks:
            if desk.end is None:
                try:
                    step(desk)
                except Exception as error:  # whatever it is: a training must not end the run
                    desk.fail(error_text(error))

    def _run(
        self,
        desks: Sequence[RefitJob],
        tasks: dict[str, Task],
        keep: Callable[[str, Any], str | None],
    ) -> None:
        """Run tasks; ``keep`` takes a label and a result in, and returns what was wrong with it."""
        whose = {f"{place} ": desk for place, desk in enumerate(desks)}
        for task, result in self._pool.run(list(tasks.values())):
            desk = whose[task.label[: task.label.index(" ") + 1]]
            try:
                wrong = result.error if isinstance(result, TaskFailed) else keep(task.label, result)
            except Exception as error:  # as above
                wrong = error_text(error)
            if wrong is not None:
                desk.fail(f"{task.label.partition(' ')[2]}: {wrong}")

    def _take_up(self, desk: RefitJob) -> None:
        """Make the jobs that train the members: each its own recipe, with newer candles."""
        one = desk.assignment
        at = datetime.fromtimestamp(one.at_ms // 1000, UTC)
        for member in one.taught.members:
            package = self.models.member(member)
            if package.card.origin != "trained":
                raise UserError(
                    f"{package.card.ref} was imported: train it anew where it comes from"
                )
            before = training_job(self._config, package)
            desk.jobs[member.timeframe] = replace(
                before,
                source=replace(before.source, to_ms=one.at_ms),
                rows_min=self._workspace.settings.learning.rows_min,
                version=utc_version(at),
                created_at=utc_iso(at),
                git_commit=git_commit(),
                libraries=self._libraries,
            )

    def _train(self, desks: Sequence[RefitJob]) -> None:
        """Train all members of all assignments, the slowest (the shortest timeframes) first."""
        jobs = [
            (timeframe, place, job)
            for place, desk in enumerate(desks)
            if desk.end is None
            for timeframe, job in desk.jobs.items()
        ]
        jobs.sort(key=lambda one: (one[0].ms, one[1]))
        tasks = {
            f"{place} {timeframe}": Task(f"{place} {timeframe}", train_package, job)
            for timeframe, place, job in jobs
        }

        def keep(label: str, result: Any) -> str | None:
            if isinstance(result, SkippedTraining | InvalidUserFeatures):
                return result.reason
            if not isinstance(result, PackageDone):
                return unexpected(result)
            place, _, timeframe = label.partition(" ")
            desks[int(place)].made[Timeframe(timeframe)] = result
            return None

        self._run(desks, tasks, keep)

    def _compare(self, desk: RefitJob) -> None:
        """End it where no member had anything new to learn from."""
        before = {m.timeframe: self.models.member(m) for m in desk.assignment.taught.members}
        if all(
            done.package.card.data_hash == before[timeframe].card.data_hash
            for timeframe, done in desk.made.items()
        ):
            desk.end = RefitResult("unchanged", "there are no newer rows", rows=_rows(desk))

    def _prepare_join(self, desk: RefitJob) -> None:
        taught, settings = desk.assignment.taught, self._workspace.settings
        if not taught.joined:
            return
        anchor = desk.jobs[taught.anchor]
        desk.joining = AggregateJob(
            instrument=desk.instrument,
            scores={t: done.scores[desk.instrument] for t, done in desk.made.items()},
            weights={member.timeframe: member.weight for member in taught.members},
            label=anchor.recipe.label,
            edge_bps_min=settings.strategy.edge_bps_min,
            seed=anchor.recipe.seed,
            source=anchor.source,
            rules=rules_of(settings),
            cash_quote=settings.account.capital_quote,
        )

    def _join(self, desks: Sequence[RefitJob]) -> None:
        tasks = {
            f"{place} ensemble": Task(f"{place} ensemble", aggregate_members, desk.joining)
            for place, desk in enumerate(desks)
            if desk.end is None and desk.joining is not None
        }

        def keep(label: str, result: Any) -> str | None:
            if isinstance(result, SkippedTraining):
                return result.reason
            if not isinstance(result, AggregateDone):
                return unexpected(result)
            desks[int(label.partition(" ")[0])].joined = result
            return None

        self._run(desks, tasks, keep)

    def _assemble(self, desk: RefitJob) -> None:
        """Keep the packages and make the ensemble of them; the same bytes again change nothing."""
        packages: dict[Timeframe, Package] = {
            timeframe: self.models.adopt(done.package) for timeframe, done in desk.made.items()
        }
        if desk.joining is not None and desk.joined is not None:
            members = {t: (packages[t], desk.jobs[t].recipe) for t in desk.joining.weights}
            created_at = desk.jobs[desk.assignment.taught.anchor].created_at
            desk.ensemble = ensemble_of(desk.joining, desk.joined, members, created_at)
        else:
            [package] = packages.values()
            desk.ensemble = package.alone(desk.instrument.key, package.card.created_at)
        if desk.ensemble.recipe_hash != desk.assignment.taught.recipe_hash:
            raise UserError("its recipe is of another version of Ares: train it anew by hand")
        self.models.save_ensemble(desk.ensemble)

    def _judge(self, desks: Sequence[RefitJob]) -> None:
        tasks = {
            f"{place} verdict": Task(
                f"{place} verdict",
                validate_inline,
                ValidationRequest(
                    self._config,
                    self._environment,
                    desk.ensemble,
                    desk.assignment.champion,
                    self._trials,
                    repeatable=True,
                ),
            )
            for place, desk in enumerate(desks)
            if desk.end is None and desk.ensemble is not None
        }

        def keep(label: str, result: Any) -> str | None:
            if not isinstance(result, ValidationResult):
                return unexpected(result)
            self._conclude(desks[int(label.partition(" ")[0])], result)
            return None

        self._run(desks, tasks, keep)

    def _conclude(self, desk: RefitJob, result: ValidationResult) -> None:
        """Keep the verdict's file beside the run, and end the assignment."""
        verdict, ensemble = result.verdict, result.ensemble
        content = verdict_file(result, ensemble.created_at, LEARNER)
        path = verdict_path(self._folder, ensemble.hash, ensemble.created_at)
        write_file(path, verdict_bytes(content))
        desk.end = RefitResult(
            outcome="published" if verdict.passed else "refused",
            ensemble=ensemble,
            rows=_rows(desk),
            epochs=max(_epochs(done) for done in desk.made.values()),
            confidence=_confidence(ensemble),
            verdict_hash=verdict.hash,
            passed=verdict.passed,
            failed=tuple(line.name for line in verdict.failed),
        )


def _confidence(ensemble: Ensemble) -> float:
    """Return the mode confidence that an ensemble's validation trades give."""
    trades = ensemble.validation
    n = float(trades.trades)
    return float(probability_positive(n, trades.mean_bps, trades.sd_bps**2 * n))


def _rows(desk: RefitJob) -> int:
    return sum(done.package.card.data_rows for done in desk.made.values())


def _epochs(done: PackageDone) -> int:
    return int(done.package.card.metrics["learning_curve"]["epochs"])
