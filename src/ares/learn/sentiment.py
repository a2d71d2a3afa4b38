"""Sentiment among the rows that are learned from, and what a model learns of being without it.

In fitting, a quarter of the instants have their sentiment hidden: the trees learn a way for rows
without news, and a model whose source is silent answers by prices alone (ADR 0021).
"""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np

from ares.domain.sentiment import SentimentSpec
from ares.kernel.bars import Bools
from ares.kernel.features.news import News, sentiment_of
from ares.kernel.features.sentiment import N_SENTIMENT
from ares.learn.recipe import Recipe
from ares.learn.rows import F32, Rows

HIDDEN_SHARE = 0.25
"""Of the instants of a fit. Measured on real candles and headlines: docs/SENTIMENT.md."""


def with_sentiment(rows: Rows, news: News, spec: SentimentSpec) -> Rows:
    """Return the rows with the columns of sentiment behind all others, by what was known at each.

    news : in lanes as the rows have them.
    """
    columns = np.empty((len(rows), N_SENTIMENT), np.float32)
    for lane in np.unique(rows.lane).tolist():
        mine = rows.lane == lane
        columns[mine] = sentiment_of(news.about(lane), spec, rows.decided_ms[mine])
    return replace(rows, x=np.hstack([rows.x, columns]))


def price_only(recipe: Recipe, features_hash: str) -> Recipe:
    """Return the recipe of the twin that learns from prices alone, as ``--price-only`` has it.

    features_hash : of the columns without sentiment.
    """
    return msgspec.structs.replace(
        recipe,
        features=recipe.features[:-N_SENTIMENT],
        features_hash=features_hash,
        sentiment=None,
        price_only=True,
    )


def heard(x: F32) -> Bools:
    """Return (n,) where rows with sentiment have any."""
    return np.asarray(~np.isnan(x[:, -N_SENTIMENT:]).all(axis=1))


def sentiment_missing(x: F32) -> F32:
    """Return rows with sentiment as they are without news: their last columns are NaN."""
    x = x.copy()
    x[:, -N_SENTIMENT:] = np.nan
    return x


def fitted_on(x: F32, rows: Rows, recipe: Recipe) -> F32:
    """Return the rows as a model is fitted on them: at some instants without their sentiment.

    Which instants depends on them and on the recipe alone, not on what other rows there are.
    """
    if recipe.sentiment is None:
        return x
    x = x.copy()
    x[_hidden(rows, recipe.seed), -N_SENTIMENT:] = np.nan
    return x


def _hidden(rows: Rows, seed: int) -> Bools:
    """Return (n,) True at HIDDEN_SHARE of the instants: a mix of instant and seed (SplitMix64)."""
    with np.errstate(over="ignore"):
        z = rows.decided_ms.astype(np.uint64) + np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return np.asarray(z < np.uint64(HIDDEN_SHARE * 2.0**64))
