"""The gate's look-ahead tests: of features, of labels, and of everything that is fitted.

Features and labels are computed again on bars whose future was cut off or replaced. Whatever is
fitted (trees, the scale of their scores, calibration, payoff) is walked forward again over rows in
which all that became known after a cut is replaced: no score before the cut may move by a bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from ares.kernel.bars import F64, Bars
from ares.learn.labels import barrier_width, label_decisions
from ares.learn.leakage import LeakReport, TimedRows, at_close, leak_test, moved_columns
from ares.learn.recipe import LabelRecipe, Recipe
from ares.learn.rows import F32, Rows
from ares.learn.splits import walk_forward
from ares.learn.walk_forward import TooFewRowsError, WalkForwardResult, fit_walk_forward

BARS_TRIED = 1_000
CUTS = 6
WALK_ROWS = 1_200
WALK_CUTS = (0.62, 0.87)
WALK_EPOCHS = 2
"""The walk-forward is tested on few rows with few trees: a leak is in its logic."""


@dataclass(frozen=True, slots=True)
class Leaks:
    """Result of look-ahead tests.

    values  : values that were compared; leaking : names of what moved, each once.
    """

    values: int
    leaking: tuple[str, ...]

    def __add__(self, other: Leaks) -> Leaks:
        """Return both results together."""
        names = dict.fromkeys([*self.leaking, *other.leaking])
        return Leaks(self.values + other.values, tuple(names))


NOT_TESTED = Leaks(0, ())


def feature_leaks(
    own: Bars,
    reference: Bars | None,
    features_of: Callable[[Bars, Bars | None], F32],
    names: Sequence[str],
    interval_ms: int,
) -> Leaks:
    """Return which features leak the future of their own bars, or of the reference's.

    own, reference : newest bars of the timeframe; the same object: it is its own reference.
    features_of    : (own, reference) -> (n_bars, n_columns).
    """
    own = own[-BARS_TRIED:]
    if len(own) < 2:
        return NOT_TESTED
    if reference is own or reference is None:
        itself = reference is not None
        moved = _moved_columns(own, own if itself else None, features_of, names)
        return moved + _found(
            leak_test(
                at_close(lambda bars: features_of(bars, bars if itself else None), interval_ms),
                *(own, names, interval_ms),
                cuts=CUTS,
            )
        )
    other = reference.between(int(own.ts_ms[0]), int(own.ts_ms[-1]) + 1)
    result = _found(
        leak_test(
            at_close(lambda bars: features_of(bars, other), interval_ms),
            *(own, names, interval_ms),
            cuts=CUTS,
        )
    )
    result += _moved_columns(own, other, features_of, names)
    if len(other) < 2:
        return result
    known_ms = own.ts_ms + interval_ms
    report = leak_test(
        lambda bars: TimedRows(own.ts_ms, known_ms, features_of(own, bars)),
        *(other, names, interval_ms),
        cuts=CUTS,
    )
    reference_names = tuple(f"{name} (of the reference)" for name in report.leaking)
    return result + Leaks(report.compared, reference_names)


def _moved_columns(
    own: Bars,
    reference: Bars | None,
    features_of: Callable[[Bars, Bars | None], F32],
    names: Sequence[str],
) -> Leaks:
    """Return which features change when all bars are moved by whole weeks: look-ups by time."""

    def compute(bars: Bars) -> F32:
        if reference is None or reference is own:
            return features_of(bars, None if reference is None else bars)
        moved_ms = int(bars.ts_ms[0] - own.ts_ms[0])
        return features_of(bars, replace(reference, ts_ms=reference.ts_ms + moved_ms))

    moved = moved_columns(compute, own, names)
    return Leaks(len(own) * len(names), tuple(name for name, _, _ in moved))


def label_leaks(bars: Bars, interval_ms: int, label: LabelRecipe) -> Leaks:
    """Return whether a label looks beyond the instant at which it is marked as known.

    bars : on which the paths of trades are followed, ``interval_ms`` long.
    """
    bars = bars[-BARS_TRIED:]
    if len(bars) < 2:
        return NOT_TESTED

    def labels_of(part: Bars) -> TimedRows:
        closed_ms = part.ts_ms + interval_ms
        change = np.abs(np.diff(np.log(part.close), prepend=np.log(part.close[:1])))
        sigma = np.maximum.accumulate(change) / 4.0  # some volatility, known at each close
        width = barrier_width(sigma, label.horizon_bars, label.width_sigmas, label.width_min_bps)
        horizon_ms = label.horizon_bars * interval_ms
        labels = label_decisions(closed_ms, width, part, interval_ms, label, horizon_ms)
        kept = labels.known
        values = np.column_stack([labels.net, labels.barrier_width])[kept]
        return TimedRows(closed_ms[kept], labels.ends_ms[kept], values)

    return _found(leak_test(labels_of, bars, ("label", "barriers"), interval_ms, cuts=CUTS))


def walk_leaks(
    x: F32,
    rows: Rows,
    recipe: Recipe,
    seed: int = 0,
    walk_forward_fn: Callable[[F32, Rows, Recipe], WalkForwardResult] = fit_walk_forward,
) -> Leaks:
    """Return whether a score of the walk-forward depends on anything that became known after it.

    x : (n, n_features) the rows' features, blanked where the recipe excludes them.
    walk_forward_fn : the walk-forward under test.

    The outcomes are replaced by some that a feature partly explains: a model that has learned
    nothing outputs one number, which shows no leak. The future is changed in the middle of two
    folds, and right after the first row of the last one, where a missing purge shows.
    """
    draw = np.random.default_rng(seed)
    few, x = _learnable(rows[-WALK_ROWS:], x[-WALK_ROWS:], draw), x[-WALK_ROWS:]
    boost = msgspec.structs.replace(recipe.boost, epochs_max=WALK_EPOCHS)
    quick = msgspec.structs.replace(recipe, boost=boost)
    try:
        truth = walk_forward_fn(x, few, quick).out_of_sample
    except TooFewRowsError:
        return NOT_TESTED
    found = NOT_TESTED
    folds = walk_forward(few.decided_ms, few.ends_ms, recipe.folds, recipe.embargo_ms)
    cuts_ms = [int(few.decided_ms[int(share * len(few))]) for share in WALK_CUTS]
    for cut_ms in [*cuts_ms, folds[-1].from_ms + 1]:
        later, other_x = _replaced(x, few, cut_ms, draw)
        again = walk_forward_fn(other_x, later, quick).out_of_sample
        found += _moved(
            truth.rows.decided_ms < cut_ms,
            {"calibrated score": (truth.p, again.p), "edge": (truth.edge_bps, again.edge_bps)},
        )
    return found


def _learnable(rows: Rows, x: F32, draw: np.random.Generator) -> Rows:
    """Return the rows with outcomes that follow the feature with the most values, plus noise."""
    if len(rows) == 0:
        return rows
    values = [len(np.unique(column)) for column in x.T]
    rank = np.argsort(np.argsort(x[:, int(np.argmax(values))], kind="stable"), kind="stable")
    won = rank / len(rows) - 0.5 + 0.3 * draw.standard_normal(len(rows)) > 0.0
    return replace(rows, net=np.where(won, rows.barrier_width, -rows.barrier_width))


def _replaced(x: F32, rows: Rows, cut_ms: int, draw: np.random.Generator) -> tuple[Rows, F32]:
    """Return the rows with everything that became known after the cut replaced."""
    unknown = rows.ends_ms > cut_ms
    net = np.where(unknown, -draw.permutation(rows.net) * 3.0 + 0.01, rows.net)
    other = x.copy()
    late = rows.decided_ms > cut_ms
    other[late] = draw.standard_normal(other[late].shape).astype(np.float32)
    return replace(rows, net=net), other


def _moved(early: np.ndarray, columns: dict[str, tuple[F64, F64]]) -> Leaks:
    names = []
    for name, (before, after) in columns.items():
        if len(before) != len(after) or not np.array_equal(before[early], after[early]):
            names.append(name)
    return Leaks(len(columns) * int(early.sum()), tuple(names))


def _found(report: LeakReport) -> Leaks:
    return Leaks(report.compared, report.leaking)
