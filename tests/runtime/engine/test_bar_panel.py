"""A feed is the union of its instruments' closing instants, and comes back from its events."""

from __future__ import annotations

import numpy as np

from ares.domain.events import BarsClosed
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.order_events import EventRefused, TimeReached
from ares.domain.timeframe import MINUTE_MS
from ares.journal.run import JournalEntry, encode_effects
from ares.kernel.bars import Bars
from ares.runtime.engine.bar_panel import ClosedBars, panel_of


def test_a_feed_is_the_union_of_its_closing_instants() -> None:
    minute = Bars.make(
        MINUTE_MS * np.arange(10, dtype=np.int64), *[np.full(10, float(k)) for k in (2, 3, 1, 2, 5)]
    )[np.arange(10) != 4]
    five = Bars.make(
        5 * MINUTE_MS * np.arange(2, dtype=np.int64),
        *[np.full(2, float(k)) for k in (7, 9, 6, 8, 1)],
    )
    specs = [InstrumentSpec(Instrument("test", s), 2, 1) for s in ("A/B", "C/B")]
    feed = panel_of([minute, five], [MINUTE_MS, 5 * MINUTE_MS], specs)
    assert (feed.close_ms // MINUTE_MS).tolist() == list(range(1, 11))
    assert feed.present[:, 0].tolist() == [True] * 4 + [False] + [True] * 5
    assert np.flatnonzero(feed.present[:, 1]).tolist() == [4, 9]
    assert feed.ticks[4].tolist() == [[0, 0, 0, 0], [700, 900, 600, 800]]
    assert feed.lots[:, 0].tolist() == [50] * 4 + [0] + [50] * 5
    assert not np.isnan(feed.ohlcv).any()
    closings = ClosedBars()
    for t in range(len(feed)):
        assert closings.add(JournalEntry(t + 1, feed.event(t, False), encode_effects(t + 1, [])))
    again = closings.panel_of(specs)
    for name in ("close_ms", "ohlcv", "present", "flat", "ticks", "lots"):
        assert np.array_equal(getattr(again, name), getattr(feed, name)), name


def test_what_the_engine_refused_is_not_in_the_feed() -> None:
    ohlcv = np.tile([2.0, 3.0, 1.0, 2.0, 5.0], (2, 1)).tobytes()
    closings = ClosedBars()
    refused: list[tuple[int, ...]] = [(), (-1,), (1,), (0, 1)]
    for k, instruments in enumerate(refused, 1):
        event = BarsClosed(k * MINUTE_MS, ohlcv, b"\1\1", b"\0\0")
        effects = encode_effects(k, [EventRefused(i, event.ts_ms, "no bar") for i in instruments])
        assert closings.add(JournalEntry(k, event, effects)) == (-1 not in instruments)
    assert not closings.add(JournalEntry(5, TimeReached(5), encode_effects(5, [])))
    feed = closings.panel_of([InstrumentSpec(Instrument("test", s), 2, 1) for s in ("A/B", "C/B")])
    assert (feed.close_ms // MINUTE_MS).tolist() == [1, 3, 4]
    assert feed.present.tolist() == [[True, True], [True, False], [False, False]]
    assert feed.ticks[:, 1].tolist() == [[200, 300, 100, 200], [0] * 4, [0] * 4]
