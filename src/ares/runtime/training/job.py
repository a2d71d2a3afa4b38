"""The training of one package, as a worker process does it: from the candle store to a package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ares.adapters.strategy_file import load_strategy
from ares.adapters.user_module import load_user_features
from ares.domain.errors import AresError, UserError
from ares.domain.instrument import Instrument
from ares.domain.package import Package
from ares.domain.strategy import StrategySource
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import Bars
from ares.kernel.ensemble import Scores
from ares.kernel.features import VOLATILITY_20
from ares.kernel.features.columns import column_names
from ares.kernel.features.user import UserFeatures
from ares.learn.evaluate import OosMetrics
from ares.learn.package import PackageSpec, TrainedPackage, make_package
from ares.learn.parity import Scorer
from ares.learn.recipe import Recipe
from ares.learn.rows import Rows, pooled, rows_of, with_user
from ares.learn.walk_forward import OutOfSample, TooFewRowsError
from ares.runtime.training.instrument_history import (
    HistorySource,
    InstrumentHistory,
    empty_history,
    load_history,
)
from ares.runtime.training.series import rows_with_series
from ares.runtime.training.training_picture import training_picture
from ares.runtime.training.training_rules import UserModulePath


@dataclass(frozen=True, slots=True)
class UserModule:
    """Where a worker finds the user's features, and the hash of those that were tested."""

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
    rows_min, rows_max : fewer rows are too few; of more, the newest are used.
    strategy    : the user's strategy that it calibrates, in place of the module's features.
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
    strategy: StrategySource | None = None

    def columns(self) -> UserFeatures | None:
        """Return the columns behind the kernel's: the strategy's, or those of the module.

        Raises UserError where they cannot be loaded, or are not those that were tested.
        """
        if self.strategy is not None:
            return load_strategy(self.strategy).columns
        return None if self.user is None else loaded_features(self.user)

    @property
    def label(self) -> str:
        """Return its name for a person: ``binance:BTC/USDT 1h``."""
        scope = "universe" if self.recipe.scope == "universe" else self.instruments[0].key
        strategy = self.recipe.strategy
        return f"{scope} {'' if strategy is None else strategy.name + ' '}{self.recipe.timeframe}"


@dataclass(frozen=True, slots=True)
class PackageScores:
    """A package's out-of-sample scores of one instrument.

    path_bars : the bars that the paths of its trades follow, ``path_interval_ms`` long.
    """

    scores: Scores
    path_bars: Bars
    path_interval_ms: int


@dataclass(frozen=True, slots=True)
class PackageDone:
    """A package with its evidence; ``notes`` are remarks on the data for a person."""

    package: Package
    metrics: OosMetrics
    scores: dict[Instrument, PackageScores]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SkippedTraining:
    """Why a training was skipped: too few rows, no candles."""

    reason: str


@dataclass(frozen=True, slots=True)
class InvalidUserFeatures:
    """Why the user's features cannot be used: no package of this training can be made."""

    reason: str


@dataclass(frozen=True, slots=True)
class PreparedTraining:
    """The data that a package is trained on.

    histories : of each of the job's instruments.      notes : remarks on the data.
    """

    histories: tuple[InstrumentHistory, ...]
    rows: Rows
    spec: PackageSpec
    user: UserFeatures | None
    notes: tuple[str, ...]


MakePackage = Callable[..., TrainedPackage]
"""Makes a package: ``make_package``, or a function with the same results."""


def train_package(
    job: PackageJob, make: MakePackage = make_package
) -> PackageDone | SkippedTraining | InvalidUserFeatures:
    """Train, export, compare, evaluate and draw one package; return why where that cannot be."""
    prepared = prepare(job)
    if not isinstance(prepared, PreparedTraining):
        return prepared
    try:
        trained = make(
            prepared.rows,
            job.recipe,
            prepared.spec,
            graph_opener(job.label),
            picture=training_picture,
        )
    except TooFewRowsError as error:
        return SkippedTraining(str(error))
    scores = {
        instrument: scores_of(prepared.histories[lane], trained.out_of_sample, lane, job)
        for lane, instrument in enumerate(job.instruments)
        if len(prepared.histories[lane].bars)
    }
    return PackageDone(trained.package, trained.metrics, scores, prepared.notes)


