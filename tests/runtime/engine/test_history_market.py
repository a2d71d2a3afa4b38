"""Stored bars in virtual time: fills within a bar, deadlines between bars, then the close."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec
import numpy as np
from tests.core.conftest import TwoInstruments

from ares.adapters.simulated_venue import OpenOrder, SimulatedVenue
from ares.core.models import NO_MODELS
from ares.core.orders import Request
from ares.core.stretch import StretchSteps
from ares.domain.events import BarsClosed, Effect, Event
from ares.domain.order_events import (
    AccountSeen,
    ExecutionBooked,
    OrderFilled,
    SubmitOrder,
    TimeReached,
)
from ares.domain.stretch import BarsStretch
from ares.domain.timeframe import MINUTE_MS
from ares.domain.venue import SIMULATED, VenueTraits
from ares.kernel.bar_aggregation import ClosingBars
from ares.kernel.stretch import KnownBars
from ares.runtime.engine.bar_panel import BarPanel
from ares.runtime.engine.history_market import HistoryMarket, VirtualClock, open_orders
from ares.runtime.engine.loop import Loop

ACCOUNT_MS = 25_000
PROMPT = SIMULATED
ASKED = msgspec.structs.replace(SIMULATED, account_ms=ACCOUNT_MS)


def panel_of(start_ms: int, rows: Sequence[Sequence[int]]) -> BarPanel:
    """Return bars of open, high, low, close in ticks: of both instruments the same."""
    n = len(rows)
    ticks = np.repeat(np.array(rows, np.int64)[:, None, :], 2, axis=1)
    ohlcv = np.concatenate([ticks / 100.0, np.full((n, 2, 1), 50.0)], axis=2)
    close_ms = start_ms + MINUTE_MS * np.arange(1, n + 1, dtype=np.int64)
    present, flat = np.ones((n, 2), np.bool_), np.zeros((n, 2), np.bool_)
    return BarPanel(close_ms, ohlcv, present, flat, ticks, np.full((n, 2), 50_000, np.int64), 2)


class Market:
    """A history market of two instruments; keeps every event with the engine's time."""

    def __init__(self, rows: Sequence[Sequence[int]], traits: VenueTraits = PROMPT) -> None:
        self.two = TwoInstruments(traits)
        state = self.two.state
        self.clock = VirtualClock(self.two.at_ms)
        self.events: list[tuple[int, Event]] = []
        self.effects_of: list[Effect] = []
        self.stretches: list[BarsStretch] = []
        inbox = deque[Event]()
        self.venue = SimulatedVenue(state.params, 2, inbox.append, self.clock.now_ms)
        self.loop = Loop(state, self, self.venue, NO_MODELS, self.clock, inbox, [self.watch])
        self.market = HistoryMarket(self.loop, self.venue, self.clock)
        self.feed = panel_of(self.two.at_ms, rows)

    def event(
        self, seq: int, event: Event, at_ms: int = 0, causation: int = 0, correlation: int = 0
    ) -> None:
        self.events.append((at_ms - self.two.start_ms, event))

    def effects(self, seq: int, effects: list[Effect]) -> None:
        """Keep nothing: ``watch`` does."""

    def stretch(self, stretch: BarsStretch) -> None:
        self.stretches.append(stretch)

    def sync(self) -> None:
        """Nothing is durable here."""

    def watch(self, _seq: int, _event: Event, effects: list[Effect]) -> None:
        self.effects_of += effects

    def enter(self, lots: int = 10) -> str:
        """Send an entry, as a decision does, to the venue too."""
        client_id = self.two.enter(0, lots)
        order = self.two.state.orders[client_id]
        head = (client_id, 0, order.kind, order.lots, 0, order.reason, 0.6, 9.0, 100.0, 10_000)
        self.venue.send(SubmitOrder(*head))
        self.loop.drain()
        return client_id

    def play(self, warming: bool = False) -> None:
        for t in range(len(self.feed)):
            self.market.instant(self.feed, t, warming)

    def times(self, kind: type) -> list[int]:
        return [at_ms for at_ms, event in self.events if isinstance(event, kind)]


CALM = (10_000, 10_010, 9_990, 10_000)


def test_a_clock_is_set_by_what_happens_and_never_goes_back() -> None:
    clock = VirtualClock(5)
    clock.advance(9)
    clock.advance(3)
    assert clock.now_ms() == 9


def test_each_bar_closes_at_its_time() -> None:
    m = Market([CALM] * 3)
    m.play()
    assert m.times(BarsClosed) == [MINUTE_MS, 2 * MINUTE_MS, 3 * MINUTE_MS]
    assert not m.times(TimeReached), "the venue answers at once: nothing is ever due"


