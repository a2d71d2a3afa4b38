"""The hearing: an ensemble's members asked one by one, and joined again as they were joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from ares.adapters.model_store import ModelStore
from ares.adapters.worker_pool import InlinePool, Task, TaskFailed, WorkerPool, cores
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.model import Ensemble
from ares.domain.package import Package
from ares.kernel.features.user import UserFeatures
from ares.learn.ensemble import EnsembleCalibration, join
from ares.learn.gate.account import AccountTerms
from ares.learn.gate.evidence_builder import MemberChecks
from ares.learn.gate.oos_scores import EnsembleScores
from ares.learn.recipe import LabelRecipe, Recipe
from ares.learn.walk_forward import TooFewRowsError
from ares.observe.user_features_check import load_features
from ares.runtime.trade_rules import rules_of
from ares.runtime.training.instrument_history import HistorySource, store_of
from ares.runtime.training.job import PackageJob, UserModule
from ares.runtime.training.train import training_pool
from ares.runtime.validation.member_job import NOTHING, MemberJob, MemberScores, hear

OnProgress = Callable[[int, int, str], None]
"""Told (done, total, what was done)."""


@dataclass(frozen=True, slots=True)
class EnsembleEvaluation:
    """An ensemble (and the champion that it is compared with) with all that they said.

    by_prices : what its price-only twin would have said; None: it has no sentiment.
    """

    candidate: EnsembleScores
    champion: EnsembleScores | None
    checked: MemberChecks
    notes: tuple[str, ...]
    by_prices: EnsembleScores | None = None


class EnsembleEvaluator:
    """Hears ensembles: asks their members, in a pool where there are several."""

    def __init__(
        self,
        workspace: Workspace,
        pool: WorkerPool | None,
        on_progress: OnProgress,
        models: ModelStore | None = None,
    ):
        """Hear what is in ``models``; None: in the workspace."""
        self._workspace = workspace
        self._models = models or ModelStore(workspace.models_dir)
        self._pool = pool
        self._on_progress = on_progress

    def hear(
        self, candidate: Ensemble, other: Ensemble | None, *, checks: bool = True
    ) -> EnsembleEvaluation:
        """Return what an ensemble says over its own window, and another one over the same.

        checks : False: nothing is judged; both are heard over both windows, without their graphs
                 being tested.
        """
        mine = self._packages(candidate)
        theirs = [] if other is None else self._packages(other)
        until_ms = self._until_ms([*mine, *theirs] if not checks else mine)
        jobs = [self._job(candidate, package, until_ms, checks) for package in mine]
        if other is not None:
            jobs += [self._job(other, package, until_ms, False) for package in theirs]
        said = self._ask(jobs)
        ours, others = said[: len(mine)], said[len(mine) :]
        notes = [note for one in said for note in one.notes]
        witness, unlike = self._witness(candidate, mine, ours)
        champion = None
        if other is not None:
            champion, strange = self._witness(other, theirs, others)
            changed = [*strange, *(name for one in others for name in one.checked.unlike)]
            if changed:
                notes.append(
                    f"{other.hash[:12]}, which it is compared with, is not what training again "
                    f"gives ({', '.join(changed)}): its answers are those of the walk of today"
                )
        return EnsembleEvaluation(
            witness,
            champion,
            _together(ours, unlike),
            tuple(dict.fromkeys(notes)),
            self._by_prices(candidate, mine, ours) if checks else None,
        )

    def terms(self, ensemble: Ensemble) -> AccountTerms:
        """Return the terms on which its answers are traded."""
        spec = store_of(self._source(None, None)).spec(Instrument.parse(ensemble.instrument))
        settings = self._workspace.settings
        return AccountTerms(spec, rules_of(settings), settings.account.capital_quote)

    def _ask(self, jobs: Sequence[MemberJob]) -> list[MemberScores]:
        total = len(jobs) + 1
        self._on_progress(0, total, "")
        tasks = [Task(f"{k} {job.package.card.ref}", hear, job) for k, job in enumerate(jobs)]
        answers: dict[str, MemberScores] = {}
        with nullcontext(self._pool) if self._pool else self._own_pool(len(jobs)) as pool:
            for done, (task, result) in enumerate(pool.run(tasks), 1):
                if isinstance(result, TaskFailed):
                    raise UserError(result.error)
                answers[task.label] = result
                self._on_progress(done, total, task.label.partition(" ")[2])
        return [answers[task.label] for task in tasks]

    def _own_pool(self, jobs: int) -> WorkerPool:
        """Return processes; none where one would do it all, for it takes seconds to begin."""
        workers = self._workspace.settings.learning.workers or cores()
        return InlinePool() if min(workers, jobs) == 1 else training_pool(workers)

    def _packages(self, ensemble: Ensemble) -> list[Package]:
        return [self._models.member(member) for member in ensemble.members]

    def _until_ms(self, packages: Sequence[Package]) -> int | None:
        """Return where their windows end; None (now) where something in them was imported."""
        if any(package.card.origin != "trained" for package in packages):
            return None
        return max(p.card.window_to_ms or p.card.data_to_ms for p in packages)

    def _job(
        self, ensemble: Ensemble, package: Package, until_ms: int | None, checks: bool
    ) -> MemberJob:
        card = package.card
        asking = self.training_of(package)
        trained = asking if card.origin == "trained" else None
        blind_ms = int(datetime.fromisoformat(card.created_at).timestamp() * 1000)
        instrument = Instrument.parse(ensemble.instrument)
        return MemberJob(instrument, package, trained, asking, blind_ms, until_ms, checks)

    def training_of(self, package: Package) -> PackageJob:
        """Return the job that made a package, in the window that it saw."""
        card, settings = package.card, self._workspace.settings
        user = user_of(self._workspace)
        module = settings.features.module
        return PackageJob(
            source=self._source(card.window_from_ms, card.window_to_ms or card.data_to_ms),
            instruments=tuple(Instrument.parse(key) for key in card.instruments),
            recipe=_recipe(package),
            reference=None if card.reference is None else self._reference(card.reference),
            rows_min=1,
            rows_max=settings.learning.rows_max,
            edge_bps_min=settings.strategy.edge_bps_min,
            version=card.version,
            created_at=card.created_at,
            git_commit=card.git_commit,
            libraries=card.libraries,
            user=None
            if user is None or module is None
            else UserModule(module, self._workspace.root, user.hash),
        )

    def _reference(self, name: str) -> Instrument:
        return store_of(self._source(None, None)).resolve(name)

    def _source(self, from_ms: int | None, to_ms: int | None) -> HistorySource:
        return HistorySource(self._workspace.db_url, self._workspace.cache_dir, from_ms, to_ms)

    def _witness(
        self, ensemble: Ensemble, packages: Sequence[Package], said: Sequence[MemberScores]
    ) -> tuple[EnsembleScores, list[str]]:
        """Return the ensemble as a witness, and what is not as it was when it was made."""
        by_timeframe = {
            member.timeframe: one for member, one in zip(ensemble.members, said, strict=True)
        }
        finest = by_timeframe[min(by_timeframe, key=lambda timeframe: timeframe.ms)]
        label = _label(ensemble, packages)
        joined = is_joined(ensemble)
        unlike: list[str] = []
        steps: tuple[EnsembleCalibration, ...] = ()
        walked = {t: one.walked for t, one in by_timeframe.items() if one.walked is not None}
        if len(walked) == len(by_timeframe):
            weights = {member.timeframe: member.weight for member in ensemble.members}
            bars = finest.walked_bars
            try:
                again = join(walked, weights, label, bars, finest.watched_ms, not joined)
            except TooFewRowsError as error:
                raise UserError(
                    f"{ensemble.instrument} {ensemble.hash[:12]} cannot be joined again: {error}"
                ) from None
            steps = again.steps
            shipped = (ensemble.platt_a, ensemble.platt_b, ensemble.gain, ensemble.loss)
            payoff = again.payoff
            if joined and shipped != (again.platt.a, again.platt.b, payoff.gain, payoff.loss):
                unlike.append("the calibration after aggregation")
        witness = EnsembleScores(
            ensemble=ensemble,
            label=label,
            scores={timeframe: one.scores for timeframe, one in by_timeframe.items()},
            steps=steps,
            train_end_ms=max(one.train_end_ms for one in said),
            folds_ms=tuple(sorted({edge for one in said for edge in one.folds_ms})),
            watched=finest.watched,
            watched_ms=finest.watched_ms,
            joined=joined,
        )
        return witness, unlike

    def _by_prices(
        self, ensemble: Ensemble, packages: Sequence[Package], said: Sequence[MemberScores]
    ) -> EnsembleScores | None:
        """Return the twin of an ensemble some of whose members have sentiment."""
        if all(one.by_prices is None for one in said):
            return None
        twins = [replace(one, walked=one.by_prices or one.walked, later=NOTHING) for one in said]
        return self._witness(ensemble, packages, twins)[0]


def _together(said: Sequence[MemberScores], unlike: Sequence[str]) -> MemberChecks:
    """Return what was found out about all members: the worst of each."""
    checks = [one.checked for one in said]
    leaks = checks[0].leaks
    for one in checks[1:]:
        leaks = leaks + one.leaks
    differences = [c.parity_difference for c in checks if c.parity_difference is not None]
    speeds = [c.inference_us for c in checks if c.inference_us is not None]
    return MemberChecks(
        unlike=(*(name for one in checks for name in one.unlike), *unlike),
        leaks=leaks,
        parity_rows=sum(one.parity_rows for one in checks),
        parity_difference=max(differences) if len(differences) == len(checks) else None,
        inference_us=max(speeds) if len(speeds) == len(checks) else None,
    )


def _recipe(package: Package) -> Recipe:
    """Return a package's recipe; an imported one's is its trade, and all columns."""
    card = package.card
    if card.origin == "trained":
        try:
            return msgspec.convert(card.recipe, Recipe)
        except msgspec.ValidationError as error:
            raise UserError(
                f"{card.ref} was trained by another version of Ares ({error}): train again"
            ) from None
    label = LabelRecipe(card.horizon_bars, card.width_min_bps, card.cost_bps, card.width_sigmas)
    return Recipe(card.timeframe, card.features, card.features_hash, label)


def _label(ensemble: Ensemble, packages: Sequence[Package]) -> LabelRecipe:
    """Return the trade that an ensemble's answers are about: its anchor's."""
    anchor = next(p for p in packages if p.card.timeframe == ensemble.anchor)
    return _own_trade(_recipe(anchor).label, ensemble)


def _own_trade(label: LabelRecipe, ensemble: Ensemble) -> LabelRecipe:
    """Return a label with the ensemble's own horizon, width and costs."""
    return msgspec.structs.replace(
        label,
        horizon_bars=ensemble.horizon_bars,
        width_sigmas=ensemble.width_sigmas,
        width_min_bps=ensemble.width_min_bps,
        cost_bps=ensemble.cost_bps,
    )


def user_of(workspace: Workspace) -> UserFeatures | None:
    """Return the features of the settings' module, if any."""
    return load_features(workspace.settings.features.module, workspace.root)


def is_joined(ensemble: Ensemble) -> bool:
    """Return whether an ensemble was made by a training, not of one package that stands alone."""
    return ensemble.joined
