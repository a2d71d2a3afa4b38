"""External series among the rows that are learned from, and what a model learns of being without.

In fitting, a quarter of the instants have a series hidden: the trees learn a way for rows without
it, and a model without new values scores by the other columns alone (ADR 0021).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np

from ares.domain.series import SENTIMENT, SeriesSpec
from ares.kernel.bars import Bools
from ares.kernel.features.observations import SeriesHistory
from ares.kernel.features.series import all_columns, width_of
from ares.learn.recipe import Recipe
from ares.learn.rows import F32, Rows

HIDDEN_SHARE = 0.25
"""Of the instants of a fit. Measured on real candles and headlines: docs/SENTIMENT.md."""


def with_series(rows: Rows, history: SeriesHistory, specs: Sequence[SeriesSpec]) -> Rows:
    """Return the rows with the columns of the series behind all others, by what was known at each.

    history : of each series, in lanes as the rows have them.
    """
    columns = np.empty((len(rows), width_of(specs)), np.float32)
    for lane in np.unique(rows.lane).tolist():
        own = rows.lane == lane
        columns[own] = all_columns(history, specs, lane, rows.decided_ms[own])
    return replace(rows, x=np.hstack([rows.x, columns]))


def columns_of(specs: Sequence[SeriesSpec], n_columns: int) -> list[slice]:
    """Return where each series' columns are among ``n_columns``: the last ones.

    >>> from ares.domain.series import SentimentSpec, ValueSpec
    >>> columns_of([SentimentSpec(), ValueSpec("funding")], 65)
    [slice(56, 62, None), slice(62, 65, None)]
    """
    first = n_columns - width_of(specs)
    found = []
    for spec in specs:
        found.append(slice(first, first + width_of([spec])))
        first = found[-1].stop
    return found


def without(recipe: Recipe, name: str, features_hash: str) -> Recipe:
    """Return the recipe of the twin without a series; without any, that of ``--price-only``.

    features_hash : of the columns that are left.
    """
    specs = recipe.series
    index = [spec.name for spec in specs].index(name)
    hidden = columns_of(specs, len(recipe.features))[index]
    return msgspec.structs.replace(
        recipe,
        features=recipe.features[: hidden.start] + recipe.features[hidden.stop :],
        features_hash=features_hash,
        sentiment=None if name == SENTIMENT else recipe.sentiment,
        value_series=tuple(spec for spec in recipe.value_series if spec.name != name),
        price_only=len(specs) == 1,
    )


def is_present(x: F32, specs: Sequence[SeriesSpec]) -> list[Bools]:
    """Return, for each series, (n,) where rows have any value of it."""
    parts = columns_of(specs, x.shape[1])
    return [np.asarray(~np.isnan(x[:, part]).all(axis=1)) for part in parts]


def all_missing(x: F32, specs: Sequence[SeriesSpec]) -> F32:
    """Return the rows as they are when every series is missing."""
    x = x.copy()
    x[:, x.shape[1] - width_of(specs) :] = np.nan
    return x


def with_missing(x: F32, specs: Sequence[SeriesSpec]) -> F32:
    """Return the rows, then again without any series, and where there are several, without each."""
    tables = [x] + ([all_missing(x, specs)] if specs else [])
    for part in columns_of(specs, x.shape[1]) if len(specs) > 1 else ():
        tables.append(x.copy())
        tables[-1][:, part] = np.nan
    return np.concatenate(tables)


def fitted_on(x: F32, rows: Rows, recipe: Recipe) -> F32:
    """Return the rows as a model is fitted on them: at some instants without a series.

    Which instants depends on them, the series and the recipe alone, not on what other rows there
    are; each series is hidden for itself.
    """
    if not recipe.series:
        return x
    x = x.copy()
    for spec, part in zip(recipe.series, columns_of(recipe.series, x.shape[1]), strict=True):
        x[_hidden(rows, recipe.seed ^ _salt(spec)), part] = np.nan
    return x


def _salt(spec: SeriesSpec) -> int:
    """Return 31 bits that tell the draws of several series apart."""
    if spec.name == SENTIMENT:
        return 0
    return int(hashlib.sha256(spec.name.encode()).hexdigest()[:8], 16) >> 1


def _hidden(rows: Rows, seed: int) -> Bools:
    """Return (n,) True at HIDDEN_SHARE of the instants: a mix of instant and seed (SplitMix64)."""
    with np.errstate(over="ignore"):
        z = rows.decided_ms.astype(np.uint64) + np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return np.asarray(z < np.uint64(HIDDEN_SHARE * 2.0**64))
