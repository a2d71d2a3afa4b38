"""One piece of training, as a worker process does it: data in from the store, a package out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ares.adapters.user_module import load_user_features
from ares.domain.errors import AresError, UserError
from ares.domain.instrument import Instrument
from ares.domain.package import Package
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import Bars
from ares.kernel.ensemble import Scores
from ares.kernel.features import VOLATILITY_20
from ares.kernel.features.columns import column_names
from ares.kernel.features.user import UserFeatures
from ares.kernel.trade import Rules
from ares.learn.calibration import Payoff, Platt
from ares.learn.ensemble import AggregateCalibration, join, plain_mean
from ares.learn.evaluate import OosMetrics, evaluate
from ares.learn.gate.account import AccountTerms, EvidenceAccount
from ares.learn.gate.oos_scores import EnsembleScores
from ares.learn.gate.paired import trade_pair
from ares.learn.package import PackageSpec, TrainedPackage, make_package
from ares.learn.parity import Scorer
from ares.learn.recipe import LabelRecipe, Recipe
from ares.learn.rows import Rows, pooled, rows_of, with_user
from ares.learn.walk_forward import OutOfSample, TooFewRowsError
from ares.runtime.training.instrument_history import (
    HistorySource,
    InstrumentHistory,
    load_seen,
    nothing_seen,
    store_of,
)
from ares.runtime.training.series import rows_with_series
from ares.runtime.training.training_picture import training_picture
from ares.runtime.training.training_rules import UserModulePath


@dataclass(frozen=True, slots=True)
class UserModule:
    """Where a worker finds the user's features, and the hash of those that were tried."""

    module: str
    folder: Path
    hash: str


def user_module(path: UserModulePath | None, user: UserFeatures | None) -> UserModule | None:
    """Return where a worker finds the features that were loaded here, if any."""
    if path is None or user is None:
        return None
    return UserModule(path.module, path.folder, user.hash)


@dataclass(frozen=True, slots=True)
class PackageJob:
    """Train one package.

    instruments : one, or all of the universe.
    reference   : instrument that the cross features look at.
    rows_min, rows_max : fewer rows are too few; of more, the newest are taken.
    """

    source: HistorySource
    instruments: tuple[Instrument, ...]
    recipe: Recipe
    reference: Instrument | None
    rows_min: int
    rows_max: int
    edge_bps_min: float
    version: str
    created_at: str
    git_commit: str
    libraries: dict[str, str]
    user: UserModule | None = None

    @property
    def label(self) -> str:
        """Return how a person calls it: ``binance:BTC/USDT 1h``."""
        whole = "universe" if self.recipe.scope == "universe" else self.instruments[0].key
        return f"{whole} {self.recipe.timeframe}"


@dataclass(frozen=True, slots=True)
class PackageScores:
    """What a package said out of sample about one instrument.

    watched : the bars on which its trades were watched, ``watched_ms`` long.
    """

    scores: Scores
    watched: Bars
    watched_ms: int


@dataclass(frozen=True, slots=True)
class PackageDone:
    """A package with its evidence; ``notes`` are remarks on the data that a person should read."""

    package: Package
    metrics: OosMetrics
    spoken: dict[Instrument, PackageScores]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AggregateJob:
    """Join one instrument's members to an ensemble.

    spoken, weights : by timeframe; ``label`` is the anchor's.
    rules, cash_quote : on which its answers are traded, to be counted among the trials.
    """

    instrument: Instrument
    spoken: Mapping[Timeframe, PackageScores]
    weights: Mapping[Timeframe, float]
    label: LabelRecipe
    edge_bps_min: float
    seed: int
    source: HistorySource
    rules: Rules
    cash_quote: float


@dataclass(frozen=True, slots=True)
class AggregateDone:
    """The calibration after aggregation, with its evidence.

    first_day, daily : see ``domain.trial.Trial``.
    """

    platt: Platt
    payoff: Payoff
    metrics: OosMetrics
    first_day: int
    daily: bytes


@dataclass(frozen=True, slots=True)
class SkippedTraining:
    """Why nothing came of a piece of training: too few rows, no candles."""

    reason: str


@dataclass(frozen=True, slots=True)
class InvalidUserFeatures:
    """What is wrong with the user's features: no model of this training can be made with them."""

    reason: str


@dataclass(frozen=True, slots=True)
class PreparedTraining:
    """What a package is trained on.

    seen : of each of the job's instruments.      notes : remarks on the data.
    """

    seen: tuple[InstrumentHistory, ...]
    rows: Rows
    subject: PackageSpec
    user: UserFeatures | None
    notes: tuple[str, ...]


Made = Callable[..., TrainedPackage]
"""What makes a package: ``make_package``, or something that gives the same."""


def train_package(
    job: PackageJob, made: Made = make_package
) -> PackageDone | SkippedTraining | InvalidUserFeatures:
    """Train, export, compare, judge and draw one package; say why where there is too little."""
    ready = prepare(job)
    if not isinstance(ready, PreparedTraining):
        return ready
    try:
        trained = made(
            ready.rows, job.recipe, ready.subject, opener(job.label), picture=training_picture
        )
    except TooFewRowsError as error:
        return SkippedTraining(str(error))
    spoken = {
        instrument: spoken_of(ready.seen[lane], trained.out_of_sample, lane, job)
        for lane, instrument in enumerate(job.instruments)
        if len(ready.seen[lane].bars)
    }
    return PackageDone(trained.package, trained.metrics, spoken, ready.notes)


