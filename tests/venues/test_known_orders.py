"""What the venue's ids of orders stand for, the newest of them."""

from __future__ import annotations

import pytest

from ares.venues import known_orders
from ares.venues.known_orders import KnownOrder, KnownOrders, sign_of


def test_the_newest_orders_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_orders, "KNOWN_MAX", 2)
    known, order = KnownOrders(), KnownOrder("a", 0, 1)
    for venue_id in ("1", "2", "1", "3"):
        known.add(venue_id, order)
    assert [known.get(venue_id) for venue_id in ("1", "2", "3")] == [order, None, order]


def test_a_side_is_read_as_the_venues_write_it() -> None:
    assert [sign_of(side) for side in ("buy", "BUY", "sell", "x", None)] == [1, 1, -1, 0, 0]
