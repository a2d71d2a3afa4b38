"""Out-of-sample scores of ensembles: their members scored in workers, then aggregated again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

import msgspec

from ares.adapters.worker_pool import InlinePool, Task, TaskFailed, WorkerPool, cores
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.model import Ensemble
from ares.domain.package import Package
from ares.learn.ensemble import EnsembleCalibration, calibrate_aggregate
from ares.learn.gate.evidence_builder import MemberChecks
from ares.learn.gate.oos_scores import EnsembleScores
from ares.learn.recipe import LabelRecipe
from ares.learn.walk_forward import TooFewRowsError
from ares.runtime.training.train import training_pool
from ares.runtime.validation.member_job import NO_SCORES, MemberJob, MemberScores, score_member
from ares.runtime.validation.request import (
    OnProgress,
    ValidationConfig,
    no_progress,
    recipe_of,
    training_job,
)


@dataclass(frozen=True, slots=True)
class EnsembleEvaluation:
    """An ensemble, and the champion that it is compared with, with all their scores.

    twins : by external series, the scores of its twin without that series.
    """

    candidate: EnsembleScores
    champion: EnsembleScores | None
    checks: MemberChecks
    notes: tuple[str, ...]
    twins: Mapping[str, EnsembleScores] = field(default_factory=dict)


class EnsembleEvaluator:
    """Scores the members of ensembles, in a pool of workers where there are several."""

    def __init__(
        self,
        config: ValidationConfig,
        pool: WorkerPool | None = None,
        on_progress: OnProgress = no_progress,
    ):
        """Score in ``pool``; None: in processes of its own, or inline where one would do it all."""
        self._config = config
        self._store = config.store()
        self._pool = pool
        self._on_progress = on_progress

    def evaluate(
        self, candidate: Ensemble, champion: Ensemble | None, *, checks: bool = True
    ) -> EnsembleEvaluation:
        """Return the scores of an ensemble over its own window, and of another over the same.

        checks : False: the members are not tested, and both are scored over both windows.
        """
        packages = self._packages(candidate)
        others = [] if champion is None else self._packages(champion)
        until_ms = self._until_ms(packages if checks else [*packages, *others])
        jobs = [self._job(candidate, package, until_ms, checks) for package in packages]
        if champion is not None:
            jobs += [self._job(champion, package, until_ms, False) for package in others]
        members = self._score(jobs)
        own, other = members[: len(packages)], members[len(packages) :]
        notes = [note for member in members for note in member.notes]
        scores, not_reproduced = aggregate(candidate, packages, own)
        champion_scores = None
        if champion is not None:
            champion_scores, changed = aggregate(champion, others, other)
            changed += [name for member in other for name in member.checks.not_reproduced]
            if changed:
                notes.append(
                    f"{champion.hash[:12]}, the ensemble compared with, is not reproduced by "
                    f"training again ({', '.join(changed)}): its scores are those of a new "
                    "walk-forward"
                )
        return EnsembleEvaluation(
            scores,
            champion_scores,
            _worst(own, not_reproduced),
            tuple(dict.fromkeys(notes)),
            _twins(candidate, packages, own) if checks else {},
        )

    def _score(self, jobs: Sequence[MemberJob]) -> list[MemberScores]:
        total = len(jobs) + 1
        self._on_progress(0, total, "")
        tasks = [
            Task(f"{k} {job.package.card.ref}", score_member, job) for k, job in enumerate(jobs)
        ]
        scores: dict[str, MemberScores] = {}
        with nullcontext(self._pool) if self._pool else self._own_pool(len(jobs)) as pool:
            for done, (task, result) in enumerate(pool.run(tasks), 1):
                if isinstance(result, TaskFailed):
                    raise UserError(result.error)
                scores[task.label] = result
                self._on_progress(done, total, task.label.partition(" ")[2])
        return [scores[task.label] for task in tasks]

    def _own_pool(self, jobs: int) -> WorkerPool:
        """Return processes; inline where one would do it all: a process takes seconds to start."""
        workers = self._config.workers or cores()
        return InlinePool() if min(workers, jobs) == 1 else training_pool(workers)

    def _packages(self, ensemble: Ensemble) -> list[Package]:
        return [self._store.member(member) for member in ensemble.members]

    def _until_ms(self, packages: Sequence[Package]) -> int | None:
        """Return the end of the packages' windows; None (now) where one of them was imported."""
        if any(package.card.origin != "trained" for package in packages):
            return None
        return max(_window_end_ms(package) for package in packages)

    def _job(
        self, ensemble: Ensemble, package: Package, until_ms: int | None, checks: bool
    ) -> MemberJob:
        """Return the job for a member; an imported one may have seen everything before it came."""
        card = package.card
        trained = card.origin == "trained"
        return MemberJob(
            instrument=Instrument.parse(ensemble.instrument),
            package=package,
            job=training_job(self._config, package),
            walk=trained,
            train_end_ms=_window_end_ms(package) if trained else card.learned_until_ms,
            to_ms=until_ms,
            checks=checks,
        )


