"""Stored candles through the feed in real time: interrupted or not, the features are the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import numpy as np
from tests.runtime.engine.stored_source import StoredSource
from tests.runtime.engine.test_assembler_machine import Folded
from tests.runtime.engine.virtual_time import VirtualTime

from ares.domain.events import BarsClosed, Event, SeriesPublished
from ares.domain.feed_events import ALL, FeedChanged
from ares.domain.market_data import Backfill, BarSeen, Connected, MarketData, SkewSeen
from ares.domain.order_events import ClockSkewMeasured
from ares.domain.timeframe import MINUTE_MS
from ares.kernel.bars import Bars
from ares.kernel.features.observations import Observations
from ares.runtime.engine.assembler import Assembler
from ares.runtime.engine.feed_rules import AssemblerRules
from ares.runtime.engine.live_feed import LiveFeed
from ares.runtime.engine.series_feed import NO_SERIES, PolledSeries

START = 1_704_153_600_000
N = 3
SPEED = 60.0
RULES = AssemblerRules(cross_checked=False).at_speed(SPEED)


def candles(seed: int, n: int, keep: float = 1.0) -> Bars:
    draw = np.random.default_rng(seed)
    close = np.round(100.0 * np.exp(np.cumsum(draw.normal(0, 1e-3, n))), 2)
    opens = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(opens, close) + 0.01, np.minimum(opens, close) - 0.01
    ts_ms = START + MINUTE_MS * np.arange(n, dtype=np.int64)
    bars = Bars.make(ts_ms, opens, high, low, close, np.round(draw.random(n) + 0.1, 3))
    return bars[draw.random(n) < keep]


def feed(
    bars: Sequence[Bars], drops: Sequence[tuple[int, int]] = (), reference: int = 0
) -> list[Event]:
    """Return what a feed posts from its start to the end of the candles."""
    events: list[Event] = []
    time = VirtualTime(START, SPEED)
    clock = time.clock
    assembler = Assembler(START, [START] * N, [100.0] * N, reference, RULES)

    def connect(deliver: Callable[[MarketData], None]) -> StoredSource:
        return StoredSource(bars, clock, START, deliver, drops)

    time.run(LiveFeed(connect, assembler, clock).run(events.append))
    return events


def folded(events: Sequence[Event]) -> list[bytes]:
    found = Folded()
    for event in events:
        if isinstance(event, BarsClosed):
            present, flat = (np.frombuffer(x, np.bool_) for x in (event.present, event.flat))
            ohlcv = np.frombuffer(event.ohlcv).reshape(N, 5)
            found.take(event.ts_ms, present, ohlcv, flat)
    return found.to_bytes()


def test_an_outage_of_two_hours_changes_no_feature() -> None:
    bars = [candles(k, 190, 1.0 if k == 0 else 0.9) for k in range(N)]
    whole = feed(bars)
    drop = (START + 30 * MINUTE_MS, START + 150 * MINUTE_MS)
    broken = feed(bars, [drop])
    assert folded(broken) == folded(whole)
    closed = [e for e in broken if isinstance(e, BarsClosed)]
    missed = [e for e in closed if drop[0] <= e.ts_ms < drop[1]]
    assert {e.kind for e in missed} <= {"catch_up", "late"}
    assert [e.kind for e in closed if e.ts_ms < drop[0] - MINUTE_MS].count("closing") == 28
    states = [e.state for e in broken if isinstance(e, FeedChanged) and e.instrument == ALL]
    assert states[0] == "down"
    assert "up" in states
    instants = [e.ts_ms for e in closed if e.kind != "late"]
    assert instants == sorted(set(instants)), "no instant twice"
    assert instants[-1] == START + 190 * MINUTE_MS


class Scripted:
    """A source that says what a test gives it, and whose history is empty."""

    def __init__(self, deliver: Callable[[MarketData], None], values: Sequence[MarketData]) -> None:
        self._deliver, self._values = deliver, values
        self.closed = False

    async def run(self) -> None:
        for value in self._values:
            self._deliver(value)
        await asyncio.sleep(0.05)

    async def history(self, instrument: int, from_ms: int, to_ms: int) -> Backfill:
        del instrument, to_ms
        return Backfill((), from_ms, from_ms)

    async def close(self) -> None:
        self.closed = True


def scripted(values: Sequence[MarketData], series: PolledSeries | None = None) -> list[Event]:
    events: list[Event] = []
    time = VirtualTime(START + MINUTE_MS + 50)
    assembler = Assembler(START, [START], [100.0])
    made: list[Scripted] = []

    def connect(deliver: Callable[[MarketData], None]) -> Scripted:
        made.append(Scripted(deliver, values))
        return made[0]

    live = LiveFeed(connect, assembler, time.clock, series or NO_SERIES)
    time.run(live.run(events.append))
    assert made[0].closed
    return events


def test_the_measured_clock_is_posted() -> None:
    events = scripted([Connected(), SkewSeen(120)])
    assert [e.venue_ahead_ms for e in events if isinstance(e, ClockSkewMeasured)] == [120]


BAR = BarSeen(0, START, 100.0, 101.0, 99.0, 100.0, 1.0, True)


def test_external_series_come_before_the_bars_that_may_use_them() -> None:
    rows = Observations.of([(START + 5, START, 0.5, 0), (START + 10 * MINUTE_MS, START, 0.9, 0)])
    series = PolledSeries(lambda _after_ms: (rows,), START)
    series._take((rows,))
    events = scripted([Connected(), BAR], series)
    kinds = [type(e) for e in events if isinstance(e, BarsClosed | SeriesPublished)]
    assert kinds == [SeriesPublished, BarsClosed]
