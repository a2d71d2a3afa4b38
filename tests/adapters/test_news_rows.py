"""Times, scores and names of news in the forms that people store them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from ares.adapters.news_rows import NewsItemError, bases_of, fields_of, item_of, time_of
from ares.domain.timeframe import DAY_MS, HOUR_MS

DAY = 1_726_099_200_000  # 2024-09-12
AT = DAY + 8 * HOUR_MS + 30_000


@pytest.mark.parametrize(
    "cell",
    [
        AT,
        AT / 1000,
        AT * 1000,
        AT * 1_000_000,
        str(AT),
        "2024-09-12T08:00:30Z",
        "2024-09-12 08:00:30",
        "2024/09/12 08:00:30",
        "2024-09-12 08:00:30 UTC",
        "2024-09-12T10:00:30+02:00",
        "Thu, 12 Sep 2024 08:00:30 GMT",
        "Thu, 12 Sep 2024 04:00:30 -0400",
        "Thu, 12 Sep 2024 04:00:30 EDT",
        "Thursday, 12 September 2024 03:00:30 EST",
        "12 Sep 2024 08:00:30",
        "Thu, 12 Sep 2024 08:00:30 -0000",
        datetime(2024, 9, 12, 8, 0, 30),  # noqa: DTZ001 - a naive one is what is tried
        datetime(2024, 9, 12, 9, 0, 30, tzinfo=timezone(timedelta(hours=1))),
    ],
)
def test_one_instant_in_many_forms(cell: Any) -> None:
    assert time_of(cell) == (AT, False)


@pytest.mark.parametrize(
    "cell",
    [
        DAY,
        "2024-09-12",
        "2024-09-12 00:00:00",
        "20240912",
        date(2024, 9, 12),
        datetime(2024, 9, 12, tzinfo=UTC),
    ],
)
def test_a_date_counts_from_the_end_of_its_day(cell: Any) -> None:
    assert time_of(cell) == (DAY + DAY_MS, True)


@pytest.mark.parametrize(
    ("cell", "midnight"),
    [
        ("Thu, 12 Sep 2024 00:00:00 -0400", DAY + 4 * HOUR_MS),
        ("2024-09-12T00:00:00+09:00", DAY - 9 * HOUR_MS),
        (datetime(2024, 9, 12, tzinfo=timezone(timedelta(hours=-7))), DAY + 7 * HOUR_MS),
    ],
)
def test_midnight_of_another_zone_is_a_date_too(cell: Any, midnight: int) -> None:
    assert time_of(cell) == (midnight + DAY_MS, True)


@pytest.mark.parametrize(
    "cell",
    [
        "12 Sep 2024 8:00 PM GMT",  # half a day early, were the PM not seen
        "Thu, 12 Sep 2024 08:00:00 HST",  # ten hours early as UTC
        "Thu, 12 Sep 2024 08:00:00 BRT",
        "Thu, 12 Sep 2024 08:00:00 GMT-5",
        "2024-09-12 08:00 HST",
        "2024-09-12 08:00 PM",
        "Sep 12, 2024 8:00 PM",
        "Thursday, September 12, 2024 08:00 AM EDT",
        "09/12/2024 08:00",
    ],
)
def test_a_time_is_not_read_as_an_earlier_one(cell: str) -> None:
    with pytest.raises(NewsItemError, match="cannot be read"):
        time_of(cell)


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        (None, "no time"),
        ("  ", "no time"),
        (float("nan"), "no time"),
        ("yesterday", "cannot be read"),
        ("12:30", "cannot be read"),
        (-5, "cannot be read"),
        (float("inf"), "cannot be read"),
        (1e30, "cannot be read"),
        (10**400, "cannot be read"),
        ("32 Foo 2024", "cannot be read"),
        ("1969-12-31", "cannot be read"),
        ("2024-13-45", "cannot be read"),
        (True, "cannot be read"),
    ],
)
def test_what_is_no_time(cell: Any, fault: str) -> None:
    with pytest.raises(NewsItemError, match=fault):
        time_of(cell)


def test_columns_are_found_by_their_usual_names() -> None:
    assert fields_of(["Published At", "Title", "Compound", "Coin"]) == {
        "published": "Published At", "headline": "Title", "score": "Compound", "about": "Coin"
    }  # fmt: skip
    assert fields_of(["date", "ts", "text", "headline"])["published"] == "ts"
    assert fields_of(["a", "b"]) == {}


def score(cells: dict[str, Any], scale: tuple[float, float] | None = None) -> float | None:
    return item_of({"ts": AT, **cells}, fields_of(["ts", *cells]), scale).score


def test_scores_are_brought_to_one_scale() -> None:
    assert score({"score": "-0.5"}) == -0.5
    assert score({"fear_greed": 75}) == 0.5
    assert score({"score": 3}, (1.0, 5.0)) == 0.0
    assert score({"score": 5}, (5.0, 1.0)) == -1.0
    assert score({"score": None, "title": "x"}) is None
    assert score({"score": float("nan"), "title": "x"}) is None
    for bad, fault in (
        ({"score": 2.0}, "outside -1 to 1"),
        ({"score": "good"}, "no number"),
        ({"score": 10**400}, "no number"),
    ):
        with pytest.raises(NewsItemError, match=fault):
            score(bad)
    with pytest.raises(NewsItemError, match="neither headline nor score"):
        score({"title": "  "})


@pytest.mark.parametrize("given", ["negative", 7, 10**400, None, -0.5])
def test_a_headline_that_is_scored_here_needs_no_score(given: Any) -> None:
    cells = {"ts": AT, "title": "x", "score": given}
    item = item_of(cells, fields_of(list(cells)), None, rescore=True)
    assert (item.headline, item.score) == ("x", None)
    bare = {"ts": AT, "title": None, "score": 0.5}
    assert item_of(bare, fields_of(list(bare)), None, rescore=True).score == 0.5


def test_what_a_terminal_would_obey_is_left_out() -> None:
    cells = {"ts": AT, "title": "\x1b[31mred\x07 \u202eback \ud83d", "source": "\x1b[1mwire"}
    item = item_of(cells, fields_of(list(cells)), None)
    assert (item.headline, item.source) == ("[31mred back", "[1mwire")


def test_a_reception_without_a_time_of_day_is_over_with_the_day() -> None:
    cells = {"ts": AT, "title": "x", "received": "2024-09-12"}
    assert item_of(cells, fields_of(list(cells)), None).received_ms == DAY + DAY_MS


def test_who_and_what_it_is_about() -> None:
    fields = fields_of(["ts", "title", "source", "symbols", "received"])
    cells = {"ts": AT, "title": " a  b\n", "source": " The  Wire ", "symbols": "btc/usdt ETH,btc"}
    item = item_of({**cells, "received": AT + 5}, fields, None)
    assert (item.headline, item.source, item.about) == ("a b", "The Wire", ("BTC", "ETH"))
    assert item.received_ms == AT + 5
    assert bases_of(["sol-usd"]) == ("SOL",)
    assert bases_of("!!") == ()
    assert len(item_of({**cells, "title": "x" * 9_999}, fields, None).headline or "") == 500
