"""The store of news: kept once, read as what was known when."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine

import ares.store.schema
from ares.domain.news import MARKET, NewsRow
from ares.domain.series import SentimentSpec
from ares.domain.timeframe import HOUR_MS, MINUTE_MS
from ares.kernel.features.observations import ALL_INSTRUMENTS
from ares.store.database import open_database, writing
from ares.store.news import NewsSaved, NewsStore

T = 1_704_067_200_000
SPEC = SentimentSpec(delay_ms=5 * MINUTE_MS)
ROW = NewsRow(T, "wire", MARKET, 0.5, "file", "Bitcoin rises")


def also(**changes: object) -> NewsRow:
    return msgspec.structs.replace(ROW, **changes)


def test_the_same_news_are_stored_once_and_a_new_score_changes_nothing(engine: Engine) -> None:
    store = NewsStore(engine)
    assert not store.any()
    other = also(headline=None, score=-0.25)
    assert store.save([ROW, also(headline="BITCOIN   rises"), other]) == NewsSaved(2, 0, 0, 1)
    assert store.save([ROW, other, also(published_ms=T + 1)]) == NewsSaved(1, 2, 0, 0)
    assert store.save([also(score=0.9, scorer="vader 3")]) == NewsSaved(0, 0, 1, 0)
    assert store.any()
    assert sorted(row.score for row in store.newest(9)) == [-0.25, 0.5, 0.5]
    assert [row.published_ms for row in store.newest(1)] == [T + 1]


def test_a_thousand_rows_are_distinct(engine: Engine) -> None:
    store = NewsStore(engine)
    rows = [also(published_ms=T + k // 2, headline=f"number {k}") for k in range(1_200)]
    assert store.save(rows[:700]) == NewsSaved(700, 0, 0, 0)
    assert store.save(rows[::-1]) == NewsSaved(500, 700, 0, 0)


def test_what_is_known_when(engine: Engine) -> None:
    store = NewsStore(engine)
    store.save(
        [
            ROW,
            also(scope="BTC", headline="b", score=-1.0, received_ms=T + HOUR_MS),
            also(scope="DOGE", headline="d"),
            also(source="blog", headline="e", score=0.1, published_ms=T - HOUR_MS),
        ]
    )
    news = store.news(SPEC, ["ETH", "BTC", "BTC"])
    assert news.known_ms.tolist() == [
        T - HOUR_MS + 5 * MINUTE_MS, T + 5 * MINUTE_MS, T + HOUR_MS, T + HOUR_MS
    ]  # fmt: skip
    assert news.lane.tolist() == [ALL_INSTRUMENTS, ALL_INSTRUMENTS, 1, 2]
    assert news.values.tolist() == [0.1, 0.5, -1.0, -1.0]
    assert len(store.news(SPEC, ["BTC"], until_ms=T + 5 * MINUTE_MS)) == 2
    only = msgspec.structs.replace(SPEC, sources=("blog",))
    assert store.news(only, ["BTC"]).values.tolist() == [0.1]
    assert news.about(1).between(T, T + HOUR_MS) == 2
    assert news.about(0).between(T, T + HOUR_MS) == 1
    assert news.about(0).between(T + HOUR_MS, T + 2 * HOUR_MS) == 0


def test_the_order_of_imports_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    rows = [also(published_ms=T + k % 3, headline=f"{k}", score=k / 10) for k in range(9)]
    other = open_database(tmp_path / "other.db")
    NewsStore(engine).save(rows)
    for row in reversed(rows):
        NewsStore(other).save([row])
    one, two = (NewsStore(e).news(SPEC, ["BTC"]) for e in (engine, other))
    other.dispose()
    for name in ("known_ms", "published_ms", "values", "lane"):
        assert getattr(one, name).tolist() == getattr(two, name).tolist()


def test_sources_have_their_longest_gap(engine: Engine) -> None:
    store = NewsStore(engine)
    times = [0, 1, 30, 31]
    store.save([also(published_ms=T + h * HOUR_MS, headline=f"{h}", score=h % 2) for h in times])
    store.save([also(source="index", headline=None, scorer="file", received_ms=T + 1)])
    index, wire = store.sources()
    assert (wire.rows, wire.headlines, wire.neutral, wire.received) == (4, 4, 2, 0)
    assert (wire.silence_ms, wire.silent_from_ms) == (29 * HOUR_MS, T + HOUR_MS)
    assert (index.rows, index.headlines, index.received, index.silence_ms) == (1, 0, 1, 0)


def test_a_failed_import_leaves_nothing(engine: Engine) -> None:
    store = NewsStore(engine)
    bad = also(headline="bad", score=None)
    with pytest.raises(Exception, match=r"(?i)not.null"):
        store.save([ROW, bad])
    assert not store.any()


def test_a_database_without_news_is_brought_up_and_keeps_what_it_had(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    old = create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option(
        "script_location", str(Path(ares.store.schema.__file__).parent / "migrations")
    )
    config.set_main_option("path_separator", "os")
    with old.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql("INSERT INTO projections VALUES ('paper', 7)")
    old.dispose()
    engine = open_database(path)
    assert NewsStore(engine).save([ROW]).new == 1
    with writing(engine) as connection:
        assert connection.exec_driver_sql("SELECT seq FROM projections").scalar() == 7
    engine.dispose()
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT scope, score FROM news").fetchall() == [("", 0.5)]
    raw.close()
