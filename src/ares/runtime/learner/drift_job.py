"""Drift measured in a worker: an ensemble's features and its error, up to a virtual instant."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

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
from ares.runtime.training.job import PackageJob
from ares.runtime.training.series import columns_at
from ares.runtime.validation.member_job import MemberJob, score_member
from ares.runtime.validation.request import ValidationConfig, training_job

RECENT_BARS = 1_000
"""The newest bars that are compared. Of fewer, slow features alone make a score as high as a real
shift: on simulated worlds that never change 250 bars give up to 0.75, 1,000 at most 0.56."""

RECENT_BARS_MIN = 250
REFERENCES_MAX = 64
_references: dict[tuple[str, str], FeatureReference] = {}


@dataclass(frozen=True, slots=True)
class DriftJob:
    """Measure the distance of the data up to ``at_ms`` from what ``ensemble`` was trained on.

    config   : the values of the workspace, with the run's own models.
    since_ms : changes of the error that were known by then have been reported.
    """

    config: ValidationConfig
    ensemble: Ensemble
    at_ms: int
    since_ms: int


@dataclass(frozen=True, slots=True)
class DriftResult:
    """A measurement; fields as in ``domain.model_events.DriftMeasured``."""

    score: float
    feature: str
    error_before: float
    error_after: float
    changed: bool


def measure_drift(job: DriftJob) -> DriftResult:
    """Return the drift; raise UserError where there are too few bars to measure it."""
    models = job.config.store()
    packages = {member.timeframe: models.member(member) for member in job.ensemble.members}
    trainings = {t: training_job(job.config, package) for t, package in packages.items()}
    score, feature = _features(job, packages, trainings)
    before, after, changed = _error(job, packages, trainings)
    return DriftResult(score, feature, before, after, changed)


def _features(
    job: DriftJob, packages: dict[Timeframe, Package], trainings: dict[Timeframe, PackageJob]
) -> tuple[float, str]:
    """Return the drift score over the members by their weight, and the feature that moved most.

    Within a member each feature is weighted by how often its trees split on it; a timeframe with
    too few bars is not counted.
    """
    instrument = Instrument.parse(job.ensemble.instrument)
    total, weights = 0.0, 0.0
    highest, moved_most = 0.0, ""
    for member in job.ensemble.members:
        timeframe, package = member.timeframe, packages[member.timeframe]
        training = trainings[timeframe]
        recent_ms = job.at_ms - RECENT_BARS * timeframe.ms
        recent = _rows(training, instrument, recent_ms, job.at_ms)
        if len(recent) < RECENT_BARS_MIN or not package.card.data_rows:
            continue
        splits = splits_of(package.graph, recent.shape[1])
        if not splits.any():
            continue
        reference = _reference(member.package_hash, training, instrument)
        scores = drift_scores(reference.psi(recent)) * (member.weight * splits / splits.sum())
        total, weights = total + float(scores.sum()), weights + member.weight
        if float(scores.max()) > highest:
            highest = float(scores.max())
            user = training.columns()
            names = column_names(user, training.recipe.series)
            moved_most = f"{names[int(scores.argmax())]} {timeframe}"
    if weights == 0.0:
        raise UserError(
            f"{job.ensemble.instrument}: fewer than {RECENT_BARS_MIN} bars to measure drift from"
        )
    return total / weights, moved_most


def _reference(package_hash: str, training: PackageJob, instrument: Instrument) -> FeatureReference:
    """Return the distribution of a package's training rows, computed once per worker process."""
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
    history = load_history(source, instrument, timeframe, training.reference, training.rows_max, [])
    bars = history.bars
    user = training.columns()
    values, warm = with_user(history.table, bars, timeframe, user)
    inside = warm if from_ms is None else warm & (bars.ts_ms >= from_ms)
    closes_ms = bars.ts_ms[inside] + timeframe.ms
    series = columns_at(source.database_url, training.recipe.series, instrument, closes_ms)
    return np.ascontiguousarray(append_columns(values[inside], series), np.float32)


def _error(
    job: DriftJob, packages: dict[Timeframe, Package], trainings: dict[Timeframe, PackageJob]
) -> tuple[float, float, bool]:
    """Return the ensemble's mean squared error around its last change since training, and whether
    that change has not been reported.

    There is one value for each stretch of a trade's length, as far as outcomes are known.
    """
    ensemble, instrument = job.ensemble, Instrument.parse(job.ensemble.instrument)
    horizon_ms = ensemble.horizon_ms
    cards = [package.card for package in packages.values()]
    train_end_ms = max(card.window_to_ms or card.data_to_ms for card in cards)
    if train_end_ms + 2 * horizon_ms > job.at_ms:
        return float("nan"), float("nan"), False
    members = {
        t: score_member(
            MemberJob(instrument, package, trainings[t], False, train_end_ms, job.at_ms, False)
        )
        for t, package in packages.items()
    }
    finest = members[min(members, key=lambda timeframe: timeframe.ms)]
    scores = EnsembleScores(
        ensemble=ensemble,
        label=trainings[ensemble.anchor].recipe.label,
        scores={timeframe: member.later for timeframe, member in members.items()},
        steps=(),
        train_end_ms=train_end_ms,
        folds_ms=(),
        path_bars=finest.path_bars,
        path_interval_ms=finest.path_interval_ms,
    )
    rows, p = scores.decisions(train_end_ms + 1, job.at_ms + 1)
    block = (rows.decided_ms - train_end_ms) // horizon_ms
    errors: F64 = (p - rows.won) ** 2
    means, numbers = block_means(errors, block)
    known_ms = train_end_ms + (numbers + 2) * horizon_ms  # a block's last trade has ended by then
    known = known_ms <= job.at_ms
    change = error_change(means[known])
    is_new = change.index is not None and int(known_ms[known][change.index]) > job.since_ms
    return change.before, change.after, is_new
