"""Sentiment used before its publication is caught, however it is done; as shipped, nothing is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ares.domain.series import SentimentSpec, SeriesSpec, ValueSpec
from ares.domain.timeframe import HOUR_MS, MINUTE_MS
from ares.kernel.bars import I64
from ares.kernel.features.last_value import value_names
from ares.kernel.features.observations import ALL_INSTRUMENTS, Observations
from ares.kernel.features.sentiment import FAST, SENTIMENT_NAMES
from ares.kernel.features.series import series_columns
from ares.learn.gate.series_leaks import learned_leaks, series_leaks
from ares.learn.rows import F32

SPEC = SentimentSpec(delay_ms=10 * MINUTE_MS, stale_ms=24 * HOUR_MS)
START_MS = 1_704_067_200_000
CLOSES = START_MS + np.arange(600) * HOUR_MS


def some_news() -> Observations:
    draw = np.random.default_rng(2)
    published = START_MS + draw.integers(0, 600 * HOUR_MS, 900)
    scores = draw.integers(-1_000_000, 1_000_001, 900) / 1e6
    known = published + SPEC.delay_ms
    return Observations.of(
        (int(k), int(p), float(s), ALL_INSTRUMENTS)
        for k, p, s in zip(known, published, scores, strict=True)
    )


def earlier(news: Observations, ms: int) -> Observations:
    return replace(news, known_ms=news.known_ms - ms)


def at_publication(news: Observations, spec: SeriesSpec, now_ms: I64) -> F32:
    """The delay is forgotten."""
    return series_columns(earlier(news, SPEC.delay_ms), spec, now_ms)


def an_hour_ahead(news: Observations, spec: SeriesSpec, now_ms: I64) -> F32:
    """A time zone is read wrong."""
    return series_columns(earlier(news, HOUR_MS), spec, now_ms)


def of_the_whole_day(news: Observations, spec: SeriesSpec, now_ms: I64) -> F32:
    """Daily means are merged on the date, so that the morning knows the evening."""
    day = 24 * HOUR_MS
    return series_columns(news, spec, (now_ms // day + 1) * day)


def filled_from_the_future(news: Observations, spec: SeriesSpec, now_ms: I64) -> F32:
    columns = series_columns(news, spec, now_ms)
    columns[:-1] = np.where(np.isnan(columns[:-1]), columns[1:], columns[:-1])
    columns[:-1, FAST] = columns[1:, FAST]
    return columns


def scaled_by_everything(news: Observations, spec: SeriesSpec, now_ms: I64) -> F32:
    columns = series_columns(news, spec, now_ms)
    columns[:, FAST] -= np.nanmean(columns[:, FAST])
    return columns


def counted_against_all_there_will_be(news: Observations, spec: SeriesSpec, now_ms: I64) -> F32:
    columns = series_columns(news, spec, now_ms)
    columns[:, FAST] /= len(news)
    return columns


def test_as_shipped_nothing_leaks() -> None:
    found = series_leaks(some_news(), SPEC, CLOSES)
    assert found.leaking == ()
    assert found.values > 10_000
    received_late = some_news()
    received_late.known_ms[:] += 5 * HOUR_MS
    assert series_leaks(received_late, SPEC, CLOSES).leaking == ()
    assert series_leaks(Observations.of([]), SPEC, CLOSES).leaking == ()
    assert series_leaks(some_news(), SPEC, CLOSES[:1]).values == 0


@pytest.mark.parametrize(
    "planted",
    [
        at_publication,
        an_hour_ahead,
        of_the_whole_day,
        filled_from_the_future,
        scaled_by_everything,
        counted_against_all_there_will_be,
    ],
)
def test_news_used_before_they_are_out_are_caught(
    planted: Callable[[Observations, SeriesSpec, I64], F32],
) -> None:
    found = series_leaks(some_news(), SPEC, CLOSES, planted)
    assert SENTIMENT_NAMES[FAST] in found.leaking


def test_a_column_that_remembers_is_caught() -> None:
    n_rows = []

    def remembers(news: Observations, spec: SeriesSpec, now_ms: I64) -> F32:
        n_rows.append(len(news))
        columns = series_columns(news, spec, now_ms)
        columns[:, FAST] += len(n_rows)
        return columns

    assert series_leaks(some_news(), SPEC, CLOSES, remembers).leaking == (SENTIMENT_NAMES[FAST],)


def test_rows_that_were_shown_news_too_early_are_caught() -> None:
    news = some_news()
    honest = series_columns(news, SPEC, CLOSES)
    assert learned_leaks(news, SPEC, CLOSES, honest).leaking == ()
    assert learned_leaks(news, SPEC, CLOSES, honest).values == honest.size
    for planted in (at_publication, an_hour_ahead, of_the_whole_day, filled_from_the_future):
        found = learned_leaks(news, SPEC, CLOSES, planted(news, SPEC, CLOSES))
        assert SENTIMENT_NAMES[FAST] in found.leaking, planted.__name__


def test_news_that_are_stored_as_known_too_early_are_caught() -> None:
    early = earlier(some_news(), SPEC.delay_ms)
    shown = series_columns(early, SPEC, CLOSES)
    assert SENTIMENT_NAMES[FAST] in learned_leaks(early, SPEC, CLOSES, shown).leaking
    assert SENTIMENT_NAMES[FAST] in series_leaks(early, SPEC, CLOSES).leaking


RATE = ValueSpec("rate", stale_ms=24 * HOUR_MS)


def some_rates() -> Observations:
    """Return a rate that is published every 8 hours and known 3 hours later."""
    published = START_MS + np.arange(75) * 8 * HOUR_MS
    rates = np.random.default_rng(5).standard_normal(75)
    return Observations.of(
        (int(p) + 3 * HOUR_MS, int(p), float(rate), ALL_INSTRUMENTS)
        for p, rate in zip(published, rates, strict=True)
    )


def by_publication(values: Observations, spec: SeriesSpec, now_ms: I64) -> F32:
    """Values are joined by their publication, not by the instant at which they are known."""
    return series_columns(replace(values, known_ms=values.published_ms), spec, now_ms)


def interpolated(values: Observations, spec: SeriesSpec, now_ms: I64) -> F32:
    columns = series_columns(values, spec, now_ms)
    columns[:, 0] = np.interp(now_ms, values.known_ms, values.values)
    return columns


def test_the_columns_of_a_series_of_values_do_not_leak() -> None:
    found = series_leaks(some_rates(), RATE, CLOSES)
    assert found.leaking == ()
    assert found.values > 5_000
    honest = series_columns(some_rates(), RATE, CLOSES)
    assert learned_leaks(some_rates(), RATE, CLOSES, honest).leaking == ()


def test_values_used_before_they_are_known_are_caught() -> None:
    for planted in (by_publication, interpolated):
        found = series_leaks(some_rates(), RATE, CLOSES, planted)
        assert "rate_value" in found.leaking, planted.__name__
        learned = planted(some_rates(), RATE, CLOSES)
        assert "rate_value" in learned_leaks(some_rates(), RATE, CLOSES, learned).leaking
    early = by_publication(some_rates(), RATE, CLOSES)
    assert set(learned_leaks(some_rates(), RATE, CLOSES, early).leaking) == set(value_names("rate"))
