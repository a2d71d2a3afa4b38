"""Rules of the assembler, one by one."""

from __future__ import annotations

import numpy as np
import pytest

from ares.domain.events import BarsClosed, Event
from ares.domain.feed_events import ALL, BarCorrected, FeedChanged
from ares.domain.market_data import (
    Backfill,
    BarSeen,
    Connected,
    Disconnected,
    MarketData,
    SkewSeen,
    TradeSeen,
)
from ares.domain.order_events import ClockSkewMeasured
from ares.domain.timeframe import MINUTE_MS
from ares.runtime.engine.assembler import Assembler
from ares.runtime.engine.feed_rules import AssemblerRules, BackfillRequest

START = 1_704_153_600_000
LIVE = AssemblerRules()
PROVEN = AssemblerRules(cross_checked=False)


def at(minute: float) -> int:
    return START + round(minute * MINUTE_MS)


def bar(i: int, minute: int, close: float = 100.0, **more: float) -> BarSeen:
    """Return the bar of an instrument that closes so many minutes after the start."""
    values = {"open": 100.0, "high": max(close, 100.0) + 1, "low": min(close, 100.0) - 1}
    values |= {"volume": 5.0} | more
    row = (values["open"], values["high"], values["low"], close, values["volume"])
    return BarSeen(i, at(minute - 1), *row, is_closed=True)


class Feed:
    """An assembler of two instruments that is connected at the start."""

    def __init__(self, rules: AssemblerRules = LIVE, reference: int = -1, n: int = 2) -> None:
        self.assembler = Assembler(START, [START] * n, [100.0] * n, reference, rules)
        self.take(Connected(), START)

    def take(self, value: MarketData, now_ms: int) -> list[Event]:
        return self.assembler.take(value, now_ms)

    def minute(self, minute: int) -> list[Event]:
        """Deliver a minute of both instruments."""
        first = self.take(bar(0, minute), at(minute) + 10)
        return first + self.take(bar(1, minute), at(minute) + 20)

    def wait(self, minute: float) -> list[Event]:
        return self.assembler.advance(at(minute))

    def alive(self, minute: float) -> list[Event]:
        return self.take(Connected(at(minute)), at(minute) + 1)

    def answer(
        self, request: BackfillRequest, *bars: BarSeen, now: float, until: int = 0
    ) -> list[Event]:
        found = Backfill(bars, request.from_ms, until or request.to_ms)
        return self.assembler.backfilled(request, found, at(now))

    def requests(self, minute: float) -> list[BackfillRequest]:
        return self.assembler.requests(at(minute))


def bars_of(events: list[Event]) -> list[tuple[str, float, list[int]]]:
    """Return kind, minute and present instruments of the bars among events."""
    return [
        (
            e.kind,
            (e.ts_ms - START) / MINUTE_MS,
            np.flatnonzero(np.frombuffer(e.present, "?")).tolist(),
        )
        for e in events
        if isinstance(e, BarsClosed)
    ]


def changes(events: list[Event]) -> list[tuple[int, str]]:
    return [(e.instrument, e.state) for e in events if isinstance(e, FeedChanged)]


def test_an_instant_goes_out_when_all_bars_are_in() -> None:
    feed = Feed()
    assert feed.take(bar(0, 1), at(1) + 10) == []
    (event,) = feed.take(bar(1, 1, 101.5), at(1) + 900)
    assert isinstance(event, BarsClosed)
    assert (event.kind, event.ts_ms, event.present, event.flat) == (
        "closing", at(1), b"\1\1", b"\0\0",
    )  # fmt: skip
    assert np.frombuffer(event.ohlcv)[8] == 101.5
    assert bars_of(feed.minute(2)) == [("closing", 2, [0, 1])]


def test_it_waits_two_seconds_and_goes_on_without_the_missing_one() -> None:
    feed = Feed()
    feed.take(bar(0, 1), at(1) + 10)
    assert feed.assembler.advance(at(1) + 1_990) == []
    events = feed.assembler.advance(at(1) + 2_000)
    assert bars_of(events) == [("closing", 1, [0])]
    assert changes(events) == [(1, "absent")]
    assert bars_of(feed.take(bar(0, 2), at(2) + 5)) == [("closing", 2, [0])], "it is not waited for"