def test_an_entry_fills_at_the_next_open_and_its_stop_within_the_same_bar() -> None:
    m = Market([CALM, (10_000, 10_010, 9_800, 9_850)])
    m.market.instant(m.feed, 0, False)
    m.enter()
    m.market.instant(m.feed, 1, False)
    fills = [(at_ms, e.lots) for at_ms, e in m.events if isinstance(e, OrderFilled)]
    assert fills == [(MINUTE_MS, 10), (MINUTE_MS, -10)], "at the bar's open time, before its close"
    assert m.times(BarsClosed)[-1] == 2 * MINUTE_MS
    assert m.two.held() == 0
    booked = [e for e in m.effects_of if isinstance(e, ExecutionBooked)]
    assert [e.lots for e in booked] == [10, -10]
    assert booked[1].price_ticks <= 9_900 < booked[0].price_ticks


def test_a_missing_bar_fills_nothing() -> None:
    m = Market([CALM])
    m.feed.present[0, 0] = False
    m.enter()
    m.play()
    assert not m.times(OrderFilled)
    m.feed.present[0, 0] = True


def test_the_warm_up_fills_nothing() -> None:
    m = Market([CALM])
    m.enter()
    m.play(warming=True)
    assert not m.times(OrderFilled)


def test_a_restart_between_open_and_close_does_not_fill_the_open_again() -> None:
    m = Market([CALM])
    m.two.state.last_fill_ms[0] = m.two.start_ms
    m.enter()
    m.play()
    assert not m.times(OrderFilled), "an order of after the open waits for the next one"


def test_deadlines_are_reached_at_their_time_before_the_close() -> None:
    m = Market([CALM] * 3, ASKED)
    m.two.state.account_due_ms = m.loop.due_ms = m.two.start_ms + ACCOUNT_MS
    m.play()
    reached = m.times(TimeReached)
    assert reached == list(range(ACCOUNT_MS, 3 * MINUTE_MS, ACCOUNT_MS))
    assert m.times(AccountSeen) == reached, "the simulated venue answers at once"
    times = [at_ms for at_ms, _ in m.events]
    assert times == sorted(times)
    assert not m.two.state.differences


def known_of(m: Market) -> KnownBars:
    feed = m.feed
    bars = ClosingBars(feed.present, feed.ohlcv, feed.flat)
    shape = (len(feed), *m.two.state.packages.shape)
    lows = np.ascontiguousarray(feed.ticks[:, :, 2])
    return KnownBars(feed.close_ms, bars, lows, np.full(shape, np.nan), 0)


def stretch(m: Market, t: int, until_ms: int = 2**62) -> int:
    steps = StretchSteps(m.two.state, NO_MODELS, ends_with_trade=False)
    return m.market.stretch(steps, known_of(m), t, until_ms)


def test_a_stretch_goes_on_to_the_end_and_sets_the_clock() -> None:
    m = Market([CALM] * 5)
    assert stretch(m, 0) == 5
    assert [len(part) for part in m.stretches] == [5]
    assert m.clock.now_ms() == m.two.start_ms + 5 * MINUTE_MS
    assert not m.events


def test_a_stretch_ends_before_its_time_and_before_a_deadline() -> None:
    m = Market([CALM] * 5)
    assert stretch(m, 0, m.two.start_ms + 3 * MINUTE_MS) == 2
    m.loop.due_ms = m.two.start_ms + 4 * MINUTE_MS
    assert stretch(m, 2) == 2, "what is due at a close is due after it"
    assert stretch(m, 4) == 0


def test_a_stretch_ends_before_an_order_is_filled_or_its_stop_reached() -> None:
    m = Market([CALM, CALM, CALM, (10_000, 10_010, 9_800, 9_850), CALM])
    assert stretch(m, 0, m.two.start_ms + 2 * MINUTE_MS) == 1
    m.enter()
    assert stretch(m, 1) == 0, "an entry waits for the open"
    m.market.instant(m.feed, 1, False)
    assert m.two.held() == 10
    assert stretch(m, 2) == 1, "its stop rests untouched, and is reached in the bar after"
    m.market.instant(m.feed, 3, False)
    assert m.two.held() == 0
    assert stretch(m, 4) == 1


def test_no_stretch_begins_before_the_clock() -> None:
    m = Market([CALM] * 2)
    m.clock.advance(m.two.start_ms + 90_000)
    assert stretch(m, 0) == 0


def test_open_orders_are_what_a_venue_must_hold() -> None:
    two = TwoInstruments()
    stop = two.hold(0)
    two.fill(stop, -4)
    entry = two.enter(1)
    two.state.orders[entry].cancel = Request.SENT
    assert open_orders(two.state) == [
        OpenOrder(stop, 0, "stop", -6, 9_900, -4, triggered=True, cancelled=False),
        OpenOrder(entry, 1, "entry", 10, 0, 0, triggered=False, cancelled=True),
    ]
