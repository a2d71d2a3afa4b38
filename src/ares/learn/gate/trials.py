"""The recipes that were tried: how many, how far apart their results, how the best was chosen."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from ares.domain.trial import Trial
from ares.kernel.bars import F64
from ares.learn.gate.account import EvidenceAccount
from ares.learn.gate.pbo import overfitting
from ares.learn.gate.sharpe import OBSERVATIONS_MIN, moments, trial_variance

SHARED_DAYS_MIN = 0.8
"""A recipe enters the overfitting test where it has results on this share of the judged days."""


class TrialStatistics(msgspec.Struct, frozen=True):
    """What was tried before, and with, the ensemble that is judged.

    recipes  : distinct recipes, its own among them.
    known    : of these, those whose daily results are known.
    variance : of the daily Sharpe ratios of the known ones; where there are too few of them, what
               it is for recipes without skill over as many days (1 / days).
    pbo      : probability of backtest overfitting over those that share its days; None: too few.
    """

    recipes: int
    known: int
    variance: float | None
    pbo: float | None


def tried(
    trials: Sequence[Trial], scope: str, recipe_hash: str, mine: EvidenceAccount, *, alone: bool
) -> TrialStatistics:
    """Return what was tried on an instrument (or on the universe with it).

    trials : every trial of the journal, oldest first; of one recipe's the newest counts.
    alone  : as in ``recipes_tried``.
    """
    newest = _newest(trials, scope, recipe_hash, alone)
    results = [(mine.days, mine.daily)]
    for name, last in newest.items():
        if last is not None and name != recipe_hash and last.daily:
            daily = np.frombuffer(last.daily, "<f8")
            results.append((last.first_day + np.arange(len(daily)), daily))
    ratios = [seen.sharpe for _, daily in results if (seen := moments(daily)) is not None]
    variance = trial_variance(np.array(ratios)) if len(newest) > 1 else None
    if variance is None and len(mine.daily) >= OBSERVATIONS_MIN:
        variance = 1.0 / len(mine.daily)
    return TrialStatistics(len(newest), len(results), variance, _pbo(results))


def recipes_tried(trials: Sequence[Trial], scope: str, recipe_hash: str, *, alone: bool) -> int:
    """Return how many distinct recipes were tried on an instrument, the one judged among them.

    alone : a single package is judged. An ensemble is a choice among ensembles, and the packages
            that it is made of were no tries of their own; who picks a package picked among all.
            So did who left timeframes out: where another training of the instrument made all of
            this one's and more, each of its packages was a try.
    """
    return len(_newest(trials, scope, recipe_hash, alone))


def _newest(
    trials: Sequence[Trial], scope: str, recipe_hash: str, alone: bool
) -> dict[str, Trial | None]:
    """Return each distinct recipe with its newest trial."""
    here = [trial for trial in trials if trial.scope in (scope, "universe")]
    joined = {trial.created_at for trial in here if trial.kind == "ensemble"}
    chosen_from = _wider(here, recipe_hash)
    newest: dict[str, Trial | None] = {recipe_hash: None}
    for trial in here:
        loose = alone or trial.created_at not in joined or trial.created_at in chosen_from
        if trial.kind == "ensemble" or loose:
            newest[trial.recipe_hash] = trial
    return newest


def _wider(trials: Sequence[Trial], recipe_hash: str) -> set[str]:
    """Return when trainings were that made all timeframes of an ensemble's recipe, and more."""
    made: dict[str, set[str]] = {}
    for trial in trials:
        if trial.kind != "ensemble":
            made.setdefault(trial.created_at, set()).add(trial.timeframe)
    its = [t.created_at for t in trials if t.kind == "ensemble" and t.recipe_hash == recipe_hash]
    own = set().union(*(made.get(at, set()) for at in its))
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
