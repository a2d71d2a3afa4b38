"""The book: sorted, around the last price; a client that applies the updates has the same book."""

from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st

from ares.sim.serve.book import Book, Level, book_at, changes, checksum


def applied(levels: list[Level], updates: list[Level], depth: int, *, is_bid: bool) -> list[Level]:
    """Apply updates one by one and cut to the depth after each, as the strictest client does."""
    held = dict(levels)
    for price, lots in updates:
        if lots:
            held[price] = lots
        else:
            held.pop(price, None)
        held = dict(sorted(held.items(), reverse=is_bid)[:depth])
    return sorted(held.items(), reverse=is_bid)


@given(
    st.lists(st.integers(1, 10**7), min_size=2, max_size=8),
    st.sampled_from([10, 25, 100, 500]),
    st.integers(0, 10**6),
)
def test_updates_lead_from_each_book_to_the_next(
    prices: list[int], depth: int, first_id: int
) -> None:
    held = Book([], [])
    for k, ticks in enumerate(prices):
        after = book_at(ticks, prices[0], first_id + k, 1_000, 10**8).top(depth)
        bids = changes(held.bids, after.bids, depth, is_bid=True)
        asks = changes(held.asks, after.asks, depth, is_bid=False)
        assert applied(held.bids, bids, depth, is_bid=True) == after.bids
        assert applied(held.asks, asks, depth, is_bid=False) == after.asks
        held = after


def test_a_book_lies_around_the_last_price() -> None:
    book = book_at(3_700_000, 3_700_000, 7, 1_000, 10**8)
    assert all(price < 3_700_000 for price, _ in book.bids)
    assert all(price > 3_700_000 for price, _ in book.asks)
    assert len(book.bids) == len(book.asks) == 100
    assert all(lots > 0 and lots % 1_000 == 0 for _, lots in book.bids + book.asks)


def test_most_levels_outlive_a_trade() -> None:
    one, two = (book_at(3_700_000, 3_700_000, k, 1_000, 10**8) for k in (7, 8))
    assert 0 < len(changes(one.bids, two.bids, 100, is_bid=True)) < 20


def test_the_checksum_is_that_of_krakens_guide() -> None:
    """Asks first, ten levels, no points, no leading zeros."""
    book = Book([(4528350, 100_000)], [(4528520, 5_000), (4528640, 1)])
    wanted = zlib.crc32(b"45285205000" + b"45286401" + b"4528350100000")
    assert checksum(book, 2) == wanted
