"""The news that a training learns from: whether there are any, and their columns in its rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from ares.domain.instrument import Instrument
from ares.domain.sentiment import SentimentSpec
from ares.domain.timeframe import Timeframe
from ares.kernel.bars import I64
from ares.kernel.features.news import News, sentiment_of
from ares.learn.recipe import Recipe
from ares.learn.rows import F32, Rows
from ares.learn.sentiment import heard, with_sentiment
from ares.runtime.registry.paths import DataPaths
from ares.runtime.training.instrument_history import HistorySource
from ares.store.candles import CandleStore
from ares.store.database import open_database
from ares.store.news import NewsStore

Whole = tuple[Instrument, ...]
"""The instruments that one model is made of."""


def sentiment_of_wholes(
    data: DataPaths,
    wholes: Sequence[Whole],
    from_ms: int | None,
    to_ms: int | None,
    spec: SentimentSpec | None,
) -> tuple[dict[Whole, SentimentSpec | None], list[str]]:
    """Return how the sentiment of each model is made, None where it has none, and remarks.

    A model has sentiment where there is a ``spec`` and news that count become known in its window
    (of candles where none is said).
    """
    found: dict[Whole, SentimentSpec | None] = dict.fromkeys(wholes)
    if spec is None:
        return found, []
    engine = open_database(data.database_url)
    try:
        news, candles = NewsStore(engine), CandleStore(engine, data.cache)
        if not news.any():
            return found, []
        remarks = []
        for whole in wholes:
            spans = [_window(candles, one, from_ms, to_ms) for one in whole]
            known = [
                news.known_between(spec, one.base, *span)
                for one, span in zip(whole, spans, strict=True)
            ]
            if any(known):
                found[whole] = spec
                continue
            names = whole[0].key if len(whole) == 1 else "the universe"
            remarks.append(f"{names}: no news become known in the window: by prices alone")
        return found, remarks
    finally:
        engine.dispose()


def rows_with_news(
    rows: Rows, source: HistorySource, instruments: Whole, recipe: Recipe
) -> tuple[Rows, str]:
    """Return a model's rows with their sentiment, and a remark on how much of it there is."""
    assert recipe.sentiment is not None
    bases = [one.base for one in instruments]
    news = news_of(source.database_url, recipe.sentiment, bases, source.to_ms)
    rows = with_sentiment(rows, news, recipe.sentiment)
    share = float(heard(rows.x).mean()) if len(rows) else 0.0
    whole = "universe" if recipe.scope == "universe" else instruments[0].key
    return rows, (
        f"{whole} {recipe.timeframe}: sentiment is known at {share:.0%} of the rows: elsewhere, "
        "and whenever news are missing, the model answers by prices alone"
    )


def sentiment_at(
    database_url: str, spec: SentimentSpec | None, instrument: Instrument, close_ms: I64
) -> F32 | None:
    """Return (n, N_SENTIMENT) an instrument's sentiment at closes, ascending; None without spec."""
    if spec is None:
        return None
    until_ms = int(close_ms[-1]) if len(close_ms) else 0
    news = news_of(database_url, spec, [instrument.base], until_ms)
    return sentiment_of(news.about(0), spec, close_ms)


def news_of(
    database_url: str, spec: SentimentSpec, bases: Sequence[str], until_ms: int | None
) -> News:
    """Return what counts for these base currencies, in lanes of their order."""
    return _store(database_url).news(spec, bases, until_ms)


@lru_cache(maxsize=2)
def _store(database_url: str) -> NewsStore:
    """Return a worker's store of news, opened once in its life."""
    return NewsStore(open_database(database_url))


def _window(
    candles: CandleStore, instrument: Instrument, from_ms: int | None, to_ms: int | None
) -> tuple[int, int]:
    """Return the window, its open ends those of the instrument's candles."""
    spans = [
        (one.first_ms, one.last_ms + Timeframe(one.interval).ms)
        for one in candles.series()
        if one.instrument == instrument
    ]
    first_ms = min((first for first, _ in spans), default=0) if from_ms is None else from_ms
    last_ms = max((last for _, last in spans), default=0) if to_ms is None else to_ms
    return first_ms, last_ms
