"""Only a price that is watched for is posted, the newest, and not again and again."""

from __future__ import annotations

import math

from ares.domain.feed_events import PriceSeen
from ares.domain.market_data import TradeSeen
from ares.runtime.engine.watched_prices import AGAIN_MS, OLD_MS, WatchedPrices

NOW_MS = 1_000_000


def trade(i: int, price: float, ts_ms: int = NOW_MS) -> TradeSeen:
    return TradeSeen(i, ts_ms, price, 1.0)


def test_a_price_is_posted_at_or_below_what_is_watched() -> None:
    watched = [0, 9_701]
    prices = WatchedPrices(lambda: watched, (2, 2))
    assert prices.due(NOW_MS) == [], "no trade came yet"
    prices.take(trade(0, 0.01))
    prices.take(trade(1, 97.02))
    assert prices.due(NOW_MS) == []
    prices.take(trade(1, 97.01))
    assert prices.due(NOW_MS) == [PriceSeen(NOW_MS, 1, 9_701)]


def test_a_price_that_came_before_it_was_watched_counts_too() -> None:
    """A stop may be sent after the market has fallen, and nothing trades afterwards."""
    watched: list[int] = []
    prices = WatchedPrices(lambda: watched, (2,))
    prices.take(trade(0, 90.0))
    assert prices.due(NOW_MS) == []
    watched.append(9_500)
    assert prices.due(NOW_MS) == [PriceSeen(NOW_MS, 0, 9_000)]


def test_the_same_price_is_posted_again_only_after_a_while() -> None:
    prices = WatchedPrices(lambda: (9_500,), (2,), speed=2.0)
    prices.take(trade(0, 90.0))
    found = []
    for ms in (0, 1, int(AGAIN_MS), int(2 * AGAIN_MS)):
        prices.take(trade(0, 90.0, NOW_MS + ms))  # it goes on trading there
        found.append(prices.due(NOW_MS + ms))
    assert [len(events) for events in found] == [1, 0, 0, 1]
    prices.take(trade(0, 89.0, NOW_MS + int(2 * AGAIN_MS)))
    assert len(prices.due(NOW_MS + int(2 * AGAIN_MS))) == 1, "a new price at once"


def test_old_and_impossible_trades_change_nothing() -> None:
    prices = WatchedPrices(lambda: (9_500,), (2,))
    prices.take(trade(0, 96.0))
    for late in (trade(0, 90.0, NOW_MS - 1), trade(0, math.nan), trade(0, -1.0), trade(3, 90.0),
                 trade(-1, 90.0)):  # fmt: skip
        prices.take(late)
    assert prices.due(NOW_MS) == []


def test_a_price_of_long_ago_is_not_the_present_one() -> None:
    """After a mute stream a stop that was just placed counted as jumped."""
    prices = WatchedPrices(lambda: (9_500,), (2,))
    prices.take(trade(0, 90.0))
    assert prices.due(NOW_MS + int(OLD_MS) + 1) == []
    prices.take(trade(0, 90.0, NOW_MS + int(OLD_MS)))
    assert len(prices.due(NOW_MS + int(OLD_MS) + 1)) == 1


def test_without_instruments_nothing_is_watched() -> None:
    assert WatchedPrices().due(NOW_MS) == []
