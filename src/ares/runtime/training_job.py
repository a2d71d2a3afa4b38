"""One piece of training, as a worker process does it: data in from the store, a package out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ares.domain.errors import AresError
from ares.domain.instrument import Instrument
from ares.domain.package import Package
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import Bars
from ares.kernel.ensemble import Scores
from ares.kernel.features import (
    FEATURE_NAMES,
    VOLATILITY_20,
    WARMUP_BARS,
    FeatureTable,
    features_of,
)
from ares.learn.calibration import Payoff, Platt
from ares.learn.ensemble import join
from ares.learn.evaluate import Metrics, evaluate
from ares.learn.package import Subject, make_package
from ares.learn.parity import Scorer
from ares.learn.recipe import LabelRecipe, Recipe
from ares.learn.rows import Rows, pooled, rows_of
from ares.learn.walk import OutOfSample, TooFewRowsError
from ares.store.candles import CandleStore


@dataclass(frozen=True, slots=True)
class Source:
    """Where a worker finds candles, and the window it may look at.

    from_ms, to_ms : opening time of the first bar, instant by which the last has closed. Bars
                     before are read to warm features up; bars after are never read.
    """

    database_url: str
    cache_dir: Path
    from_ms: int | None = None
    to_ms: int | None = None


@dataclass(frozen=True, slots=True)
class PackageJob:
    """Train one package.

    instruments : one, or all of the universe.
    reference   : instrument that the cross features look at.
    rows_min, rows_max : fewer rows are too few; of more, the newest are taken.
    """

    source: Source
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

    @property
    def label(self) -> str:
        """Return how a person calls it: ``binance:BTC/USDT 1h``."""
        whole = "universe" if self.recipe.scope == "universe" else self.instruments[0].key
        return f"{whole} {self.recipe.timeframe}"


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a package said out of sample about one instrument, with the bars it spoke at."""

    bars: Bars
    scores: Scores


@dataclass(frozen=True, slots=True)
class PackageDone:
    """A package with its evidence; ``notes`` are remarks on the data that a person should read."""

    package: Package
    metrics: Metrics
    spoken: dict[Instrument, Spoken]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JoinJob:
    """Join one instrument's members to an ensemble.

    spoken, weights : by timeframe; ``label`` is the anchor's.
    """

    instrument: Instrument
    spoken: Mapping[Timeframe, Spoken]
    weights: Mapping[Timeframe, float]
    label: LabelRecipe
    edge_bps_min: float
    seed: int


@dataclass(frozen=True, slots=True)
class JoinDone:
    """The calibration after aggregation, with its evidence."""

    platt: Platt
    payoff: Payoff
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Why nothing came of a piece of training: too few rows, no candles."""

    reason: str


def train_package(job: PackageJob) -> PackageDone | LeftOut:
    """Train, export, compare, judge and draw one package; say why where there is too little."""
    store = _store(job.source.database_url, job.source.cache_dir)
    notes: list[str] = []
    seen: list[tuple[Bars, FeatureTable]] = []
    parts: list[Rows] = []
    for lane, instrument in enumerate(job.instruments):
        try:
            bars, table = _load(store, instrument, job, notes)
        except AresError as trouble:
            if job.recipe.scope == "instrument":
                return LeftOut(str(trouble))
            notes.append(str(trouble))
            bars, table = _nothing()
        seen.append((bars, table))
        parts.append(_rows(bars, table, job, lane))
    rows = pooled(parts).newest(job.rows_max)
    if len(rows) < job.rows_min:
        return LeftOut(f"{len(rows):,} rows, and learning.rows_min is {job.rows_min:,}")
    subject = Subject(
        job.instruments,
        FEATURE_NAMES,
        tuple(bars for bars, _ in seen),
        job.edge_bps_min,
        job.version,
        job.created_at,
        job.git_commit,
        job.libraries,
        None if job.reference is None else job.reference.key,
    )
    try:
        trained = make_package(rows, job.recipe, subject, _opener(job.label))
    except TooFewRowsError as error:
        return LeftOut(str(error))
    spoken = {
        instrument: _spoken(bars, table, trained.out_of_sample, lane, job.source.from_ms, job)
        for lane, (instrument, (bars, table)) in enumerate(zip(job.instruments, seen, strict=True))
        if len(bars)
    }
    return PackageDone(trained.package, trained.metrics, spoken, tuple(notes))


def join_members(job: JoinJob) -> JoinDone | LeftOut:
    """Calibrate and judge the aggregate of an instrument's members."""
    finest = min(job.spoken, key=lambda timeframe: timeframe.ms)
    scores = {timeframe: spoken.scores for timeframe, spoken in job.spoken.items()}
    grid = job.spoken[finest].bars
    try:
        joined = join(scores, job.weights, job.label, grid, finest.ms)
    except TooFewRowsError as error:
        return LeftOut(str(error))
    rows = joined.out_of_sample.rows
    from_ms, to_ms = int(rows.decided_ms[0]), int(rows.ends_ms.max())
    during = grid.between(from_ms, to_ms)
    held = float(during.close[-1] / during.open[0]) - 1.0 if len(during) else 0.0
    metrics = evaluate(
        joined.out_of_sample,
        edge_bps_min=job.edge_bps_min,
        interval_ms=finest.ms,
        seed=job.seed,
        buy_hold_bps=1e4 * held - job.label.cost_bps,
    )
    return JoinDone(joined.platt, joined.payoff, metrics)


