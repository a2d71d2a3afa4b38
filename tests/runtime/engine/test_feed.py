"""A feed is the union of its instruments' closing instants, and comes back from its events."""

from __future__ import annotations

import numpy as np

from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.timeframe import MINUTE_MS
from ares.kernel.bars import Bars
from ares.runtime.engine.feed import ClosedBars, feed_of


def test_a_feed_is_the_union_of_its_closing_instants() -> None:
    minute = Bars.make(
        MINUTE_MS * np.arange(10, dtype=np.int64), *[np.full(10, float(k)) for k in (2, 3, 1, 2, 5)]
    )[np.arange(10) != 4]
    five = Bars.make(
        5 * MINUTE_MS * np.arange(2, dtype=np.int64),
        *[np.full(2, float(k)) for k in (7, 9, 6, 8, 1)],
    )
    specs = [InstrumentSpec(Instrument("test", s), 2, 1) for s in ("A/B", "C/B")]
    feed = feed_of([minute, five], [MINUTE_MS, 5 * MINUTE_MS], specs)
    assert (feed.close_ms // MINUTE_MS).tolist() == list(range(1, 11))
    assert feed.present[:, 0].tolist() == [True] * 4 + [False] + [True] * 5
    assert np.flatnonzero(feed.present[:, 1]).tolist() == [4, 9]
    assert feed.ticks[4].tolist() == [[0, 0, 0, 0], [700, 900, 600, 800]]
    assert feed.lots[:, 0].tolist() == [50] * 4 + [0] + [50] * 5
    assert not np.isnan(feed.ohlcv).any()
    closings = ClosedBars()
    for t in range(len(feed)):
        closings.add(feed.event(t, False))
    again = closings.feed_of(specs)
    for name in ("close_ms", "ohlcv", "present", "flat", "ticks", "lots"):
        assert np.array_equal(getattr(again, name), getattr(feed, name)), name