def test_a_late_bar_is_folded_in_order_and_its_instrument_is_back() -> None:
    feed = Feed()
    feed.take(bar(0, 1), at(1) + 10)
    feed.wait(1.1)
    feed.take(bar(0, 2), at(2) + 10)
    assert feed.take(bar(1, 2), at(2) + 20) == [], "the bar before it is missing"
    events = feed.take(bar(1, 1), at(2) + 30)
    assert bars_of(events) == [("late", 1, [1]), ("late", 2, [1])]
    assert changes(events) == [(1, "up")]
    assert bars_of(feed.minute(3)) == [("closing", 3, [0, 1])]


def test_the_wait_follows_the_wall_clock() -> None:
    feed = Feed(LIVE.at_speed(10.0))
    feed.take(bar(0, 1), at(1) + 10)
    assert feed.assembler.advance(at(1) + 19_900) == []
    assert bars_of(feed.assembler.advance(at(1) + 20_000)) == [("closing", 1, [0])]


# --- silent minutes ----------------------------------------------------------------------------


def test_a_silent_minute_is_flat_once_the_stream_is_alive_past_its_close() -> None:
    feed = Feed(PROVEN)
    feed.take(bar(0, 1, 100.5), at(1) + 10)
    feed.take(TradeSeen(0, at(1), 100.5, 1.0), at(1) + 15)
    assert feed.assembler.advance(at(1) + 20) == [], "at the close, not past it"
    (event,) = feed.take(TradeSeen(0, at(1) + 1, 100.5, 1.0), at(1) + 30)
    assert isinstance(event, BarsClosed)
    assert (event.present, event.flat) == (b"\1\1", b"\0\1")
    assert np.frombuffer(event.ohlcv)[5:].tolist() == [100.0] * 4 + [0.0]


def test_a_connection_of_the_middle_of_a_minute_proves_nothing_of_it() -> None:
    feed = Feed(PROVEN)
    feed.minute(1)
    feed.take(Disconnected("reset"), at(1.2))
    feed.take(Connected(), at(1.5))
    feed.take(bar(0, 2), at(2) + 10)
    assert bars_of(feed.alive(2.01)) == []


def test_the_venues_history_must_agree() -> None:
    feed = Feed()
    feed.take(bar(0, 1), at(1) + 10)
    assert feed.requests(1.001) == []
    assert feed.alive(1.005) == []
    (request,) = feed.requests(1.01)
    assert request == BackfillRequest(1, at(0), at(1))
    assert feed.requests(1.02) == [], "once"
    (event,) = feed.answer(request, now=1.02)
    assert isinstance(event, BarsClosed)
    assert event.flat == b"\0\1"


def test_a_minute_with_a_trade_is_never_flat() -> None:
    """The venue's history lags behind its trades."""
    feed = Feed()
    feed.take(TradeSeen(1, at(0.9), 100.0, 1.0), at(0.91))
    feed.take(bar(0, 1), at(1) + 10)
    feed.alive(1.005)
    (request,) = feed.requests(1.01)
    assert feed.answer(request, now=1.02) == []
    assert bars_of(feed.wait(1.04)) == [("closing", 1, [0])]
    (request,) = feed.requests(1.2)
    assert bars_of(feed.answer(request, bar(1, 1), now=1.21)) == [("late", 1, [1])]


def test_an_answer_before_the_stream_is_alive_past_the_close_proves_nothing() -> None:
    feed = Feed()
    feed.take(bar(0, 1), at(1) + 10)
    (request,) = feed.requests(1.01)
    assert feed.answer(request, now=1.02) == []
    assert changes(feed.wait(1.05)) == [(1, "absent")]


# --- gaps --------------------------------------------------------------------------------------


def test_a_gap_is_filled_before_anything_is_decided() -> None:
    feed = Feed()
    feed.minute(1)
    assert changes(feed.take(Disconnected("reset by peer"), at(1.5))) == [(ALL, "down")]
    assert feed.take(Disconnected("refused"), at(2.5)) == []
    assert feed.wait(3.2) == []
    assert feed.take(Connected(at(4.1)), at(4.1)) == []
    assert feed.take(bar(0, 5), at(5) + 10) == []
    assert feed.take(bar(1, 5), at(5) + 10) == []
    first, second = feed.requests(5.01)
    assert (first.from_ms, first.to_ms) == (at(1), at(5))
    assert feed.answer(first, *(bar(0, m) for m in (2, 3, 4)), now=5.02) == []
    events = feed.answer(second, *(bar(1, m) for m in (2, 3, 4)), now=5.03)
    assert bars_of(events) == [("catch_up", m, [0, 1]) for m in (2, 3, 4, 5)]
    ends = [e.catch_up_ends for e in events if isinstance(e, BarsClosed)]
    assert ends == [False, False, False, True]
    assert changes(events) == [(ALL, "up")]
    assert bars_of(feed.minute(6)) == [("closing", 6, [0, 1])]


