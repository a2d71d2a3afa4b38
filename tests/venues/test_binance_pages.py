"""Rows since a time, whatever the days and pages; prices of fees."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from ares.venues import binance_pages
from ares.venues.answers import NoAnswer, Refused
from ares.venues.binance_pages import DAY_MS, FeePrices, SignedReads

NOW = 1_700_000_000_000
TRADES = "privateGetMyTrades"


class Venue:
    """Trades of one symbol, listed as Binance does."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.asked: list[dict[str, str]] = []
        self.answer: Any = None

    async def read(
        self, _name: str, parameters: Any, _rank: int, limit: str, _cost: float
    ) -> dict[str, Any]:
        assert limit == "weight"
        made = parameters() if callable(parameters) else parameters
        self.asked.append(made)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            found: dict[str, Any] = self.answer
            return found
        low, high = int(made.get("startTime", 0)), int(made.get("endTime", 1 << 60))
        assert high - low < DAY_MS or "startTime" not in made
        first = int(made.get("fromId", 0))
        rows = [r for r in self.rows if low <= r["time"] <= high and r["id"] >= first]
        return {"rows": rows[: int(made["limit"])]}


def reads(venue: Venue) -> SignedReads:
    return SignedReads(venue, lambda parameters: {**parameters, "timestamp": "1"})  # type: ignore[arg-type]


def since(venue: Venue, from_ms: int) -> tuple[list[str], bool]:
    found, is_whole = asyncio.run(reads(venue).since(TRADES, "BTCUSDT", from_ms, NOW))
    return list(found), is_whole


@pytest.mark.parametrize("page", [2, 3, 100])
def test_all_rows_since_a_time_are_found(page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binance_pages, "PAGE", page)
    old, days = NOW - 9 * DAY_MS, (6, 6, 2, 1, 0)
    rows = [{"id": n, "time": NOW - day * DAY_MS - 5} for n, day in enumerate(days, 10)]
    venue = Venue([{"id": 1, "time": old - 5}, *rows])
    assert since(venue, old) == (["10", "11", "12", "13", "14"], True)
    assert all(asked["timestamp"] == "1" for asked in venue.asked)


def test_nothing_is_whole_too() -> None:
    assert since(Venue([]), NOW - 900_000) == ([], True)


def test_pages_without_end_are_not_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binance_pages, "PAGE", 1)
    monkeypatch.setattr(binance_pages, "PAGES_MAX", 3)
    rows = [{"id": n, "time": NOW - 5} for n in range(1, 9)]
    assert since(Venue(rows), NOW - 1_000) == (["1", "2", "3"], False)


def test_what_is_no_list_is_no_answer() -> None:
    venue = Venue([])
    venue.answer = {"unexpected": 1}
    with pytest.raises(NoAnswer, match="no list"):
        since(venue, NOW)


def test_a_price_is_that_of_the_minute_before_and_asked_for_once() -> None:
    venue = Venue([])
    venue.answer = {"rows": [[0, "1", "1", "1", "612.5", "9"]]}
    prices = FeePrices(venue)  # type: ignore[arg-type]

    async def run() -> list[Decimal | None]:
        return [await prices.at("BNB", "USDT", at) for at in (120_001, 179_999)]

    assert asyncio.run(run()) == [Decimal("612.5")] * 2
    ((asked),) = venue.asked
    assert (asked["symbol"], asked["endTime"]) == ("BNBUSDT", "119999")


def test_an_asset_that_is_not_traded_has_no_price() -> None:
    venue = Venue([])
    venue.answer = Refused("-1121 Invalid symbol.")
    assert asyncio.run(FeePrices(venue).at("X", "USDT", 1)) is None  # type: ignore[arg-type]