def prepare(job: PackageJob) -> PreparedTraining | SkippedTraining | InvalidUserFeatures:
    """Load what a package is trained on: the same candles give the same rows to the bit."""
    notes: list[str] = []
    seen: list[InstrumentHistory] = []
    for instrument in job.instruments:
        try:
            seen.append(
                load_seen(
                    job.source, instrument, job.recipe.timeframe, job.reference, job.rows_max, notes
                )
            )
        except AresError as trouble:
            if job.recipe.scope == "instrument":
                return SkippedTraining(str(trouble))
            notes.append(str(trouble))
            seen.append(nothing_seen())
    parts = [_rows(one, job, lane) for lane, one in enumerate(seen)]
    rows = pooled(parts).newest(job.rows_max)
    try:
        user = None if job.user is None else loaded(job.user)
        rows = with_user(rows, [one.bars for one in seen], job.recipe.timeframe.ms, user)
    except UserError as mistake:
        return InvalidUserFeatures(str(mistake))
    if job.recipe.series:
        rows, remarks = rows_with_series(rows, job.source, job.instruments, job.recipe)
        notes += remarks
    if len(rows) < job.rows_min:
        return SkippedTraining(f"{len(rows):,} rows, and learning.rows_min is {job.rows_min:,}")
    subject = PackageSpec(
        job.instruments,
        column_names(user, job.recipe.series),
        tuple(one.bars for one in seen),
        job.edge_bps_min,
        job.version,
        job.created_at,
        job.git_commit,
        job.libraries,
        None if job.reference is None else job.reference.key,
        " and ".join(dict.fromkeys(_length(one.watched_ms) for one in seen if len(one.bars))),
        job.source.from_ms,
        max(one.end_ms for one in seen if len(one.bars)),
    )
    return PreparedTraining(tuple(seen), rows, subject, user, tuple(notes))


def join_members(job: AggregateJob) -> AggregateDone | SkippedTraining:
    """Calibrate and judge the aggregate of an instrument's members."""
    finest = min(job.spoken, key=lambda timeframe: timeframe.ms)
    scores = {timeframe: spoken.scores for timeframe, spoken in job.spoken.items()}
    watched, watched_ms = job.spoken[finest].watched, job.spoken[finest].watched_ms
    try:
        joined = join(scores, job.weights, job.label, watched, watched_ms)
    except TooFewRowsError as error:
        return SkippedTraining(str(error))
    rows = joined.out_of_sample.rows
    during = watched.between(int(rows.decided_ms[0]), int(rows.ends_ms.max()))
    held = float(during.close[-1] / during.open[0]) - 1.0 if len(during) else 0.0
    metrics = evaluate(
        joined.out_of_sample,
        edge_bps_min=job.edge_bps_min,
        interval_ms=finest.ms,
        seed=job.seed,
        buy_hold_bps=1e4 * held - job.label.cost_bps,
    )
    account = _traded(job, joined, scores, watched, watched_ms)
    first_day = int(account.days[0]) if len(account.days) else 0
    daily = account.daily.astype("<f8").tobytes()
    return AggregateDone(joined.platt, joined.payoff, metrics, first_day, daily)


def _traded(
    job: AggregateJob,
    joined: AggregateCalibration,
    scores: Mapping[Timeframe, Scores],
    watched: Bars,
    watched_ms: int,
) -> EvidenceAccount:
    """Return the account that trades the ensemble's answers out of sample, as the gate does."""
    spec = store_of(job.source).spec(job.instrument)
    scores_of_ensemble = EnsembleScores(
        ensemble=plain_mean(job.weights, job.label),
        label=job.label,
        scores=scores,
        steps=joined.steps,
        train_end_ms=int(watched.ts_ms[-1]) + watched_ms,
        folds_ms=(),
        path_bars=watched,
        path_interval_ms=watched_ms,
    )
    terms = AccountTerms(spec, job.rules, job.cash_quote)
    return trade_pair(scores_of_ensemble, None, terms).first_account


@lru_cache(maxsize=1)
def loaded(where: UserModule) -> UserFeatures:
    """Return the user's features; raise UserMistake where they are not those that were tried."""
    user = load_user_features(where.module, where.folder)
    if user.hash != where.hash:
        raise UserError(f"{user.path} was changed while its features were used: start again")
    return user


def _length(interval_ms: int) -> str:
    return next(timeframe.value for timeframe in Timeframe if timeframe.ms == interval_ms)


def _rows(one: InstrumentHistory, job: PackageJob, lane: int) -> Rows:
    return rows_of(
        one.bars,
        one.table.values,
        one.table.warm,
        one.table.values[:, VOLATILITY_20],
        job.recipe,
        job.source.from_ms,
        job.source.to_ms,
        lane,
        one.watched,
        one.watched_ms,
    )


def spoken_of(
    one: InstrumentHistory, seen: OutOfSample, lane: int, job: PackageJob
) -> PackageScores:
    """Return what was said at the closes of an instrument's bars inside the window."""
    first = 0 if job.source.from_ms is None else np.searchsorted(one.bars.ts_ms, job.source.from_ms)
    inside = slice(int(first), None)
    closed_ms = one.bars.ts_ms[inside] + job.recipe.timeframe.ms
    mine = seen.rows.lane == lane
    p = np.full(len(closed_ms), np.nan)
    p[np.searchsorted(closed_ms, seen.rows.decided_ms[mine])] = seen.p[mine]
    sigma = one.table.values[inside, VOLATILITY_20].astype(np.float64)
    scores = Scores(closed_ms, p, np.where(one.table.warm[inside], sigma, np.nan))
    return PackageScores(scores, one.watched, one.watched_ms)


def opener(where: str) -> Callable[[bytes, int], Scorer]:
    """Return the function that opens a graph as it will be served."""
    from ares.adapters.onnx_model import open_model

    return lambda graph, n_features: open_model(graph, n_features, where)
