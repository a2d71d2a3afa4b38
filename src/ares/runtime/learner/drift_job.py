"""Drift measured in a worker: an ensemble's features and its error, up to a virtual instant."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ares.adapters.layered_store import LayeredModelStore
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.model import Ensemble
from ares.domain.package import Package
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import F64
from ares.kernel.features.columns import append_columns, column_names, with_user
from ares.learn.drift import FeatureReference, block_means, drift_scores, error_change, reference_of
from ares.learn.gate.oos_scores import EnsembleScores
from ares.learn.onnx_graph import splits_of
from ares.learn.rows import F32
from ares.runtime.training.instrument_history import load_history
from ares.runtime.training.job import PackageJob, loaded_features
from ares.runtime.training.series import columns_at
from ares.runtime.validation.from_workspace import validation_config
from ares.runtime.validation.member_job import MemberJob, score_member
from ares.runtime.validation.request import training_job

RECENT_BARS = 1_000
"""The newest bars that are compared. Of fewer, slow features alone make a score as high as a real
shift: on simulated worlds that never change 250 bars give up to 0.75, 1,000 at most 0.56."""

RECENT_BARS_MIN = 250
REFERENCES_MAX = 64
_references: dict[tuple[str, str], FeatureReference] = {}


@dataclass(frozen=True, slots=True)
class DriftJob:
    """Measure how far what came by ``at_ms`` is from what ``ensemble`` was trained on.

    models   : the run's own store of models.
    since_ms : changes of the error that were known by then are old news.
    """

    workspace: Workspace
    models: Path
    ensemble: Ensemble
    at_ms: int
    since_ms: int


@dataclass(frozen=True, slots=True)
class DriftResult:
    """What was measured; fields as in ``domain.events.DriftMeasured``."""

    score: float
    feature: str
    error_before: float
    error_after: float
    changed: bool


def measure_drift(job: DriftJob) -> DriftResult:
    """Return the drift; raise UserMistake where there is too little to tell it from."""
    shelves = LayeredModelStore(job.models, job.workspace.models_dir)
    config = validation_config(job.workspace, job.models)
    packages = {member.timeframe: shelves.member(member) for member in job.ensemble.members}
    asking = {timeframe: training_job(config, package) for timeframe, package in packages.items()}
    score, feature = _features(job, packages, asking)
    before, after, changed = _error(job, packages, asking)
    return DriftResult(score, feature, before, after, changed)


def _features(
    job: DriftJob, packages: dict[Timeframe, Package], asking: dict[Timeframe, PackageJob]
) -> tuple[float, str]:
    """Return the drift score over the members by their weight, and the feature that moved most.

    Within a member each feature weighs as often as its trees split on it; a timeframe of which
    there are too few bars says nothing.
    """
    instrument = Instrument.parse(job.ensemble.instrument)
    total, weights = 0.0, 0.0
    most, most_moved = 0.0, ""
    for member in job.ensemble.members:
        timeframe, package = member.timeframe, packages[member.timeframe]
        training = asking[timeframe]
        recent_ms = job.at_ms - RECENT_BARS * timeframe.ms
        now = _rows(training, instrument, recent_ms, job.at_ms)
        if len(now) < RECENT_BARS_MIN or not package.card.data_rows:
            continue
        splits = splits_of(package.graph, now.shape[1])
        if not splits.any():
            continue
        then = _reference(member.package_hash, training, instrument)
        scores = drift_scores(then.psi(now)) * (member.weight * splits / splits.sum())
        total, weights = total + float(scores.sum()), weights + member.weight
        if float(scores.max()) > most:
            most = float(scores.max())
            user = None if training.user is None else loaded_features(training.user)
            names = column_names(user, training.recipe.series)
            most_moved = f"{names[int(scores.argmax())]} {timeframe}"
    if weights == 0.0:
        raise UserError(
            f"{job.ensemble.instrument}: fewer than {RECENT_BARS_MIN} bars to measure drift from"
        )
    return total / weights, most_moved


def _reference(package_hash: str, training: PackageJob, instrument: Instrument) -> FeatureReference:
    """Return what a package's training rows were like, made once in a worker's life."""
    key = (package_hash, instrument.key)
    if key not in _references:
        source = training.source
        rows = _rows(training, instrument, source.from_ms, source.to_ms)
        while len(_references) >= REFERENCES_MAX:
            del _references[next(iter(_references))]
        _references[key] = reference_of(rows[-training.rows_max :])
    return _references[key]


def _rows(
    training: PackageJob, instrument: Instrument, from_ms: int | None, to_ms: int | None
) -> F32:
    """Return the warm rows of the bars in a window with all of the model's columns.

    Those of external series have what was known at each close, as when the model is scored.
    """
    timeframe = training.recipe.timeframe
    source = replace(training.source, from_ms=from_ms, to_ms=to_ms)
    seen = load_history(source, instrument, timeframe, training.reference, training.rows_max, [])
    user = None if training.user is None else loaded_features(training.user)
    values, warm = with_user(seen.table, seen.bars, timeframe, user)
    inside = warm if from_ms is None else warm & (seen.bars.ts_ms >= from_ms)
    closes_ms = seen.bars.ts_ms[inside] + timeframe.ms
    series = columns_at(source.database_url, training.recipe.series, instrument, closes_ms)
    return np.ascontiguousarray(append_columns(values[inside], series), np.float32)


def _error(
    job: DriftJob, packages: dict[Timeframe, Package], asking: dict[Timeframe, PackageJob]
) -> tuple[float, float, bool]:
    """Return the ensemble's mean squared error around its last change since it was taught, and
    whether that is news: one value for each stretch of a trade's length, as far as outcomes are
    known.
    """
    ensemble, instrument = job.ensemble, Instrument.parse(job.ensemble.instrument)
    cards = [package.card for package in packages.values()]
    train_end_ms = max(card.window_to_ms or card.data_to_ms for card in cards)
    label = asking[ensemble.anchor].recipe.label
    if train_end_ms + 2 * ensemble.horizon_ms > job.at_ms:
        return float("nan"), float("nan"), False
    said = {
        timeframe: score_member(
            MemberJob(instrument, package, asking[timeframe], False, train_end_ms, job.at_ms, False)
        )
        for timeframe, package in packages.items()
    }
    finest = said[min(said, key=lambda timeframe: timeframe.ms)]
    witness = EnsembleScores(
        ensemble=ensemble,
        label=label,
        scores={timeframe: one.later for timeframe, one in said.items()},
        steps=(),
        train_end_ms=train_end_ms,
        folds_ms=(),
        path_bars=finest.path_bars,
        path_interval_ms=finest.path_interval_ms,
    )
    rows, p = witness.decisions(train_end_ms + 1, job.at_ms + 1)
    block = (rows.decided_ms - train_end_ms) // ensemble.horizon_ms
    errors: F64 = (p - rows.won) ** 2
    means, numbers = block_means(errors, block)
    known_ms = (
        train_end_ms + (numbers + 2) * ensemble.horizon_ms
    )  # its last trade has ended by then
    whole = known_ms <= job.at_ms
    change = error_change(means[whole])
    news = change.index is not None and int(known_ms[whole][change.index]) > job.since_ms
    return change.before, change.after, news
