"""The leak test of sentiment: news that nobody could have known yet may not move a column."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from ares.domain.sentiment import SentimentSpec
from ares.domain.timeframe import HOUR_MS
from ares.kernel.bars import I64
from ares.kernel.features.news import News, sentiment_of
from ares.kernel.features.sentiment import SENTIMENT_NAMES
from ares.learn.gate.leaks import BARS_TRIED, CUTS, NOTHING_TRIED, Leaks
from ares.learn.leakage import GOLDEN
from ares.learn.rows import F32

Columns = Callable[[News, SentimentSpec, I64], F32]
"""(news of one instrument, spec, instants) -> (n, N_SENTIMENT)."""


def news_leaks(
    news: News, spec: SentimentSpec, now_ms: I64, columns_of: Columns = sentiment_of, seed: int = 0
) -> Leaks:
    """Return which columns of sentiment know news before they were published and the delay over.

    News that are not out by a cut are taken away, or made to say something else at other times: no
    column of an instant up to the cut may move by a bit, nor may it when the same is asked again.

    news   : of one instrument.    now_ms : (n,) closing instants, ascending; the newest are tried.
    """
    now_ms = now_ms[-BARS_TRIED:]
    if len(now_ms) < 2:
        return NOTHING_TRIED
    truth = columns_of(news, spec, now_ms)
    found = _moved(truth, columns_of(news, spec, now_ms))
    draw = np.random.default_rng(seed)
    for k in range(CUTS):
        cut_ms = int(now_ms[int((len(now_ms) - 1) * ((k + 1) * GOLDEN % 1.0) ** 0.5)])
        early = now_ms <= cut_ms
        for other in _futures(news, spec, cut_ms, draw):
            found += _moved(truth[early], columns_of(other, spec, now_ms)[early])
    return found


def learned_leaks(news: News, spec: SentimentSpec, decided_ms: I64, learned: F32) -> Leaks:
    """Return which columns that a model has learned from are not those of the news out by then.

    ``news_leaks`` tries how columns are made; this, what came of it: rows that were shown them at
    another instant, or news that were stored as known too early.

    news : of one instrument.    decided_ms : (n,) ascending; learned : (n, N_SENTIMENT).
    """
    out_ms = np.maximum(news.published_ms + spec.delay_ms, news.known_ms)
    honest = replace(news, known_ms=out_ms)[np.argsort(out_ms, kind="stable")]
    return _moved(np.ascontiguousarray(learned), sentiment_of(honest, spec, decided_ms))


def _futures(
    news: News, spec: SentimentSpec, cut_ms: int, draw: np.random.Generator
) -> Iterator[News]:
    """Yield the news without those that are not out by the cut, and with others in their place."""
    out_ms = np.maximum(news.published_ms + spec.delay_ms, news.known_ms)
    yield news[out_ms <= cut_ms]
    out = [out_ms <= cut_ms, out_ms > cut_ms]
    later = news[out[1]]
    n = len(later) + 3
    published_ms = cut_ms + 1 + draw.integers(0, 24 * HOUR_MS, n) - spec.delay_ms
    known_ms = published_ms + spec.delay_ms
    columns = (known_ms, published_ms, draw.integers(-1_000_000, 1_000_001, n), np.full(n, -1))
    kept = news[out[0]]
    own = (kept.known_ms, kept.published_ms, kept.scores, kept.lane)
    pairs = zip(own, columns, strict=True)
    yield News.of(np.column_stack([np.concatenate(pair) for pair in pairs]).tolist())


def _moved(before: F32, after: F32) -> Leaks:
    same = before.view(np.int32) == after.view(np.int32)
    moved = ~(same | (np.isnan(before) & np.isnan(after))).all(axis=0)
    names = tuple(name for name, bad in zip(SENTIMENT_NAMES, moved, strict=True) if bad)
    return Leaks(before.size, names)
