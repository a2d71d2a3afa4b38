"""Whatever a feed loses, doubles, reorders or changes: each bar comes once, and in order."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ares.domain.events import BarsClosed, Event
from ares.domain.feed_events import BarCorrected
from ares.domain.market_data import Backfill, BarSeen, Connected, Disconnected, TradeSeen
from ares.domain.timeframe import MINUTE_MS, Timeframe
from ares.kernel.bar_aggregation import (
    BarSeries,
    ClosingBars,
    FeatureRows,
    Intervals,
    aggregate_close,
    first_aggregates,
    first_reference_closes,
)
from ares.kernel.features import N_FEATURES, feature_state
from ares.runtime.engine.assembler import Assembler
from ares.runtime.engine.feed_rules import BackfillRequest

START_MS = 1_704_153_600_000
N = 3
FRAMES = (Timeframe.M1, Timeframe.M5)
Row = tuple[float, float, float, float, float]


class Venue:
    """The truth: bars of all minutes, of which some have no trade."""

    def __init__(self) -> None:
        self.draw = np.random.default_rng(5)
        self.price = [100.0] * N
        self.rows: list[dict[int, Row]] = [{} for _ in range(N)]  # by closing instant

    def minute(self, close_ms: int, silent: list[bool]) -> None:
        for i in range(N):
            if silent[i]:
                continue
            opened, close = self.price[i], round(self.price[i] + self.draw.normal() * 0.1, 2)
            high, low = max(opened, close) + 0.05, min(opened, close) - 0.05
            volume = round(float(self.draw.random()) + 0.1, 3)
            self.rows[i][close_ms] = (opened, high, low, close, volume)
            self.price[i] = close

    def seen(self, i: int, close_ms: int) -> BarSeen:
        return BarSeen(i, close_ms - MINUTE_MS, *self.rows[i][close_ms], is_closed=True)


class Folded:
    """The features that events lead to."""

    def __init__(self) -> None:
        tf_ms = np.array([frame.ms for frame in FRAMES])
        m = len(FRAMES)
        self.series = BarSeries(
            first_aggregates(N, m), feature_state(N * m, np.tile(tf_ms, N)),
            first_reference_closes(m),
        )  # fmt: skip
        self.intervals = Intervals(np.full(N, MINUTE_MS), tf_ms, 0)
        due = np.zeros((N, m), np.bool_)
        self.rows = FeatureRows(np.zeros((N, m, N_FEATURES), np.float32), due, due.copy())

    def take(self, close_ms: int, present: Any, ohlcv: Any, flat: Any) -> None:
        bars = ClosingBars(present.copy(), ohlcv.copy(), flat.copy())
        aggregate_close(close_ms, bars, self.intervals, self.series, self.rows)

    def to_bytes(self) -> list[bytes]:
        return [array.tobytes() for array in self.series]


class Feeds(RuleBasedStateMachine):
    """Any interleaving of what a connection does with the bars of a venue."""

    def __init__(self) -> None:
        super().__init__()
        self.venue = Venue()
        self.now_ms = START_MS + 100
        self.closed_ms = START_MS
        self.assembler = Assembler(START_MS, [START_MS] * N, [100.0] * N, reference=0)
        self.connected = False
        self.on_way: list[BarSeen] = []
        self.requests: list[BackfillRequest] = []
        self.events: list[Event] = []
        self.connect()

    def note(self, events: list[Event]) -> None:
        self.events += events
        self.requests += self.assembler.requests(self.now_ms)

    @rule(silent=st.lists(st.booleans(), min_size=N, max_size=N), rare=st.integers(0, 3))
    def pass_a_minute(self, silent: list[bool], rare: int) -> None:
        self.closed_ms += MINUTE_MS
        silent = [s and rare == 0 for s in silent]
        self.venue.minute(self.closed_ms, silent)
        self.now_ms = max(self.now_ms, self.closed_ms + 50)
        for i in range(N):
            if self.connected and not silent[i]:
                self.on_way.append(self.venue.seen(i, self.closed_ms))
                ts_ms = self.closed_ms - 500
                self.note(
                    self.assembler.take(TradeSeen(i, ts_ms, self.venue.price[i], 1.0), self.now_ms)
                )
        self.note(self.assembler.advance(self.now_ms))

    @rule(wait_ms=st.sampled_from([10, 700, 2_500, 20_000]))
    def wait(self, wait_ms: int) -> None:
        room_ms = self.closed_ms + MINUTE_MS - 1 - self.now_ms
        self.now_ms += max(0, min(wait_ms, room_ms))
        if self.connected:
            self.note(self.assembler.take(Connected(self.now_ms - 5), self.now_ms))
        self.note(self.assembler.advance(self.now_ms))

    @rule(place=st.integers(0, 50), times=st.integers(0, 2))
    def deliver(self, place: int, times: int) -> None:
        """Deliver any bar that is on its way: not at all, once or twice, in any order."""
        if not self.on_way:
            return
        bar = self.on_way.pop(place % len(self.on_way))
        for _ in range(times):
            self.note(self.assembler.take(bar, self.now_ms))

    @rule()
    def deliver_all(self) -> None:
        while self.on_way:
            self.note(self.assembler.take(self.on_way.pop(0), self.now_ms))

    @rule(n=st.integers(1, 3))
    def deliver_again(self, n: int) -> None:
        for i in range(N):
            for close_ms in list(self.venue.rows[i])[-n:]:
                self.note(self.assembler.take(self.venue.seen(i, close_ms), self.now_ms))

    @rule()
    def disconnect(self) -> None:
        self.connected = False
        self.on_way.clear()
        self.note(self.assembler.take(Disconnected("reset"), self.now_ms))

    @rule()
    def connect(self) -> None:
        self.connected = True
        self.note(self.assembler.take(Connected(), self.now_ms))

    @rule(i=st.integers(0, N - 1), factor=st.sampled_from([1.0, 1.001]))
    def correct(self, i: int, factor: float) -> None:
        """Change a bar after the engine was given it."""
        line = self.assembler.lines[i]
        known = [ms for ms in self.venue.rows[i] if ms in line.given]
        if known:
            o, h, low, c, v = self.venue.rows[i][known[-1]]
            row = (o, h * factor, low, c, v)
            changed = BarSeen(i, known[-1] - MINUTE_MS, *row, is_closed=True)
            self.note(self.assembler.take(changed, self.now_ms))

    @rule(kind=st.integers(0, 3))
    def lie(self, kind: int) -> None:
        ms = self.closed_ms
        lies = [
            BarSeen(7, ms, 1.0, 1.0, 1.0, 1.0, 1.0, True),
            BarSeen(1, ms - MINUTE_MS, 0.0, 0.0, 0.0, 0.0, 0.0, True),
            BarSeen(1, ms + 60 * MINUTE_MS, 1.0, 1.0, 1.0, 1.0, 1.0, True),
            BarSeen(1, ms - MINUTE_MS, 9e4, 9.1e4, 8e4, 9e4, 1.0, True),
        ]
        if kind < 3 or self.assembler.lines[1].newest_ms >= ms - 2 * MINUTE_MS:
            self.note(self.assembler.take(lies[kind], self.now_ms))

    @rule(failing=st.booleans(), place=st.integers(0, 9))
    def answer(self, failing: bool, place: int) -> None:
        """Answer one of the requests; a failing one with a part, or nothing."""
        if self.requests:
            request = self.requests.pop(place % len(self.requests))
            self._answer(request, failing)

    def _answer(self, request: BackfillRequest, failing: bool) -> None:
        i, from_ms, to_ms = request
        until_ms = (from_ms + to_ms) // 2 // MINUTE_MS * MINUTE_MS if failing else to_ms
        bars = [
            self.venue.seen(i, ms)
            for ms in self.venue.rows[i]
            if from_ms <= ms - MINUTE_MS < until_ms
        ]
        answer = Backfill(tuple(bars), from_ms, until_ms)
        self.note(self.assembler.backfilled(request, answer, self.now_ms))

    # --- what must hold ------------------------------------------------------------------------

    @invariant()
    def each_bar_is_given_once_and_in_order(self) -> None:
        newest, instant_ms = [START_MS] * N, START_MS
        for event in self.events:
            if not isinstance(event, BarsClosed):
                continue
            if event.kind == "late":
                assert event.ts_ms <= instant_ms
            else:
                assert event.ts_ms == instant_ms + MINUTE_MS, "no instant twice, none left out"
                instant_ms = event.ts_ms
                assert event.present[0], "nobody goes on without the reference"
            rows = np.frombuffer(event.ohlcv).reshape(N, 5)
            for i in range(N):
                if not event.present[i]:
                    continue
                assert event.ts_ms == newest[i] + MINUTE_MS, "nothing before its gap is filled"
                newest[i] = event.ts_ms
                truth = self.venue.rows[i].get(event.ts_ms)
                assert bool(event.flat[i]) == (truth is None)
                if truth is not None:
                    assert tuple(rows[i].tolist()) == truth
        assert instant_ms <= self.now_ms

    def teardown(self) -> None:
        """Fill every gap: the features are those of the unbroken feed."""
        self.on_way.clear()
        self.pass_a_minute([False] * N, 1)
        self.connect()
        for _ in range(40):
            self.now_ms += 3_000
            if self.now_ms >= self.closed_ms + MINUTE_MS:
                self.pass_a_minute([False] * N, 1)
                self.deliver_all()
            self.note(self.assembler.take(Connected(self.now_ms - 5), self.now_ms))
            while self.requests:
                self._answer(self.requests.pop(0), failing=False)
        self.each_bar_is_given_once_and_in_order()
        assert self.assembler.instant_ms == self.closed_ms
        assert [line.newest_ms for line in self.assembler.lines] == [self.closed_ms] * N
        broken, whole = Folded(), Folded()
        for event in self.events:
            if isinstance(event, BarsClosed):
                present = np.frombuffer(event.present, np.bool_)
                flat = np.frombuffer(event.flat, np.bool_)
                broken.take(event.ts_ms, present, np.frombuffer(event.ohlcv).reshape(N, 5), flat)
        closes = [100.0] * N
        for close_ms in range(START_MS + MINUTE_MS, self.closed_ms + 1, MINUTE_MS):
            flat = np.array([close_ms not in self.venue.rows[i] for i in range(N)])
            rows = [self.venue.rows[i].get(close_ms, (*[closes[i]] * 4, 0.0)) for i in range(N)]
            closes = [row[3] for row in rows]
            whole.take(close_ms, np.ones(N, np.bool_), np.array(rows), flat)
        assert broken.to_bytes() == whole.to_bytes()
        assert not [e for e in self.events if isinstance(e, BarCorrected) and e.before == e.after]


TestFeeds = Feeds.TestCase
TestFeeds.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)  # fmt: skip