def aggregate(
    ensemble: Ensemble, packages: Sequence[Package], members: Sequence[MemberScores]
) -> tuple[EnsembleScores, list[str]]:
    """Return the scores of an ensemble from those of its members, calibrated as in training.

    Also returns the names of what differs from the stored ensemble.
    """
    by_timeframe = {
        member.timeframe: scores for member, scores in zip(ensemble.members, members, strict=True)
    }
    finest = by_timeframe[min(by_timeframe, key=lambda timeframe: timeframe.ms)]
    label = _label(ensemble, packages)
    steps: tuple[EnsembleCalibration, ...] = ()
    differs: list[str] = []
    walked = {t: scores.walked for t, scores in by_timeframe.items() if scores.walked is not None}
    if len(walked) == len(by_timeframe):
        weights = {member.timeframe: member.weight for member in ensemble.members}
        interval_ms = finest.path_interval_ms
        try:
            again = calibrate_aggregate(
                walked, weights, label, finest.walked_bars, interval_ms, not ensemble.aggregated
            )
        except TooFewRowsError as error:
            raise UserError(
                f"{ensemble.instrument} {ensemble.hash[:12]} cannot be aggregated again: {error}"
            ) from None
        steps = again.steps
        shipped = (ensemble.platt_a, ensemble.platt_b, ensemble.gain, ensemble.loss)
        fitted = (again.platt.a, again.platt.b, again.payoff.gain, again.payoff.loss)
        if ensemble.aggregated and shipped != fitted:
            differs.append("the calibration after aggregation")
    scores = EnsembleScores(
        ensemble=ensemble,
        label=label,
        scores={timeframe: member.scores for timeframe, member in by_timeframe.items()},
        steps=steps,
        train_end_ms=max(member.train_end_ms for member in members),
        folds_ms=tuple(sorted({edge for member in members for edge in member.folds_ms})),
        path_bars=finest.path_bars,
        path_interval_ms=finest.path_interval_ms,
        aggregated=ensemble.aggregated,
    )
    return scores, differs


def _twins(
    ensemble: Ensemble, packages: Sequence[Package], members: Sequence[MemberScores]
) -> dict[str, EnsembleScores]:
    """Return the scores of an ensemble without each external series that a member has."""
    found = {}
    for series in dict.fromkeys(name for member in members for name in member.twins):
        without = [
            replace(member, walked=member.twins.get(series, member.walked), later=NO_SCORES)
            for member in members
        ]
        found[series] = aggregate(ensemble, packages, without)[0]
    return found


def _worst(members: Sequence[MemberScores], differs: Sequence[str]) -> MemberChecks:
    """Return the checks of all members together: the worst of each."""
    checks = [member.checks for member in members]
    leaks = checks[0].leaks
    for check in checks[1:]:
        leaks = leaks + check.leaks
    differences = [c.parity_difference for c in checks if c.parity_difference is not None]
    latencies = [c.inference_us for c in checks if c.inference_us is not None]
    return MemberChecks(
        not_reproduced=(*(name for check in checks for name in check.not_reproduced), *differs),
        leaks=leaks,
        parity_rows=sum(check.parity_rows for check in checks),
        parity_difference=max(differences) if len(differences) == len(checks) else None,
        inference_us=max(latencies) if len(latencies) == len(checks) else None,
    )


def _window_end_ms(package: Package) -> int:
    return package.card.window_to_ms or package.card.data_to_ms


def _label(ensemble: Ensemble, packages: Sequence[Package]) -> LabelRecipe:
    """Return the trade that an ensemble's scores are about: its anchor's, with its own sizes."""
    anchor = next(p for p in packages if p.card.timeframe == ensemble.anchor)
    return msgspec.structs.replace(
        recipe_of(anchor).label,
        horizon_bars=ensemble.horizon_bars,
        width_sigmas=ensemble.width_sigmas,
        width_min_bps=ensemble.width_min_bps,
        cost_bps=ensemble.cost_bps,
    )
