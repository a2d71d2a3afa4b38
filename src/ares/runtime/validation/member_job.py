"""Scores of one member of an ensemble: walked forward as in training, then by its stored graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np

from ares.adapters.onnx_model import within
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.package import Package, PackageCard
from ares.domain.timeframe import MINUTE_MS
from ares.domain.utc import utc_text
from ares.kernel.bars import Bars
from ares.kernel.ensemble import Scores
from ares.kernel.features import VOLATILITY_20
from ares.kernel.features.columns import append_columns, columns_hash, with_user
from ares.kernel.features.user import UserFeatures
from ares.learn.gate.evidence_builder import MemberChecks
from ares.learn.gate.leaks import walk_leaks
from ares.learn.package import TrainedPackage, make_package
from ares.learn.rows import blanked
from ares.learn.series import columns_of, without
from ares.learn.splits import walk_forward
from ares.learn.walk_forward import TooFewRowsError, fit_walk_forward
from ares.runtime.training.instrument_history import InstrumentHistory, load_history
from ares.runtime.training.job import (
    MakePackage,
    PackageJob,
    PreparedTraining,
    graph_opener,
    prepare,
    scores_of,
)
from ares.runtime.training.series import columns_at
from ares.runtime.validation.member_checks import (
    column_leaks,
    external_series_leaks,
    graph_parity,
    imported_parity,
    latency_us,
)

TRADED = ("anchor", "horizon_bars", "width_sigmas", "width_min_bps", "gain", "loss", "cost_bps")
NO_SCORES = Scores(np.empty(0, np.int64), np.empty(0), np.empty(0))


@dataclass(frozen=True, slots=True)
class MemberJob:
    """Score one member of an ensemble.

    job        : source, recipe, columns and reference of the package, see ``training_job``.
    walk       : True: it was trained here, so its walk-forward is repeated; False: only the stored
                 graph is scored, on what comes after ``train_end_ms``.
    train_end_ms : nothing after this instant was learned from.
    to_ms      : instant up to which it is scored; None: as far as there are candles.
    checks     : whether it is tested for leakage, parity and latency.
    """

    instrument: Instrument
    package: Package
    job: PackageJob
    walk: bool
    train_end_ms: int
    to_ms: int | None
    checks: bool


@dataclass(frozen=True, slots=True)
class MemberScores:
    """The out-of-sample scores of a member.

    walked    : scores of the walk-forward in the training window, NaN where they are not out of
                sample; None: there was no walk-forward. ``walked_bars``: its path bars.
    later     : scores of the stored graph on everything after that window.
    folds_ms  : when one fitted model of the walk-forward takes over from another.
    path_bars, path_interval_ms : bars on which the paths of trades are followed, over both.
    twins     : by external series, the walk-forward on the same rows without that series.
    """

    walked: Scores | None
    walked_bars: Bars
    later: Scores
    folds_ms: tuple[int, ...]
    path_bars: Bars
    path_interval_ms: int
    train_end_ms: int
    checks: MemberChecks
    notes: tuple[str, ...]
    twins: Mapping[str, Scores] = field(default_factory=dict)

    @property
    def scores(self) -> Scores:
        """Return the walk-forward's scores, then the stored graph's."""
        if self.walked is None:
            return self.later
        inside = self.walked.close_ms <= self.train_end_ms
        return Scores(
            np.concatenate([self.walked.close_ms[inside], self.later.close_ms]),
            np.concatenate([self.walked.p[inside], self.later.p]),
            np.concatenate([self.walked.sigma[inside], self.later.sigma]),
        )


def score_member(member: MemberJob, made: MakePackage = make_package) -> MemberScores:
    """Return the scores of a member.

    made : trains the package again.

    Raises UserError where the candles that it was trained on are not stored.
    """
    return _walked_scores(member, made) if member.walk else _graph_scores(member)


def _walked_scores(member: MemberJob, made: MakePackage) -> MemberScores:
    """Repeat the walk-forward of a trained member, then score its stored graph."""
    card, recipe = member.package.card, member.job.recipe
    ready, again = _trained_again(member, made)
    notes = list(ready.notes)
    reproduced = _reproduced(member.package, again, notes)
    lane = member.job.instruments.index(member.instrument)
    history = ready.histories[lane]
    outputs = scores_of(history, again.out_of_sample, lane, member.job)
    path, later = history, NO_SCORES
    if member.to_ms is None or member.to_ms > member.train_end_ms:
        path, later = _later_scores(member, ready.user, notes)
    checks = MemberChecks(not_reproduced=() if reproduced else (card.ref,))
    if member.checks:
        checks = _checks(member, ready, again, checks)
    splits = walk_forward(
        ready.rows.decided_ms, ready.rows.ends_ms, recipe.folds, recipe.embargo_ms
    )
    return MemberScores(
        outputs.scores,
        outputs.path_bars,
        later,
        tuple(split.from_ms for split in splits),
        path.path_bars,
        path.path_interval_ms,
        member.train_end_ms,
        checks,
        tuple(notes),
        _twins(member.job, ready, lane) if member.checks else {},
    )


def _trained_again(member: MemberJob, made: MakePackage) -> tuple[PreparedTraining, TrainedPackage]:
    """Train a package again on the candles of its window."""
    ref = member.package.card.ref
    ready = prepare(member.job)
    if not isinstance(ready, PreparedTraining):
        raise UserError(
            f"{ref}: the walk-forward cannot be repeated: {ready.reason}: import the candles that "
            "it was trained on, or train again"
        )
    open_graph = graph_opener(member.job.label)
    try:
        again = made(ready.rows, member.job.recipe, ready.spec, open_graph)
    except TooFewRowsError as error:
        raise UserError(f"{ref}: the walk-forward cannot be repeated: {error}") from None
    return ready, again


def _reproduced(package: Package, again: TrainedPackage, notes: list[str]) -> bool:
    """Return whether training again gave the same model; remarks on its card go to ``notes``."""
    card = package.card
    same = again.package.graph == package.graph
    same = same and again.package.card.data_hash == card.data_hash
    same = same and _traded(again.package) == _traded(package)
    # The picture shows these numbers and is not drawn again: its hash was checked on loading.
    drawn = msgspec.structs.replace(
        again.package.card, files={**card.files, **again.package.card.files}
    )
    if same and drawn != card:
        notes.append(
            f"{card.ref}: training again reproduces the model, but not its card: another version "
            "of Ares or of a library measured it, or drew its picture"
        )
    return same


def _checks(
    member: MemberJob, ready: PreparedTraining, again: TrainedPackage, checks: MemberChecks
) -> MemberChecks:
    """Return the checks with leakage, parity and latency."""
    job, card, rows = member.job, member.package.card, ready.rows
    lane = job.instruments.index(member.instrument)
    history = ready.histories[lane]
    x = blanked(rows.x, ready.spec.columns, job.recipe.features)
    graph = graph_opener(card.ref)(member.package.graph, x.shape[1])
    compared = graph_parity(again.walk_forward, graph, x, job.recipe)
    own_rows = rows[rows.lane == lane]
    return replace(
        checks,
        leaks=column_leaks(job, member.instrument, history, ready.user)
        + walk_leaks(x, rows, job.recipe)
        + external_series_leaks(job, member.instrument, card.series, history, own_rows),
        parity_rows=compared.rows,
        parity_difference=compared.difference_max,
        inference_us=latency_us(graph, x),
    )


def _traded(package: Package) -> tuple[object, ...]:
    """Return everything in a card that decides how its scores are traded."""
    alone = package.alone("", "")
    numbers = tuple(getattr(alone, name) for name in TRADED)
    return (*numbers, package.card.features_hash, package.card.instruments)


def _twins(job: PackageJob, ready: PreparedTraining, lane: int) -> dict[str, Scores]:
    """Return the scores of a model without each of its external series, on the same rows."""
    found = {}
    specs, rows = job.recipe.series, ready.rows
    for spec, part in zip(specs, columns_of(specs, rows.x.shape[1]), strict=True):
        others = [other for other in specs if other is not spec]
        recipe = without(job.recipe, spec.name, columns_hash(ready.user, others))
        x = np.delete(rows.x, part, axis=1)
        twin = fit_walk_forward(x, replace(rows, x=x), recipe)
        found[spec.name] = scores_of(ready.histories[lane], twin.out_of_sample, lane, job).scores
    return found


def _graph_scores(member: MemberJob) -> MemberScores:
    """Score a stored graph on what it cannot have seen."""
    notes: list[str] = []
    job, card = member.job, member.package.card
    user = job.columns()
    history, later = _later_scores(member, user, notes)
    if card.origin != "trained":
        notes.append(imported_note(card))
    checks = MemberChecks()
    if member.checks:
        values, warm = with_user(history.table, history.bars, job.recipe.timeframe, user)
        x = np.ascontiguousarray(values[warm])
        graph = graph_opener(card.ref)(member.package.graph, x.shape[1])
        compared = imported_parity(graph, x)
        checks = MemberChecks(
            leaks=column_leaks(job, member.instrument, history, user),
            parity_rows=compared.rows,
            parity_difference=compared.difference_max,
            inference_us=latency_us(graph, x),
        )
    return MemberScores(
        None, Bars.empty(), later, (), history.path_bars, history.path_interval_ms,
        member.train_end_ms, checks, tuple(notes),
    )  # fmt: skip


def imported_note(card: PackageCard) -> str:
    """Return which bars are evidence on an imported model, and why."""
    if card.trained_to_ms is None:
        return f"{card.ref} was imported: only bars after its import are out of sample"
    day = utc_text(card.trained_to_ms // MINUTE_MS * MINUTE_MS)
    return (
        f"{card.ref} was imported with the promise that it learned nothing after {day} UTC "
        "(--trained-to): only later bars count, and only as far as the promise is true"
    )


def _later_scores(
    member: MemberJob, user: UserFeatures | None, notes: list[str]
) -> tuple[InstrumentHistory, Scores]:
    """Return the bars up to ``to_ms``, and the stored graph's scores after ``train_end_ms``."""
    job, card, timeframe = member.job, member.package.card, member.job.recipe.timeframe
    source = replace(job.source, to_ms=member.to_ms)
    history = load_history(source, member.instrument, timeframe, job.reference, job.rows_max, notes)
    closed_ms = history.bars.ts_ms + timeframe.ms
    first = int(np.searchsorted(closed_ms, member.train_end_ms, side="right"))
    values, warm = with_user(history.table, history.bars, timeframe, user)
    series = columns_at(source.database_url, card.series, member.instrument, closed_ms)
    values = append_columns(values, series)
    rows = np.flatnonzero(warm[first:]) + first
    p = np.full(len(closed_ms) - first, np.nan)
    if len(rows):
        graph = graph_opener(card.ref)(member.package.graph, values.shape[1])
        if card.origin != "trained":
            graph = within(graph)
        p[rows - first] = graph(np.ascontiguousarray(values[rows]))
    sigma = np.where(warm, history.table.values[:, VOLATILITY_20].astype(np.float64), np.nan)
    return history, Scores(closed_ms[first:], p, sigma[first:])
