"""The recipes that were tried: how many, the variance of their results, and overfitting (PBO)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ares.domain.trial import Trial
from ares.kernel.bars import F64
from ares.learn.gate.account import EvidenceAccount
from ares.learn.gate.pbo import overfitting
from ares.learn.gate.sharpe import OBSERVATIONS_MIN, moments, trial_variance

SHARED_DAYS_MIN = 0.8
"""A recipe enters the overfitting test where it has results on this share of the evaluated days."""


class TrialStatistics(msgspec.Struct, frozen=True):
    """Statistics of all recipes tried on an instrument, the evaluated one among them.

    recipes  : distinct recipes.
    known    : recipes whose daily results are known.
    variance : of the daily Sharpe ratios of the known ones; where there are too few of them, that
               of recipes without skill over as many days (1 / days).
    pbo      : probability of backtest overfitting over the recipes that share the evaluated days;
               None: too few.
    """

    recipes: int
    known: int
    variance: float | None
    pbo: float | None


def trial_statistics(
    trials: Sequence[Trial],
    scope: str,
    recipe_hash: str,
    account: EvidenceAccount,
    *,
    single_package: bool,
) -> TrialStatistics:
    """Return the statistics of the recipes tried on an instrument, or on the universe with it.

    trials  : every trial of the journal, oldest first; of a recipe's trials the newest counts.
    account : of the evaluated recipe.
    single_package : as in ``recipes_tried``.
    """
    return recipe_statistics(
        trials, scope, recipe_hash, account.days, account.daily, single_package=single_package
    )


def recipe_statistics(
    trials: Sequence[Trial],
    scope: str,
    recipe_hash: str,
    days: NDArray[np.integer[Any]],
    daily: F64,
    *,
    single_package: bool,
) -> TrialStatistics:
    """Return the statistics of the recipes tried, of a recipe with these daily returns.

    days, daily : (n_days,) UTC days since the epoch, and the returns on them.
    """
    newest = _newest(trials, scope, recipe_hash, single_package)
    results = [(days, daily)]
    for name, last in newest.items():
        if last is not None and name != recipe_hash and last.daily:
            other = np.frombuffer(last.daily, "<f8")
            results.append((last.first_day + np.arange(len(other)), other))
    ratios = [found.sharpe for _, returns in results if (found := moments(returns)) is not None]
    variance = trial_variance(np.array(ratios)) if len(newest) > 1 else None
    if variance is None and len(results[0][1]) >= OBSERVATIONS_MIN:
        variance = 1.0 / len(results[0][1])
    return TrialStatistics(len(newest), len(results), variance, _pbo(results))


def recipes_tried(
    trials: Sequence[Trial], scope: str, recipe_hash: str, *, single_package: bool
) -> int:
    """Return how many distinct recipes were tried on an instrument, the evaluated one included.

    single_package : a single package is evaluated. An ensemble was selected among ensembles, and
        its packages are no trials of their own; a single package was selected among all packages.
        So was an ensemble of fewer timeframes: where another training of the instrument made all
        of its timeframes and more, each package of that training counts as a trial.
    """
    return len(_newest(trials, scope, recipe_hash, single_package))


def _newest(
    trials: Sequence[Trial], scope: str, recipe_hash: str, single_package: bool
) -> dict[str, Trial | None]:
    """Return each distinct recipe with its newest trial."""
    here = [trial for trial in trials if trial.scope in (scope, "universe")]
    with_ensemble = {trial.created_at for trial in here if trial.kind == "ensemble"}
    selected_from = _wider(here, recipe_hash)
    newest: dict[str, Trial | None] = {recipe_hash: None}
    for trial in here:
        counts = (
            single_package
            or trial.created_at not in with_ensemble
            or trial.created_at in selected_from
        )
        if trial.kind == "ensemble" or counts:
            newest[trial.recipe_hash] = trial
    return newest


def _wider(trials: Sequence[Trial], recipe_hash: str) -> set[str]:
    """Return when each training ran that made all timeframes of an ensemble's recipe and more."""
    made: dict[str, set[str]] = {}
    for trial in trials:
        if trial.kind != "ensemble":
            made.setdefault(trial.created_at, set()).add(trial.timeframe)
    own_runs = [
        trial.created_at
        for trial in trials
        if trial.kind == "ensemble" and trial.recipe_hash == recipe_hash
    ]
    own = set().union(*(made.get(at, set()) for at in own_runs))
    return {at for at, timeframes in made.items() if own and own < timeframes}


def _pbo(results: Sequence[tuple[np.ndarray, F64]]) -> float | None:
    """Return the probability of overfitting over the days that the recipes share."""
    days = results[0][0]
    chosen = [
        (own, daily) for own, daily in results if np.isin(days, own).mean() >= SHARED_DAYS_MIN
    ]
    for own, _ in chosen:
        days = np.intersect1d(days, own, assume_unique=True)
    if len(chosen) < 2 or len(days) == 0:
        return None
    columns = [daily[np.searchsorted(own, days)] for own, daily in chosen]
    found = overfitting(np.column_stack(columns))
    return None if found is None else found.pbo
