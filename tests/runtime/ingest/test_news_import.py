"""News into the store: scored or taken as scored, bad items counted, nothing half-written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ares.domain.errors import ExternalError, UserError
from ares.domain.timeframe import DAY_MS, HOUR_MS
from ares.runtime.ingest.news_import import GIVEN, NewsFormat, fetch_news, import_news
from ares.store.database import open_database
from ares.store.news import NewsStore

DAY = 1_726_099_200_000  # 2024-09-12
NOW = DAY + 20 * HOUR_MS


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NewsStore]:
    engine = open_database(tmp_path / "ares.db")
    yield NewsStore(engine)
    engine.dispose()


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return path


def rss(*items: tuple[str, str]) -> bytes:
    body = "".join(f"<item><title>{t}</title><pubDate>{at}</pubDate></item>" for t, at in items)
    return f"<rss><channel>{body}</channel></rss>".encode()


def test_headlines_are_scored_and_given_scores_are_kept(store: NewsStore, tmp_path: Path) -> None:
    path = lines(
        tmp_path / "wire.jsonl",
        {"ts": DAY + 1, "title": "Exchange hacked, coins stolen"},
        {"ts": DAY + 2, "title": "Exchange hacked, coins stolen", "score": 0.9},
        {"ts": DAY + 3, "score": -0.1, "source": "index"},
    )
    (done,) = import_news(store, path, NewsFormat(), NOW).imported
    assert (done.new, done.scored, done.skipped) == (3, 1, {})
    index, given, hacked = store.newest(9)
    assert (hacked.source, given.score, given.scorer) == ("wire", 0.9, GIVEN)
    assert hacked.score < -0.5
    assert hacked.scorer == done.scorer
    assert (index.source, index.headline, index.score) == ("index", None, -0.1)
    again = import_news(store, path, NewsFormat(rescore=True), NOW).imported[0]
    assert (again.new, again.same, again.differing) == (0, 2, 1)
    assert store.newest(9)[1].score == 0.9


def test_every_bad_item_is_counted_with_its_reason(store: NewsStore, tmp_path: Path) -> None:
    path = lines(
        tmp_path / "wire.jsonl",
        {"ts": DAY + 1, "title": "good"},
        {"ts": DAY + 1, "title": "GOOD"},
        {"title": "no time"},
        {"ts": "soon", "title": "x"},
        {"ts": NOW + 1, "title": "tomorrow's"},
        {"ts": "2024-09-12", "title": "today's, no time of day"},
        {"ts": "2024-09-11", "title": "yesterday's"},
        {"ts": DAY + 1},
        {"ts": DAY + 1, "score": 7},
        {"ts": DAY + 5, "title": "late", "received": DAY + 4},
    )
    path.write_text(path.read_text() + "{broken\n")
    (done,) = import_news(store, path, NewsFormat(), NOW).imported
    assert (done.items, done.new, done.repeated, done.dated) == (11, 2, 1, 1)
    assert done.skipped == {
        "no time": 1,
        "a time that cannot be read": 1,
        "a publication in the future": 1,
        "today's date and no time of day: known when the day is over": 1,
        "neither headline nor score": 1,
        "a score outside -1 to 1 (--scale LOW:HIGH says otherwise)": 1,
        "a publication after its reception": 1,
        "a line that is no JSON object": 1,
    }
    assert [row.published_ms for row in store.newest(9)] == [DAY + 1, DAY]
    assert done.items == done.new + done.repeated + sum(done.skipped.values())


def test_a_file_of_which_nothing_can_be_used_is_refused(store: NewsStore, tmp_path: Path) -> None:
    path = lines(tmp_path / "bad.jsonl", {"title": "a", "ts": ""}, {"title": "b", "ts": NOW + 9})
    with pytest.raises(UserError, match="none of its items can be used: 1 with no time; 1 with"):
        import_news(store, path, NewsFormat(), NOW)
    good = lines(tmp_path / "good.jsonl", {"title": "a", "ts": DAY + 1})
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    report = import_news(store, tmp_path, NewsFormat(), NOW)
    assert [file.name for file in report.imported] == [good.name]
    assert [name for name, _ in report.refused] == ["bad.jsonl"]
    assert any("other.csv: no column for the time" in name for name in report.skipped)
    with pytest.raises(UserError, match="no such file"):
        import_news(store, tmp_path / "none.csv", NewsFormat(), NOW)


def test_what_it_is_about(store: NewsStore, tmp_path: Path) -> None:
    path = lines(
        tmp_path / "wire.jsonl",
        {"ts": DAY + 1, "title": "a", "symbols": ["BTC/USDT", "ETH"]},
        {"ts": DAY + 1, "title": "b"},
    )
    (done,) = import_news(store, path, NewsFormat(source="w"), NOW).imported
    assert (done.items, done.new) == (2, 3)
    assert {(row.headline, row.scope) for row in store.newest(9)} == {
        ("a", "BTC"), ("a", "ETH"), ("b", "")
    }  # fmt: skip
    import_news(store, path, NewsFormat(source="v", about=("SOL",)), NOW)
    assert {row.scope for row in store.newest(9) if row.source == "v"} == {"SOL"}


def test_a_feed_is_known_from_its_reception(store: NewsStore) -> None:
    content = rss(
        ("Old", "Thu, 12 Sep 2024 08:00:00 GMT"), ("From the future", "Fri, 13 Sep 2024 08:00 GMT")
    )
    feeds = [("wire", "http://x/rss", "btc")]
    (done,) = fetch_news(store, feeds, lambda: NOW, fetch=lambda _: content).imported
    assert (done.new, done.skipped) == (1, {"a publication in the future": 1})
    (row,) = store.newest(9)
    assert (row.source, row.scope, row.received_ms) == ("wire", "BTC", NOW)
    (done,) = fetch_news(store, feeds, lambda: NOW + DAY_MS, fetch=lambda _: content).imported
    assert (done.new, done.same) == (1, 1)
    assert store.newest(9)[1].received_ms == NOW


def test_a_broken_feed_stops_no_other(store: NewsStore) -> None:
    pages = {"http://good": rss(("Good", "Thu, 12 Sep 2024 08:00:00 GMT")), "http://none": rss()}

    def fetch(url: str) -> bytes:
        if url == "http://down":
            raise ExternalError("http://down answers 500")
        return pages.get(url, b"<html></html>")

    feeds = [(name, f"http://{name}", "") for name in ("down", "page", "none", "good")]
    report = fetch_news(store, feeds, lambda: NOW, fetch=fetch)
    assert [name for name, _ in report.refused] == ["down", "page"]
    assert [(file.name, file.new) for file in report.imported] == [("none", 0), ("good", 1)]


@pytest.mark.data
def test_the_real_headlines(store: NewsStore, ares_data: Path) -> None:
    report = import_news(store, ares_data / "news", NewsFormat(), NOW + 900 * DAY_MS)
    assert not report.refused
    headlines, wires, index = report.imported
    assert (headlines.items, headlines.new, headlines.dated) == (11_295, 11_293, 1_422)
    assert (wires.items, wires.new, wires.repeated) == (7_524, 7_522, 2)
    assert (index.new, index.dated, index.skipped) == (2_931, 2_931, {})
    assert {row.source for row in store.sources()} > {"CoinTelegraph", "fear_greed_daily"}
