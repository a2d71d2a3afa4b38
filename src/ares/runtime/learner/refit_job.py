"""The state of one refit: its request, the jobs of its members, and its result."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from ares.adapters.model_store import ModelStore
from ares.adapters.provenance import git_commit, library_versions
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.model import Ensemble
from ares.domain.package import Package
from ares.domain.timeframe import Timeframe
from ares.domain.utc import utc_iso, utc_version
from ares.kernel.trade.confidence import probability_positive
from ares.runtime.training.aggregate_job import AggregateDone, AggregateJob, ensemble_of
from ares.runtime.training.job import PackageDone, PackageJob
from ares.runtime.validation.pipeline import ValidationResult
from ares.runtime.validation.request import ValidationConfig, training_job


@dataclass(frozen=True, slots=True)
class RefitRequest:
    """Refit ``ensemble`` on candles that had closed by ``at_ms``.

    champion : which the refit must not be worse than; None: it must beat staying flat.
    """

    ensemble: Ensemble
    champion: Ensemble | None
    at_ms: int


@dataclass(frozen=True, slots=True)
class RefitResult:
    """The result of a refit; ``ensemble`` is None where it failed or nothing has changed."""

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
    """A running refit; what a step has not made yet is empty or None."""

    request: RefitRequest
    jobs: dict[Timeframe, PackageJob] = field(default_factory=dict)
    packages: dict[Timeframe, PackageDone] = field(default_factory=dict)
    aggregate_job: AggregateJob | None = None
    aggregated: AggregateDone | None = None
    ensemble: Ensemble | None = None
    result: RefitResult | None = None

    @property
    def instrument(self) -> Instrument:
        """Return the instrument whose ensemble is refitted."""
        return Instrument.parse(self.request.ensemble.instrument)

    @property
    def rows(self) -> int:
        """Return the number of rows that its packages were fitted on."""
        return sum(done.package.card.data_rows for done in self.packages.values())

    @property
    def epochs(self) -> int:
        """Return the most epochs that a package was fitted for."""
        curves = (d.package.card.metrics["learning_curve"] for d in self.packages.values())
        return max(int(curve["epochs"]) for curve in curves)

    def fail(self, note: str) -> None:
        """End it, unless it has ended."""
        self.result = self.result or RefitResult("failed", note)

    def prepare_packages(self, models: ModelStore, config: ValidationConfig, rows_min: int) -> None:
        """Make the jobs that train the members: each its own recipe, with newer candles."""
        at_ms = self.request.at_ms
        for member in self.request.ensemble.members:
            package = models.member(member)
            if package.card.origin != "trained":
                raise UserError(f"{package.card.ref} was imported: train it where it comes from")
            before = training_job(config, package)
            self.jobs[member.timeframe] = replace(
                before,
                source=replace(before.source, to_ms=at_ms),
                rows_min=rows_min,
                version=utc_version(at_ms),
                created_at=utc_iso(at_ms),
                git_commit=git_commit(),
                libraries=library_versions(),
            )

    def end_if_unchanged(self, models: ModelStore) -> None:
        """End it where no member has new rows to be fitted on."""
        before = {m.timeframe: models.member(m) for m in self.request.ensemble.members}
        if all(
            done.package.card.data_hash == before[timeframe].card.data_hash
            for timeframe, done in self.packages.items()
        ):
            self.result = RefitResult("unchanged", "there are no newer rows", rows=self.rows)

    def prepare_aggregate(self, config: ValidationConfig) -> None:
        """Make the job that aggregates the members; none where the ensemble is one package."""
        ensemble = self.request.ensemble
        if not ensemble.aggregated:
            return
        anchor = self.jobs[ensemble.anchor]
        self.aggregate_job = AggregateJob(
            instrument=self.instrument,
            scores={t: done.scores[self.instrument] for t, done in self.packages.items()},
            weights={member.timeframe: member.weight for member in ensemble.members},
            label=anchor.recipe.label,
            edge_bps_min=config.edge_bps_min,
            seed=anchor.recipe.seed,
            source=anchor.source,
            rules=config.rules,
            cash_quote=config.cash_quote,
        )

    def save_ensemble(self, models: ModelStore) -> None:
        """Save the packages and their ensemble; the same bytes again change nothing."""
        packages: dict[Timeframe, Package] = {
            timeframe: models.adopt(done.package) for timeframe, done in self.packages.items()
        }
        if self.aggregate_job is not None and self.aggregated is not None:
            members = {t: (packages[t], self.jobs[t].recipe) for t in self.aggregate_job.weights}
            created_at = self.jobs[self.request.ensemble.anchor].created_at
            self.ensemble = ensemble_of(self.aggregate_job, self.aggregated, members, created_at)
        else:
            [package] = packages.values()
            self.ensemble = package.alone(self.instrument.key, package.card.created_at)
        if self.ensemble.recipe_hash != self.request.ensemble.recipe_hash:
            raise UserError("its recipe is of another version of Ares: train again (`ares train`)")
        models.save_ensemble(self.ensemble)

    def end_with(self, validation: ValidationResult) -> None:
        """End it with the verdict on its ensemble."""
        verdict, ensemble = validation.verdict, validation.ensemble
        self.result = RefitResult(
            outcome="published" if verdict.passed else "refused",
            ensemble=ensemble,
            rows=self.rows,
            epochs=self.epochs,
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
