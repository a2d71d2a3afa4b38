"""One member before the gate: walked again as it was trained, and asked as it is stored."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from ares.adapters.onnx_model import within
from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.package import GRAPH_FILE, Package
from ares.kernel.bars import F64, Bars
from ares.kernel.ensemble import Scores
from ares.kernel.features import VOLATILITY_20, features_of
from ares.kernel.features.columns import behind, column_names, columns_hash, with_user
from ares.kernel.features.series import width_of
from ares.kernel.features.user import UserFeatures
from ares.learn import parity
from ares.learn.gate.evidence_builder import MemberChecks
from ares.learn.gate.leaks import NOTHING_TRIED, Leaks, feature_leaks, label_leaks, walk_leaks
from ares.learn.gate.series_leaks import learned_leaks, series_leaks
from ares.learn.onnx_graph import reference_rows
from ares.learn.package import make_package
from ares.learn.parity import Parity, Scorer
from ares.learn.recipe import Recipe
from ares.learn.rows import F32, Rows, blanked
from ares.learn.series import columns_of, with_missing, without
from ares.learn.splits import walk_forward
from ares.learn.walk_forward import TooFewRowsError, WalkForwardResult, walk
from ares.runtime.training.instrument_history import InstrumentHistory, load_seen, store_of
from ares.runtime.training.job import (
    Made,
    PackageJob,
    PreparedTraining,
    loaded,
    opener,
    prepare,
    spoken_of,
)
from ares.runtime.training.series import columns_at, history_of
from ares.store.history import history

TIMED_ROWS = 400
EDGE_ROWS = 400
USER_TRIED_BARS = 400
TRADED = ("anchor", "horizon_bars", "width_sigmas", "width_min_bps", "gain", "loss", "cost_bps")
NOTHING = Scores(np.empty(0, np.int64), np.empty(0), np.empty(0))


@dataclass(frozen=True, slots=True)
class MemberJob:
    """Ask one member of an ensemble.

    training : the job that made it, with the window that it saw; None: it was imported, nothing is
               known of what it has seen.
    blind_ms : instant up to which an imported model may have seen everything.
    to_ms    : instant up to which it is asked; None: as far as there are candles.
    checks   : whether it is tested for leaks, parity and speed.
    asking   : the source, columns and reference that it is asked with.
    """

    instrument: Instrument
    package: Package
    training: PackageJob | None
    asking: PackageJob
    blind_ms: int
    to_ms: int | None
    checks: bool


@dataclass(frozen=True, slots=True)
class MemberScores:
    """What a member said.

    walked    : its walk's answers out of sample, in the window that it was trained on, NaN
                elsewhere; None: it has no walk.
    later     : the stored graph's answers to everything after that window.
    folds_ms  : when one of the walk's models took over from another.
    watched, watched_ms : bars to watch trades on, over both.
    train_end_ms : nothing after this instant was learned from.
    by_prices : of a model with external series, the walk of its twin without on the same rows.
    """

    walked: Scores | None
    walked_bars: Bars
    later: Scores
    folds_ms: tuple[int, ...]
    watched: Bars
    watched_ms: int
    train_end_ms: int
    checked: MemberChecks
    notes: tuple[str, ...]
    by_prices: Scores | None = None

    @property
    def scores(self) -> Scores:
        """Return the walk's answers, and after them the stored graph's."""
        if self.walked is None:
            return self.later
        first = self.walked.close_ms <= self.train_end_ms
        return Scores(
            np.concatenate([self.walked.close_ms[first], self.later.close_ms]),
            np.concatenate([self.walked.p[first], self.later.p]),
            np.concatenate([self.walked.sigma[first], self.later.sigma]),
        )


def hear(job: MemberJob, made: Made = make_package) -> MemberScores:
    """Return what a member says, walked again where it was trained here.

    made : what trains it again.

    Raises UserMistake where the candles that it was trained on are not stored.
    """
    if job.training is None:
        return _hear_stranger(job)
    ready = prepare(job.training)
    if not isinstance(ready, PreparedTraining):
        raise UserError(
            f"{job.package.card.ref} cannot be walked again: {ready.reason}: import the candles "
            "that it was trained on, or train again"
        )
    try:
        again = made(
            ready.rows,
            job.training.recipe,
            ready.subject,
            opener(job.training.label),
        )
    except TooFewRowsError as error:
        raise UserError(f"{job.package.card.ref} cannot be walked again: {error}") from None
    recipe, card = job.training.recipe, job.package.card
    notes = list(ready.notes)
    same = again.package.files[GRAPH_FILE] == job.package.graph
    same = same and again.package.card.data_hash == card.data_hash
    same = same and _traded(again.package) == _traded(job.package)
    # The picture is of these numbers and is not drawn again: its own hash was checked on loading.
    drawn = msgspec.structs.replace(
        again.package.card, files={**card.files, **again.package.card.files}
    )
    if same and drawn != card:
        notes.append(
            f"{card.ref}: training again gives the same model from the same rows, but not the same "
            "card: measured, or drawn, by another version of Ares or of a library"
        )
    lane = job.training.instruments.index(job.instrument)
    spoken = spoken_of(ready.seen[lane], again.out_of_sample, lane, job.training)
    train_end_ms = card.window_to_ms or card.data_to_ms
    seen, later = ready.seen[lane], NOTHING
    if job.to_ms is None or job.to_ms > train_end_ms:
        seen, later = _asked(job, train_end_ms, ready.user, notes)
    checked = MemberChecks(unlike=() if same else (card.ref,))
    if job.checks:
        x = blanked(ready.rows.x, ready.subject.columns, recipe.features)
        graph = opener(card.ref)(job.package.graph, x.shape[1])
        compared = _parity(again.walked, graph, x, recipe)
        checked = replace(
            checked,
            leaks=_leaks(job, ready.seen[lane], ready.user)
            + walk_leaks(x, ready.rows, recipe)
            + _series_leaks(job, ready.seen[lane], ready.rows[ready.rows.lane == lane]),
            parity_rows=compared.rows,
            parity_difference=compared.difference_max,
            inference_us=_speed_us(graph, x),
        )
    splits = walk_forward(
        ready.rows.decided_ms, ready.rows.ends_ms, recipe.folds, recipe.embargo_ms
    )
    return MemberScores(
        spoken.scores,
        spoken.watched,
        later,
        tuple(split.from_ms for split in splits),
        seen.watched,
        seen.watched_ms,
        train_end_ms,
        checked,
        tuple(notes),
        _by_prices(job.training, ready, lane),
    )


def _traded(package: Package) -> tuple[object, ...]:
    """Return everything in a card that decides how its answers are traded."""
    alone = package.alone("", "")
    numbers = tuple(getattr(alone, name) for name in TRADED)
    return (*numbers, package.card.features_hash, package.card.instruments)


def _by_prices(training: PackageJob, ready: PreparedTraining, lane: int) -> Scores | None:
    """Return the scores of the price-only twin of a model with series, in the same walk."""
    recipe = training.recipe
    if not recipe.series:
        return None
    for spec in recipe.series:
        recipe = without(recipe, spec.name, columns_hash(ready.user))
    x = ready.rows.x[:, : -width_of(training.recipe.series)]
    twin = walk(x, replace(ready.rows, x=x), recipe)
    return spoken_of(ready.seen[lane], twin.out_of_sample, lane, training).scores


def _series_leaks(job: MemberJob, seen: InstrumentHistory, rows: Rows) -> Leaks:
    """Return what leaks of the series: in how columns are made, and in the rows of the training."""
    specs, found = job.package.card.series, NOTHING_TRIED
    closes_ms = seen.bars.ts_ms + job.asking.recipe.timeframe.ms
    until_ms = int(closes_ms[-1]) if len(closes_ms) else 0
    history = history_of(job.asking.source.database_url, specs, (job.instrument,), until_ms)
    for spec, values, part in zip(specs, history, columns_of(specs, rows.x.shape[1]), strict=True):
        own = values.about(0)
        found += series_leaks(own, spec, closes_ms)
        found += learned_leaks(own, spec, rows.decided_ms, rows.x[:, part])
    return found


def _hear_stranger(job: MemberJob) -> MemberScores:
    """Ask an imported model about what it cannot have seen."""
    notes: list[str] = []
    user = None if job.asking.user is None else loaded(job.asking.user)
    seen, later = _asked(job, job.blind_ms, user, notes)
    notes.append(
        f"{job.package.card.ref} was imported: only bars after its import are out of sample"
    )
    checked = MemberChecks()
    if job.checks:
        values, warm = with_user(seen.table, seen.bars, job.asking.recipe.timeframe, user)
        x = np.ascontiguousarray(values[warm])
        graph = opener(job.package.card.ref)(job.package.graph, x.shape[1])
        compared = _parity_alone(graph, x)
        checked = MemberChecks(
            leaks=_leaks(job, seen, user),
            parity_rows=compared.rows,
            parity_difference=compared.difference_max,
            inference_us=_speed_us(graph, x),
        )
    return MemberScores(
        None, Bars.empty(), later, (), seen.watched, seen.watched_ms, job.blind_ms, checked,
        tuple(notes),
    )  # fmt: skip


def _asked(
    job: MemberJob, train_end_ms: int, user: UserFeatures | None, notes: list[str]
) -> tuple[InstrumentHistory, Scores]:
    """Return the bars up to the end of what is asked, and the stored graph's answers after
    ``train_end_ms``.
    """
    asking, timeframe = job.asking, job.asking.recipe.timeframe
    source = replace(asking.source, to_ms=job.to_ms)
    seen = load_seen(source, job.instrument, timeframe, asking.reference, asking.rows_max, notes)
    closed_ms = seen.bars.ts_ms + timeframe.ms
    first = int(np.searchsorted(closed_ms, train_end_ms, side="right"))
    values, warm = with_user(seen.table, seen.bars, timeframe, user)
    series = columns_at(source.database_url, job.package.card.series, job.instrument, closed_ms)
    values = behind(values, series)
    rows = np.flatnonzero(warm[first:]) + first
    p = np.full(len(closed_ms) - first, np.nan)
    if len(rows):
        graph = opener(job.package.card.ref)(job.package.graph, values.shape[1])
        if job.package.card.origin != "trained":
            graph = within(graph)
        p[rows - first] = graph(np.ascontiguousarray(values[rows]))
    sigma = np.where(warm, seen.table.values[:, VOLATILITY_20].astype(np.float64), np.nan)
    return seen, Scores(closed_ms[first:], p, sigma[first:])


def _leaks(job: MemberJob, seen: InstrumentHistory, user: UserFeatures | None) -> Leaks:
    """Return what leaks among features (the user's own on fewer bars: they are slow) and labels."""
    timeframe, recipe = job.asking.recipe.timeframe, job.asking.recipe
    reference: Bars | None = None
    if job.asking.reference == job.instrument:
        reference = seen.bars
    elif job.asking.reference is not None:
        store, source = store_of(job.asking.source), job.asking.source
        reference = history(store, job.asking.reference, timeframe, None, source.to_ms).bars

    def columns(own: Bars, other: Bars | None) -> F32:
        return with_user(features_of(own, timeframe, other), own, timeframe, user)[0]

    own = seen.bars if user is None else seen.bars[-USER_TRIED_BARS:]
    if reference is seen.bars:
        reference = own
    found = feature_leaks(own, reference, columns, column_names(user), timeframe.ms)
    return found + label_leaks(seen.watched, seen.watched_ms, recipe.label)


def _parity(walked: WalkForwardResult, graph: Scorer, x: F32, recipe: Recipe) -> Parity:
    """Compare the stored graph with the model on real rows, at every threshold, with NaN, zeros
    and the extremes; and each of a part of them alone, as the engine asks.
    """
    rows = with_missing(reference_rows(x, walked.fitted.trees), recipe.series)
    together = parity.compare(walked.probability(rows), graph, rows)
    return _worse(together, _one_by_one(graph, rows))


def _parity_alone(graph: Scorer, x: F32) -> Parity:
    """Compare a stranger's answers to many rows with those to each row alone."""
    top = np.finfo(np.float32).max
    odd = np.array([np.nan, 0.0, -0.0, top, -top, np.inf, -np.inf], np.float32)
    made = np.concatenate([x[-TIMED_ROWS:], np.repeat(odd[:, None], x.shape[1], axis=1)])
    p = graph(made[: len(made) - len(odd)])
    wild = Parity(len(made), 0.0 if _probabilities(p) else math.inf, parity.LIMIT, True)
    return _worse(wild, _one_by_one(graph, made))


def _one_by_one(graph: Scorer, rows: F32) -> Parity:
    some = rows[np.linspace(0, len(rows) - 1, min(len(rows), EDGE_ROWS)).astype(np.int64)]
    alone: F64 = np.concatenate([graph(some[k : k + 1]) for k in range(len(some))])
    together = graph(some)
    both_nan = np.isnan(alone) & np.isnan(together)
    difference = np.where(both_nan, 0.0, np.abs(alone - together))
    largest = float(np.max(np.where(np.isnan(difference), np.inf, difference), initial=0.0))
    return Parity(0, largest, parity.LIMIT, largest <= parity.LIMIT)


def _worse(one: Parity, other: Parity) -> Parity:
    largest = max(one.difference_max, other.difference_max)
    return Parity(one.rows + other.rows, largest, parity.LIMIT, largest <= parity.LIMIT)


def _probabilities(p: F64) -> bool:
    return bool(np.isfinite(p).all() and (p >= 0.0).all() and (p <= 1.0).all())


def _speed_us(graph: Scorer, x: F32) -> float:
    """Return the median time of one row, in microseconds."""
    rows = x[-TIMED_ROWS:]
    taken = np.empty(len(rows))
    for k in range(len(rows)):
        start_ns = time.perf_counter_ns()
        graph(rows[k : k + 1])
        taken[k] = time.perf_counter_ns() - start_ns
    return float(np.median(taken)) / 1e3 if len(taken) else math.nan