def test_while_the_connection_is_lost_history_alone_values_and_never_decides() -> None:
    feed = Feed()
    feed.minute(1)
    feed.take(Disconnected("reset"), at(1.5))
    for minute in (2, 3):
        events: list[Event] = []
        for request in feed.requests(minute + 0.1):
            found = bar(request.instrument, minute)
            events += feed.answer(request, found, now=minute + 0.1)
        assert bars_of(events) == [("catch_up", minute, [0, 1])]
        assert [e.catch_up_ends for e in events if isinstance(e, BarsClosed)] == [True]


def test_an_instrument_whose_gap_stays_does_not_stop_the_others() -> None:
    feed = Feed()
    feed.minute(1)
    feed.take(Disconnected("reset"), at(1.5))
    feed.take(Connected(), at(2.2))
    feed.take(bar(0, 2), at(2.3))
    assert feed.wait(2.6) == []
    events = feed.wait(2.8)
    assert bars_of(events) == [("catch_up", 2, [0])]
    assert (1, "absent") in changes(events)
    assert bars_of(feed.take(bar(0, 3), at(3) + 10)) == [("closing", 3, [0])]
    assert bars_of(feed.take(bar(0, 4), at(4) + 10)) == [("closing", 4, [0])]


def test_nobody_goes_on_without_the_reference() -> None:
    feed = Feed(reference=0)
    feed.take(bar(1, 1), at(1) + 10)
    assert bars_of(feed.wait(1.2)) == []
    (request,) = feed.requests(1.2)
    assert request.instrument == 0
    assert bars_of(feed.answer(request, bar(0, 1), now=1.3)) == [("catch_up", 1, [0, 1])]


def test_a_failed_request_is_made_again_more_and_more_rarely() -> None:
    feed = Feed()
    feed.take(bar(0, 1), at(1) + 10)
    asked = []
    for k in range(2_000):
        now = 1.01 + k / 600
        for request in feed.requests(now):
            asked.append(now)
            feed.answer(request, now=now, until=request.from_ms)
    waits = np.diff(asked) * 60
    assert waits[0] == pytest.approx(5, abs=0.2)
    assert waits[-1] == pytest.approx(60, abs=0.2)
    assert sorted(waits.round()) == waits.round().tolist()


def test_a_hole_that_cannot_be_filled_is_left_and_shown() -> None:
    feed = Feed(AssemblerRules(warmup_ms=10 * 3_600_000))
    feed.minute(1)
    feed.take(Disconnected("reset"), at(1.5))
    feed.take(Connected(at(20)), at(20))
    first, second = feed.requests(20.1)
    feed.answer(first, *(bar(0, m) for m in range(2, 21)), now=20.2)
    found = Backfill(tuple(bar(1, m) for m in range(11, 21)), at(10), at(20))
    events = feed.assembler.backfilled(second, found, at(20.3))
    (detail,) = [e for e in events if isinstance(e, FeedChanged) and e.state == "absent"]
    assert detail.instrument == 1
    assert "features are complete again in 10 h" in detail.detail
    assert bars_of(events)[:10] == [("catch_up", m, [0]) for m in range(2, 11)] + [
        ("catch_up", 11, [0, 1])
    ]


def test_an_instant_that_is_seconds_late_is_caught_up() -> None:
    """The process stood still: what it would decide now is of the past."""
    feed = Feed()
    feed.minute(1)
    feed.take(bar(0, 2), at(2.3))
    events = feed.take(bar(1, 2), at(2.3))
    assert bars_of(events) == [("catch_up", 2, [0, 1])]
    assert bars_of(feed.minute(3)) == [("closing", 3, [0, 1])]


