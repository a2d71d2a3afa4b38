"""What is wrong with stored news: stale and silent sources, headlines without a score."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ares.domain.news import NewsRow
from ares.domain.series import SentimentSpec
from ares.domain.timeframe import HOUR_MS
from ares.observe.news_check import check_news, fresh
from ares.store.database import open_database
from ares.store.news import NewsStore

NOW = 1_704_067_200_000
SPEC = SentimentSpec(stale_ms=10 * HOUR_MS)


@pytest.fixture
def news(tmp_path: Path) -> Iterator[NewsStore]:
    engine = open_database(tmp_path / "ares.db")
    yield NewsStore(engine)
    engine.dispose()


def row(source: str, age_hours: float, score: float = 0.5, scorer: str = "file") -> NewsRow:
    at_ms = NOW - round(age_hours * HOUR_MS)
    return NewsRow(at_ms, source, "BTC", score, scorer, f"{source} {age_hours}")


def test_a_source_is_stale_only_after_the_time_that_models_accept(news: NewsStore) -> None:
    news.save([row("limit", 10.0), row("late", 10.1)])
    late, limit = check_news(news, SPEC, NOW)
    assert (limit.stale, limit.remarks) == (False, ())
    assert late.stale
    assert late.remarks == ("stale: nothing for 10 hours: sentiment is missing now",)


def test_sentiment_is_fresh_by_a_source_that_counts_and_no_other(news: NewsStore) -> None:
    news.save([row("old", 20.0), row("new", 1.0)])
    checked = check_news(news, SentimentSpec(("old",), stale_ms=SPEC.stale_ms), NOW)
    new, old = checked
    assert (new.counts, old.counts) == (False, True)
    assert "not among sentiment.sources" in new.remarks[0]
    assert not fresh(checked)
    assert fresh(check_news(news, SPEC, NOW))
    assert not fresh([])


def test_a_silence_neutral_scores_and_several_scorers_are_named(news: NewsStore) -> None:
    news.save([row("wire", 30.0, 0.0, "vader"), row("wire", 2.0, 0.0), row("wire", 1.0)])
    (wire,) = check_news(news, SPEC, NOW)
    assert wire.gaps_hours == 28.0
    silent, neutral, scorers = wire.remarks
    assert silent == "no news for 28 hours: rows there have no sentiment"
    assert neutral == "67% of its rows score exactly 0"
    assert scorers == "scored by several scorers: file, vader"


def test_half_of_neutral_rows_is_no_remark(news: NewsStore) -> None:
    news.save([row("wire", 2.0, 0.0), row("wire", 1.0)])
    (wire,) = check_news(news, SPEC, NOW)
    assert (wire.remarks, wire.gaps_hours) == ((), None)