def prepare(job: PackageJob) -> PreparedTraining | SkippedTraining | InvalidUserFeatures:
    """Load the data of a training: the same candles give the same rows to the bit."""
    notes: list[str] = []
    histories = _histories(job, notes)
    if isinstance(histories, SkippedTraining):
        return histories
    rows = pooled([_rows(history, job, lane) for lane, history in enumerate(histories)])
    rows = rows.newest(job.rows_max)
    bars = tuple(history.bars for history in histories)
    try:
        user = job.columns()
        rows = with_user(rows, bars, job.recipe.timeframe.ms, user)
    except UserError as error:
        return InvalidUserFeatures(str(error))
    if job.recipe.series:
        rows, remarks = rows_with_series(rows, job.source, job.instruments, job.recipe)
        notes += remarks
    if len(rows) < job.rows_min:
        return SkippedTraining(f"{len(rows):,} rows, and learning.rows_min is {job.rows_min:,}")
    spec = _spec(job, histories, column_names(user, job.recipe.series))
    return PreparedTraining(tuple(histories), rows, spec, user, tuple(notes))


def _histories(job: PackageJob, notes: list[str]) -> list[InstrumentHistory] | SkippedTraining:
    """Return the history of each instrument; of a universe, those without candles are empty."""
    histories: list[InstrumentHistory] = []
    timeframe, reference = job.recipe.timeframe, job.reference
    for instrument in job.instruments:
        try:
            histories.append(
                load_history(job.source, instrument, timeframe, reference, job.rows_max, notes)
            )
        except AresError as error:
            if job.recipe.scope == "instrument":
                return SkippedTraining(str(error))
            notes.append(str(error))
            histories.append(empty_history())
    return histories


def _spec(
    job: PackageJob, histories: Sequence[InstrumentHistory], columns: tuple[str, ...]
) -> PackageSpec:
    present = [history for history in histories if len(history.bars)]
    lengths = dict.fromkeys(_length(history.path_interval_ms) for history in present)
    return PackageSpec(
        instruments=job.instruments,
        columns=columns,
        bars=tuple(history.bars for history in histories),
        edge_bps_min=job.edge_bps_min,
        version=job.version,
        created_at=job.created_at,
        git_commit=job.git_commit,
        libraries=job.libraries,
        reference=None if job.reference is None else job.reference.key,
        path_interval=" and ".join(lengths),
        window_from_ms=job.source.from_ms,
        window_to_ms=max(history.end_ms for history in present),
        strategy=None if job.strategy is None else job.strategy.source,
    )


@lru_cache(maxsize=1)
def loaded_features(module: UserModule) -> UserFeatures:
    """Return the user's features; raise UserError where they are not those that were tested."""
    user = load_user_features(module.module, module.folder)
    if user.hash != module.hash:
        raise UserError(
            f"{user.path} was changed while its features were used: run the command again"
        )
    return user


def _length(interval_ms: int) -> str:
    return next(timeframe.value for timeframe in Timeframe if timeframe.ms == interval_ms)


def _rows(history: InstrumentHistory, job: PackageJob, lane: int) -> Rows:
    return rows_of(
        history.bars,
        history.table.values,
        history.table.warm,
        history.table.values[:, VOLATILITY_20],
        job.recipe,
        job.source.from_ms,
        job.source.to_ms,
        lane,
        history.path_bars,
        history.path_interval_ms,
    )


def scores_of(
    history: InstrumentHistory, outputs: OutOfSample, lane: int, job: PackageJob
) -> PackageScores:
    """Return the out-of-sample scores at the closes of an instrument's bars inside the window."""
    bars, table, from_ms = history.bars, history.table, job.source.from_ms
    first = 0 if from_ms is None else np.searchsorted(bars.ts_ms, from_ms)
    inside = slice(int(first), None)
    closed_ms = bars.ts_ms[inside] + job.recipe.timeframe.ms
    in_lane = outputs.rows.lane == lane
    p = np.full(len(closed_ms), np.nan)
    p[np.searchsorted(closed_ms, outputs.rows.decided_ms[in_lane])] = outputs.p[in_lane]
    sigma = table.values[inside, VOLATILITY_20].astype(np.float64)
    scores = Scores(closed_ms, p, np.where(table.warm[inside], sigma, np.nan))
    return PackageScores(scores, history.path_bars, history.path_interval_ms)


def graph_opener(where: str) -> Callable[[bytes, int], Scorer]:
    """Return the function that opens a graph as the engine serves it; ``where`` names it."""
    from ares.adapters.onnx_model import open_model

    return lambda graph, n_features: open_model(graph, n_features, where)