# --- what a feed may not do --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (bar(5, 2), "instrument 5"),
        (bar(0, 2, 0.0), "no bar"),
        (bar(0, 2, float("nan")), "no bar"),
        (bar(0, 2, volume=-1.0), "no bar"),
        (bar(0, 2, high=90.0), "no bar"),
        (bar(0, 9), "before its time"),
        (bar(0, 2, 60_000.0), "without a trade there"),
        (BarSeen(0, at(1) + 7, 1.0, 1.0, 1.0, 1.0, 1.0, True), "not on the minute"),
        (TradeSeen(0, at(9), 100.0, 1.0), "ahead"),
        (TradeSeen(0, at(1), 0.0, 1.0), "no trade"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_lie_is_refused_in_one_line(value: MarketData, detail: str) -> None:
    feed = Feed()
    feed.minute(1)
    (event,) = feed.take(value, at(2) + 5)
    assert isinstance(event, FeedChanged)
    assert event.state == "refused"
    assert detail in event.detail
    assert "\n" not in event.detail
    assert feed.take(value, at(2) + 6) == [], "once a minute"
    assert bars_of(feed.minute(2)) == [("closing", 2, [0, 1])]


def test_another_symbols_bar_does_not_fit_its_trades() -> None:
    feed = Feed()
    feed.take(TradeSeen(0, at(0.5), 100.0, 1.0), at(0.5))
    (event,) = feed.take(bar(0, 1, 120.0, open=120.0, low=119.0, high=121.0), at(1) + 5)
    assert isinstance(event, FeedChanged)
    assert "a trade at 100 is not within" in event.detail
    assert bars_of(feed.minute(1)) == [("closing", 1, [0, 1])]


def test_a_crash_that_trades_confirm_is_no_lie() -> None:
    feed = Feed()
    feed.take(TradeSeen(0, at(0.9), 50.0, 1.0), at(0.9))
    feed.take(bar(0, 1, 50.0), at(1) + 5)
    assert bars_of(feed.take(bar(1, 1), at(1) + 6)) == [("closing", 1, [0, 1])]


def test_a_changed_bar_is_reported_and_not_computed_again() -> None:
    feed = Feed()
    feed.minute(1)
    assert feed.take(bar(0, 1), at(1.1)) == [], "the same once more"
    (event,) = feed.take(bar(0, 1, 100.5), at(1.2))
    assert event == BarCorrected(
        at(1), 0, (100.0, 101.0, 99.0, 100.0, 5.0), (100.0, 101.5, 99.0, 100.5, 5.0)
    )
    assert feed.take(bar(0, 1, 100.5), at(1.3)) == [], "once"


def test_a_bar_that_changes_before_its_turn_is_taken_as_it_is() -> None:
    feed = Feed()
    feed.take(bar(0, 1), at(1) + 1)
    feed.take(bar(0, 1, 100.25), at(1) + 2)
    (event,) = feed.take(bar(1, 1), at(1) + 3)
    assert isinstance(event, BarsClosed)
    assert np.frombuffer(event.ohlcv)[3] == 100.25


def test_a_bar_that_is_being_built_is_not_taken() -> None:
    feed = Feed()
    forming = BarSeen(0, at(0), 100.0, 101.0, 99.0, 100.0, 1.0, is_closed=False)
    assert feed.take(forming, at(0.5)) == []
    assert feed.assembler.lines[0].waiting == {}


def test_the_clocks_difference_is_passed_on() -> None:
    assert Feed().take(SkewSeen(-40), at(0.5)) == [ClockSkewMeasured(at(0.5), -40)]


# --- silence -----------------------------------------------------------------------------------


def test_a_symbol_that_falls_silent_is_an_alarm_once() -> None:
    feed = Feed()
    for k in range(400):
        feed.take(TradeSeen(0, at(0.01) + k * 100, 100.0, 1.0), at(0.01) + k * 100)
    last = 0.01 + 39.9 / 60
    assert feed.wait(last + 0.49) == []
    (event,) = [e for e in feed.wait(last + 0.52) if isinstance(e, FeedChanged)]
    assert (event.instrument, event.state) == (0, "silent")
    assert "30 s is the limit" in event.detail
    assert changes(feed.wait(last + 0.6)) == []
    ts_ms = at(last + 0.7)
    assert changes(feed.take(TradeSeen(0, ts_ms, 100.0, 1.0), ts_ms)) == [(0, "up")]


def test_memory_is_bounded() -> None:
    feed = Feed(reference=0)
    for minute in range(1, 12_000):
        feed.take(bar(1, minute), at(minute) + 5)
    assert len(feed.assembler.lines[1].waiting) == 10_000
    assert feed.assembler.instant_ms == START
