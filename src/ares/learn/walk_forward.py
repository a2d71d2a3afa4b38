"""Walk-forward: a recipe is fitted again for each fold, and evaluated on the fold that follows.

Each fold's model is fitted on the rows before it and calibrated on the held-out scores of the folds
before it. So every probability that is evaluated comes from numbers that were known at its time.
The first fold has no earlier scores: it only calibrates the later folds. The model that is shipped
is the next step: fitted on all rows, calibrated on all held-out scores, by the same functions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ares.kernel.bars import F64, I64
from ares.learn.calibration import Payoff, Platt, fit_payoff, fit_platt
from ares.learn.fit import Fitted, fit_recipe
from ares.learn.recipe import Recipe
from ares.learn.rows import F32, Rows
from ares.learn.splits import Split, known_before, walk_forward


class TooFewRowsError(Exception):
    """There are too few rows to fit, calibrate and evaluate a model."""


@dataclass(frozen=True, slots=True)
class OutOfSample:
    """Predictions of the walk-forward's models on their test folds, by decision time.

    rows     : (n,) the rows evaluated.
    p        : (n,) calibrated probability of a won trade.
    edge_bps : (n,) expected net return of the trade, by payoffs known before.
    """

    rows: Rows
    p: F64
    edge_bps: F64

    def __getitem__(self, keep: slice | I64) -> OutOfSample:
        """Return the rows of a slice or an index array."""
        return OutOfSample(self.rows[keep], self.p[keep], self.edge_bps[keep])


@dataclass(frozen=True, slots=True)
class WalkForwardResult:
    """The shipped model with its out-of-sample evidence."""

    fitted: Fitted
    platt: Platt
    payoff: Payoff
    out_of_sample: OutOfSample

    def probability(self, x: F32) -> F64:
        """Return the shipped model's calibrated probabilities of ``(n, n_features)`` rows."""
        return self.platt.probability(self.fitted.raw(x))


def fit_walk_forward(x: F32, rows: Rows, recipe: Recipe) -> WalkForwardResult:
    """Fit the recipe walk-forward over the rows; return the model to ship, with its evidence.

    x : (n, n_features) the rows' features, blanked where the recipe may not use them.

    Raises TooFewRowsError where no fold can be both calibrated and evaluated.
    """
    raw, splits = _held_out_scores(x, rows, recipe)
    p = np.full(len(rows), np.nan)
    edge_bps = np.full(len(rows), np.nan)
    for split in splits:
        known = known_before(rows.decided_ms, rows.ends_ms, split.from_ms - recipe.embargo_ms)
        if not np.isfinite(raw[known]).any():
            continue
        platt, payoff = _calibrate(rows, raw, known, recipe)
        p[split.test] = platt.probability(raw[split.test])
        edge_bps[split.test] = payoff.edge_bps(p[split.test], rows.barrier_width[split.test])
    evaluated = np.flatnonzero(np.isfinite(p))
    if not len(evaluated):
        raise TooFewRowsError(f"{len(rows):,} rows are too few to calibrate and evaluate a model")
    platt, payoff = _calibrate(rows, raw, np.arange(len(rows), dtype=np.int64), recipe)
    out_of_sample = OutOfSample(rows[evaluated], p[evaluated], edge_bps[evaluated])
    fitted = fit_recipe(x, rows, recipe)
    of_raw = Platt(platt.a / fitted.spread, platt.b - platt.a * fitted.centre / fitted.spread)
    return WalkForwardResult(fitted, of_raw, payoff, out_of_sample)


def _held_out_scores(x: F32, rows: Rows, recipe: Recipe) -> tuple[F64, list[Split]]:
    """Return the score of every row of a test fold (NaN elsewhere), and the folds."""
    raw = np.full(len(rows), np.nan)
    splits = walk_forward(rows.decided_ms, rows.ends_ms, recipe.folds, recipe.embargo_ms)
    usable = [split for split in splits if _both_outcomes(rows, split.train)]
    for split in usable:
        model = fit_recipe(x[split.train], rows[split.train], recipe)
        raw[split.test] = model.score(x[split.test])
    return raw, usable


def _both_outcomes(rows: Rows, numbers: I64) -> bool:
    won = rows.won[numbers]
    return bool(won.any() and not won.all())


def _calibrate(rows: Rows, raw: F64, known: I64, recipe: Recipe) -> tuple[Platt, Payoff]:
    """Return the calibration of the held-out scores among the known rows, and their payoff.

    The base rate and the payoff belong to the trade, not to the model: all known rows count.
    """
    scored = known[np.isfinite(raw[known])]
    overlap = rows[known].overlap(recipe.timeframe.ms)
    platt = fit_platt(
        raw[scored],
        rows.won[scored],
        overlap=overlap,
        base_rate=float(rows.won[known].mean()),
    )
    p = platt.probability(raw[known])
    return platt, fit_payoff(rows.net[known], rows.barrier_width[known], p, overlap=overlap)
