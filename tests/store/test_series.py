"""The store of external series: kept once, with a version of its content, read as known when."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.domain.news import NewsRow
from ares.domain.series import SentimentSpec, SeriesValue, ValueSpec
from ares.domain.timeframe import HOUR_MS
from ares.kernel.features.observations import ALL_INSTRUMENTS
from ares.store.news import NewsStore
from ares.store.series import SeriesSaved, SeriesStore, series_history, stored_series

T = 1_704_067_200_000
BTC, ETH = Instrument("binance", "BTC/USDT"), Instrument("binance", "ETH/USDT")


def value(hour: int, number: float, scope: str = "", lag: int = 1) -> SeriesValue:
    published_ms = T + hour * HOUR_MS
    return SeriesValue(published_ms, published_ms + lag * HOUR_MS, number, scope)


def test_stored_values_stay_and_new_values_raise_the_version(engine: Engine) -> None:
    store = SeriesStore(engine)
    assert store.save("index", [value(0, 1.0), value(1, 2.0)]) == SeriesSaved(2, 0, 0, 1)
    first = store.listed()[0]
    assert store.save("index", [value(1, 2.0), value(0, 1.0)]) == SeriesSaved(0, 2, 0, 1)
    assert store.save("index", [value(1, 9.0), value(0, 1.0, lag=0)]) == SeriesSaved(0, 0, 2, 1)
    assert store.listed() == [first]
    assert store.save("index", [value(0, 1.0), value(5, 3.0)]) == SeriesSaved(1, 1, 0, 2)
    (now,) = store.listed()
    assert now.content_hash != first.content_hash
    assert (now.rows, now.first_ms, now.last_ms) == (3, T, T + 5 * HOUR_MS)
    assert (now.lag_ms_max, now.known_ms) == (HOUR_MS, T + 6 * HOUR_MS)
    assert (now.pause_ms, now.paused_from_ms) == (4 * HOUR_MS, T + HOUR_MS)


def test_the_content_hash_depends_on_the_content_alone(engine: Engine) -> None:
    store = SeriesStore(engine)
    rows = [value(hour, hour / 7) for hour in range(9)]
    store.save("one", rows)
    for row in reversed(rows):
        store.save("two", [row])
    one, two = store.listed()
    assert one.content_hash == two.content_hash
    assert (one.version, two.version) == (1, 9)


def test_the_narrowest_scope_counts(engine: Engine) -> None:
    store = SeriesStore(engine)
    store.save("all", [value(0, 1.0)])
    assert store.observations("all", [BTC, ETH]).lane.tolist() == [ALL_INSTRUMENTS]
    scopes = ["BTC", "BTC/USDT", "ETH", "SOL"]
    store.save("each", [value(k, float(k), scope) for k, scope in enumerate(scopes)])
    found = store.observations("each", [ETH, BTC, BTC, Instrument("kraken", "XRP/EUR")])
    assert found.values.tolist() == [1.0, 1.0, 2.0]
    assert found.lane.tolist() == [1, 2, 0]
    store.save("keys", [value(0, 1.0, "kraken:BTC/USDT"), value(0, 2.0, "BTC")])
    both = store.observations("keys", [Instrument("kraken", "BTC/USDT"), BTC])
    assert dict(zip(both.lane.tolist(), both.values.tolist(), strict=True)) == {0: 1.0, 1: 2.0}
    assert len(store.observations("none", [BTC])) == 0


def test_nothing_that_is_known_later_is_read(engine: Engine) -> None:
    store = SeriesStore(engine)
    store.save("index", [value(0, 1.0, lag=5), value(1, 2.0)])
    assert store.observations("index", [BTC], T + 2 * HOUR_MS).values.tolist() == [2.0]
    whole = store.observations("index", [BTC])
    assert whole.known_ms.tolist() == [T + 2 * HOUR_MS, T + 5 * HOUR_MS]


def test_values_about_everything_and_about_symbols_do_not_mix(engine: Engine) -> None:
    store = SeriesStore(engine)
    store.save("index", [value(0, 1.0)])
    before = store.listed()
    with pytest.raises(UserError, match="stored values of index are about all instruments"):
        store.save("index", [value(1, 1.0, "BTC")])
    assert store.listed() == before


def test_a_series_is_forgotten(engine: Engine) -> None:
    store = SeriesStore(engine)
    store.save("index", [value(0, 1.0), value(1, 1.0)])
    store.save("other", [value(0, 1.0)])
    assert store.remove("index") == 2
    assert store.remove("index") == 0
    assert store.names() == ["other"]
    assert store.save("index", [value(0, 5.0)]).version == 1


def test_the_series_of_a_model(engine: Engine) -> None:
    specs = (SentimentSpec(), ValueSpec("index"))
    with pytest.raises(UserError, match=r"names 'index', which is not stored \(stored: none\)"):
        stored_series(engine, specs)
    SeriesStore(engine).save("index", [value(0, 1.0)])
    assert stored_series(engine, specs) == specs[1:]
    NewsStore(engine).save([NewsRow(T, "wire", "", 0.5, "file")])
    assert stored_series(engine, specs) == specs
    sentiment, index = series_history(engine, specs, [BTC])
    assert (sentiment.values.tolist(), index.values.tolist()) == ([0.5], [1.0])
    assert [len(rows) for rows in series_history(engine, [ValueSpec("gone")], [BTC])] == [0]
