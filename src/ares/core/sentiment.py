"""News in the engine: folded in as events, shown to the models at each close, missed aloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ares.domain.events import Effect, NewsPublished, SentimentMissing, SentimentRestored
from ares.domain.run import RunSetup
from ares.domain.timeframe import HOUR_MS
from ares.kernel.bars import F64
from ares.kernel.features import N_FEATURES
from ares.kernel.features.sentiment import (
    N_SENTIMENT,
    decay_weights,
    fold_rows,
    news_state,
    sentiment_of_due,
    turned_silent,
)
from ares.kernel.trade.layout import Records

if TYPE_CHECKING:
    from ares.core.state import State


def first_news(setup: RunSetup) -> Records | None:
    """Return the news of each instrument before any; None: no model of the run has sentiment."""
    return None if setup.sentiment is None else news_state(setup.n_instruments)


def decay_of(setup: RunSetup) -> F64:
    """Return the weights of news by age; none without sentiment."""
    return np.empty((0, 3)) if setup.sentiment is None else decay_weights(setup.sentiment)


def n_columns(setup: RunSetup) -> int:
    """Return how many columns a row of features has: the kernel's, the user's, then sentiment."""
    sentiment = 0 if setup.sentiment is None else N_SENTIMENT
    return N_FEATURES + len(setup.user_features) + sentiment


def on_news(state: State, event: NewsPublished) -> None:
    """Fold what has become known."""
    if state.news is not None:
        fold_rows(state.news, np.frombuffer(event.rows, np.int64).reshape(-1, 4), event.ts_ms)


def show(state: State, news: Records, now_ms: int) -> None:
    """Write the sentiment of the bars that closed now behind their other features."""
    assert state.setup.sentiment is not None
    column = state.features.shape[2] - N_SENTIMENT
    sentiment_of_due(
        news, now_ms, state.scratch.due, state.decay, state.setup.sentiment.stale_ms,
        state.features, column,
    )  # fmt: skip


def silences(state: State, news: Records, now_ms: int) -> list[Effect]:
    """Return a fact for each instrument of which news have become stale, or fresh again."""
    assert state.setup.sentiment is not None
    turned = np.empty(len(news), np.bool_)
    if not turned_silent(news, now_ms, state.setup.sentiment.stale_ms, turned):
        return []
    return [
        silence(i, now_ms, int(news["newest_ms"][i]), bool(news["stale"][i]))
        for i in np.flatnonzero(turned).tolist()
    ]


def silence(i: int, now_ms: int, newest_ms: int, stale: bool) -> Effect:
    """Return the fact that instrument ``i`` is without sentiment from now on, or has it again."""
    age_hours = (now_ms - newest_ms) / HOUR_MS if newest_ms else float("nan")
    return (SentimentMissing if stale else SentimentRestored)(i, now_ms, age_hours)
