"""The columns of sentiment: their formulas, step against scan, and what they may know."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ares.domain.errors import UserError
from ares.domain.series import SentimentSpec
from ares.domain.timeframe import HOUR_MS, MINUTE_MS
from ares.kernel.features.columns import column_names, columns_hash, require_same_columns
from ares.kernel.features.observations import ALL_INSTRUMENTS, Observations
from ares.kernel.features.sentiment import (
    AGE_HOURS,
    BUCKETS,
    COUNT,
    FAST,
    MIDDLE,
    N_SENTIMENT,
    SENTIMENT_NAMES,
    SLOW,
    SURPRISE,
)
from ares.kernel.features.series import (
    apply_observation,
    series_columns,
    series_state,
    series_step,
    weights_of,
)

START_MS = 1_704_067_200_000 // HOUR_MS * HOUR_MS
SPEC = SentimentSpec(delay_ms=5 * MINUTE_MS, stale_ms=48 * HOUR_MS)


def some_news(n: int, seed: int = 1, hours: float = 400.0) -> Observations:
    draw = np.random.default_rng(seed)
    published = START_MS + np.sort(draw.integers(0, int(hours * HOUR_MS), n))
    late = draw.integers(0, 3 * HOUR_MS, n) * (draw.random(n) < 0.2)
    known = published + SPEC.delay_ms + late
    scores = draw.integers(-1_000_000, 1_000_001, n) / 1e6
    lane = np.where(draw.random(n) < 0.5, ALL_INSTRUMENTS, draw.integers(0, 2, n))
    return Observations.of(zip(known, published, scores, lane, strict=True))


def by_hand(news: Observations, now_ms: int) -> list[float]:
    known = [k for k in range(len(news)) if news.known_ms[k] <= now_ms]
    if not known:
        return [math.nan] * N_SENTIMENT
    newest = max(int(news.published_ms[k]) for k in known)
    if now_ms - newest > SPEC.stale_ms:
        return [math.nan] * N_SENTIMENT
    means = []
    age = {k: now_ms // HOUR_MS - int(news.known_ms[k]) // HOUR_MS for k in known}
    for half_life in SPEC.half_life_hours:
        weight = {k: 0.5 ** (age[k] / half_life) for k in known if age[k] < BUCKETS}
        total = sum(w * news.values[k] for k, w in weight.items())
        means.append(total / (sum(weight.values()) + 1.0))
    count = sum(a < 24 for a in age.values())
    return [*means, means[0] - means[2], math.log(1 + count), (now_ms - newest) / HOUR_MS]


def test_the_columns_are_their_formulas() -> None:
    news = some_news(120).about(0)
    now_ms = START_MS + np.arange(0, 460 * HOUR_MS, 17 * MINUTE_MS)
    columns = series_columns(news, SPEC, now_ms)
    wanted = np.array([by_hand(news, int(t)) for t in now_ms])
    assert np.isnan(columns).any()
    assert np.isfinite(columns).any()
    np.testing.assert_allclose(columns, wanted, rtol=2e-6, atol=1e-6)
    assert SENTIMENT_NAMES[FAST : SURPRISE + 1] == (
        "sentiment_fast", "sentiment_middle", "sentiment_slow", "sentiment_surprise"
    )  # fmt: skip
    assert (MIDDLE, SLOW, COUNT, AGE_HOURS) == (1, 2, 4, 5)


def test_step_equals_scan_to_the_bit() -> None:
    news = some_news(200).about(1)
    now_ms = START_MS + np.arange(0, 420 * HOUR_MS, 15 * MINUTE_MS)
    scanned = series_columns(news, SPEC, now_ms)
    state, weights = series_state(SPEC, 3), weights_of(SPEC)
    out = np.empty(N_SENTIMENT, np.float32)
    row = 0
    for t, now in enumerate(now_ms.tolist()):
        while row < len(news) and news.known_ms[row] <= now:
            known, published, score = news.known_ms[row], news.published_ms[row], news.values[row]
            apply_observation(state, 2, int(known), int(published), float(score), weights)
            row += 1
        series_step(state, 2, now, weights, SPEC.stale_ms, out)
        assert out.tobytes() == scanned[t].tobytes()
    assert not state[:2]["counts"].any()


def test_where_the_series_began_and_the_order_within_an_hour_change_nothing() -> None:
    news = some_news(900, hours=2_000).about(0)
    late_ms = START_MS + 1_500 * HOUR_MS + np.arange(0, 100 * HOUR_MS, HOUR_MS)
    whole = series_columns(news, SPEC, late_ms)
    newer = news[news.known_ms >= late_ms[0] - BUCKETS * HOUR_MS]
    assert len(newer) < len(news)
    assert series_columns(newer, SPEC, late_ms).tobytes() == whole.tobytes()
    again = series_columns(newer, SPEC, late_ms[50:])
    assert again.tobytes() == whole[50:].tobytes()
    turned = news[np.lexsort((-news.published_ms, news.known_ms // HOUR_MS))]
    assert not np.array_equal(turned.known_ms, news.known_ms)
    on_the_hour = series_columns(turned, SPEC, late_ms)
    assert on_the_hour.tobytes() == whole.tobytes()


def test_nothing_is_known_before_its_time() -> None:
    known_ms = START_MS + 90 * MINUTE_MS
    news = Observations.of([(known_ms, known_ms - SPEC.delay_ms, -0.5, ALL_INSTRUMENTS)])
    columns = series_columns(news, SPEC, np.array([known_ms - 1, known_ms]))
    assert np.isnan(columns[0]).all()
    assert columns[1, FAST] == np.float32(-0.25)  # beside the one neutral row
    assert columns[1, COUNT] == np.float32(math.log(2))
    assert columns[1, AGE_HOURS] == np.float32(SPEC.delay_ms / HOUR_MS)


def test_old_news_count_less_and_then_nothing() -> None:
    news = Observations.of([(START_MS, START_MS, 1.0, ALL_INSTRUMENTS)])
    columns = series_columns(news, SPEC, START_MS + np.array([0, 24, 48, 49]) * HOUR_MS)
    assert columns[0, SLOW] > columns[1, SLOW] > columns[2, SLOW] > 0.0
    assert columns[2, COUNT] == 0.0
    assert np.isnan(columns[3]).all()


def test_news_of_an_hour_long_gone_fall_out() -> None:
    state, weights = series_state(SPEC, 1), weights_of(SPEC)
    out = np.empty(N_SENTIMENT, np.float32)
    apply_observation(state, 0, START_MS, START_MS, 1.0, weights)
    for hours in (BUCKETS - 1, BUCKETS, 3 * BUCKETS):
        now_ms = START_MS + hours * HOUR_MS
        apply_observation(state, 0, now_ms, now_ms, 0.0, weights)
        series_step(state, 0, now_ms, weights, SPEC.stale_ms, out)
        assert (out[SLOW] > 0.0) == (hours < BUCKETS)
    before = state.tobytes()
    apply_observation(state, 0, START_MS, START_MS, 1.0, weights)  # known 21 days late
    assert state.tobytes() == before


def test_a_model_with_sentiment_goes_with_the_same_columns_only() -> None:
    with_, without = columns_hash(None, [SPEC]), columns_hash(None)
    assert with_ != without
    names = column_names(None, [SPEC])
    assert names[-N_SENTIMENT:] == SENTIMENT_NAMES
    assert names[:-N_SENTIMENT] == column_names(None)
    require_same_columns("m", names, with_, None)
    with pytest.raises(UserError, match="other features than this version"):
        require_same_columns("m", names, "of another version", None, [SPEC])
