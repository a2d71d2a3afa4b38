"""The news of a run: as the events it takes in, and as columns computed from them as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ares.core.sentiment import silence
from ares.core.state import State
from ares.domain.events import Effect, NewsPublished
from ares.domain.sentiment import SentimentSpec
from ares.kernel.bars import I64
from ares.kernel.features.news import News, sentiment_of

NO_NEWS = News.of([])


def news_event(news: News, after_ms: int, until_ms: int) -> NewsPublished | None:
    """Return what becomes known after an instant, up to another: of the bars that may know it."""
    first, end = np.searchsorted(news.known_ms, [after_ms, until_ms], side="right").tolist()
    if first == end:
        return None
    some = news[first:end]
    rows = np.column_stack([some.known_ms, some.published_ms, some.scores, some.lane])
    return NewsPublished(until_ms, np.ascontiguousarray(rows, np.int64).tobytes())


def told(state: State, event: NewsPublished) -> bool:
    """Return whether a state has taken an event in: a restart may come between it and its bars."""
    return state.news is None or int(state.news["told_ms"].max()) >= event.ts_ms


def news_of_events(events: Sequence[NewsPublished]) -> News:
    """Return the news that a run was told of."""
    rows = np.frombuffer(b"".join(event.rows for event in events), np.int64).reshape(-1, 4)
    return News.of(rows.tolist())


def heard_columns(first: State, news: News, lane: int, now_ms: I64) -> NDArray[np.float32] | None:
    """Return (n, N_SENTIMENT) what a lane's models heard at instants; None: the run has no news.

    first : a state before these news, whose own stand before them.
    """
    spec = first.setup.sentiment
    if first.news is None or spec is None:
        return None
    i = lane % len(first.news)
    return sentiment_of(news.about(i), spec, now_ms, first.news[i : i + 1])


def silences_of(first: State, news: News, now_ms: I64) -> list[Effect]:
    """Return every time that an instrument lost sentiment or had it again, at these decisions."""
    spec: SentimentSpec | None = first.setup.sentiment
    if first.news is None or spec is None:
        return []
    found: list[tuple[int, int, Effect]] = []
    for i in range(len(first.news)):
        mine = news.about(i)
        newest = np.maximum.accumulate(np.append(first.news["newest_ms"][i], mine.published_ms))
        known = newest[np.searchsorted(mine.known_ms, now_ms, side="right")]
        stale = (known == 0) | (now_ms - known > spec.stale_ms)
        before = np.append(first.news["stale"][i] == 1, stale[:-1])
        for t in np.flatnonzero(stale != before).tolist():
            fact = silence(i, int(now_ms[t]), int(known[t]), bool(stale[t]))
            found.append((t, i, fact))
    return [fact for _, _, fact in sorted(found, key=lambda one: one[:2])]
