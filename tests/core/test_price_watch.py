"""The prices that the engine is told of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ares.core.price_watch import watched_ticks
from ares.domain.feed_events import PriceSeen
from ares.domain.order_events import EventRefused

if TYPE_CHECKING:
    from tests.core.conftest import TwoInstruments


def test_the_highest_limit_of_an_instrument_is_watched(two_of: type[TwoInstruments]) -> None:
    two = two_of(msgspec.structs.replace(two_of().setup.traits, stop_limit_bps=200))
    assert watched_ticks(two.state) == ()
    first = two.hold(0)
    two.hold(1)
    two.state.orders[first].price_ticks = 5_000
    assert watched_ticks(two.state) == (4_899, 9_701)


def test_a_price_of_no_instrument_is_refused(two: TwoInstruments) -> None:
    for instrument, ticks in ((2, 5), (-1, 5), (0, 0)):
        effects = two.take(PriceSeen(two.at_ms, instrument, ticks))
        assert [type(effect) for effect in effects] == [EventRefused]