def _load(
    store: CandleStore, instrument: Instrument, job: PackageJob, notes: list[str]
) -> tuple[Bars, FeatureTable]:
    """Return the instrument's bars and features, from a warm-up before the window on."""
    from ares.store.history import history

    timeframe, source = job.recipe.timeframe, job.source
    start_ms = None if source.from_ms is None else source.from_ms - WARMUP_BARS * timeframe.ms
    found = history(store, instrument, timeframe, start_ms, source.to_ms)
    notes += [str(disagreement) for disagreement in found.disagreements]
    reference: Bars | None = found.bars if job.reference == instrument else None
    if job.reference is not None and job.reference != instrument:
        try:
            reference = history(store, job.reference, timeframe, start_ms, source.to_ms).bars
        except AresError as trouble:
            notes.append(f"{job.label}: without its reference: {trouble}")
    return found.bars, features_of(found.bars, timeframe, reference)


def _rows(bars: Bars, table: FeatureTable, job: PackageJob, lane: int) -> Rows:
    return rows_of(
        bars,
        table.values,
        table.warm,
        table.values[:, VOLATILITY_20],
        job.recipe,
        job.source.from_ms,
        job.source.to_ms,
        lane,
    )


def _spoken(
    bars: Bars,
    table: FeatureTable,
    seen: OutOfSample,
    lane: int,
    from_ms: int | None,
    job: PackageJob,
) -> Spoken:
    """Return an instrument's bars inside the window with what was said at their closes."""
    inside = slice(0 if from_ms is None else int(np.searchsorted(bars.ts_ms, from_ms)), None)
    bars = bars[inside]
    closed_ms = bars.ts_ms + job.recipe.timeframe.ms
    mine = seen.rows.lane == lane
    p = np.full(len(bars), np.nan)
    p[np.searchsorted(closed_ms, seen.rows.decided_ms[mine])] = seen.p[mine]
    sigma = table.values[inside, VOLATILITY_20].astype(np.float64)
    return Spoken(bars, Scores(closed_ms, p, np.where(table.warm[inside], sigma, np.nan)))


def _nothing() -> tuple[Bars, FeatureTable]:
    none = np.empty(0, np.int64)
    return Bars.empty(), FeatureTable(none, np.empty((0, len(FEATURE_NAMES)), np.float32), none)


def _opener(where: str) -> Callable[[bytes, int], Scorer]:
    from ares.adapters.onnx_model import open_model

    return lambda graph, n_features: open_model(graph, n_features, where)


@lru_cache(maxsize=2)
def _store(database_url: str, cache_dir: Path) -> CandleStore:
    """Return the worker's candle store, opened once in its life."""
    from ares.store.database import open_database

    return CandleStore(open_database(database_url), cache_dir)
