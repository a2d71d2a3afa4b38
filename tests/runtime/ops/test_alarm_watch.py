"""Silence is an alarm: each fault is sent within 90 s, and a quiet week raises none."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.runtime.engine.stored_source import StoredSource

from ares.domain.events import BarsClosed, Event
from ares.domain.market_data import Backfill, Connected, Disconnected
from ares.domain.timeframe import DAY_MS, MINUTE_MS
from ares.kernel.bars import Bars
from ares.observe.component_health import EngineView
from ares.runtime.engine.assembler import Assembler
from ares.runtime.engine.clocks import RunningClock
from ares.runtime.engine.feed_rules import AssemblerRules, BackfillRequest
from ares.runtime.ops.alarm_watch import AlarmRules, AlarmWatch
from ares.runtime.ops.child import ChildEvent
from ares.runtime.ops.supervisor import HUNG_S, TURN_S, Liveness, ProcessStatus

START = 1_704_153_600_000
SENT_S = 90.0


class Engine:
    """What a supervisor sees of an engine, in virtual time; it is the looks, messages and beats."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.liveness: Liveness = "live"
        self.state = "running"
        self.view = EngineView("", START, 2, 2, venue_up=True)
        self.mb: float | OSError = 10_000.0
        self.bars = True
        self.sent = list[tuple[float, str]]()
        self.pulses = list[float]()
        self.lines = list[str]()
        rules = AlarmRules("paper", Path(), 60_000, 500.0)
        self.watch = AlarmWatch(
            rules, self, lambda: self.now_s, self.lines.append, self, self, self._free_mb
        )

    def _free_mb(self, _folder: Path) -> float:
        if isinstance(self.mb, OSError):
            raise self.mb
        return self.mb

    def newest(self, _now_s: float) -> tuple[float, EngineView | None]:
        return 1.0, self.view

    def put(self, _title: str, text: str) -> None:
        self.sent.append((self.now_s, text))

    def begin(self) -> bool:
        self.pulses.append(self.now_s)
        return True

    def stop(self) -> None: ...
    def close(self, _wait_s: float) -> None: ...
    def join(self, _wait_s: float) -> None: ...

    def turns(self, seconds: float) -> None:
        for _ in range(int(seconds / TURN_S)):
            self.now_s += TURN_S
            bars_ms = START + int(self.now_s // 60.0) * MINUTE_MS
            if self.bars and bars_ms != self.view.bars_ms:
                view = self.view
                self.view = EngineView(
                    view.problem, bars_ms, view.instruments, view.champions, view.venue_up
                )
            self.watch.turn(self.now_s, self.processes())

    def processes(self) -> tuple[ProcessStatus, ...]:
        return (ProcessStatus("engine", self.state, self.liveness, 7, 1, ""),)  # type: ignore[arg-type]

    def sent_after_s(self, began_s: float) -> float:
        """Return how long after an instant the first message was sent."""
        return next(at_s for at_s, text in self.sent) - began_s


def killed(engine: Engine) -> None:
    engine.watch.on_event(ChildEvent("engine", "died", 7, "ended by SIGKILL"))


def out_of_memory(engine: Engine) -> None:
    text = "ended by SIGKILL: the system was out of memory; started again in 0.5 s"
    engine.watch.on_event(ChildEvent("engine", "died", 7, text))


def mute(engine: Engine) -> None:
    engine.bars = False


def full(engine: Engine) -> None:
    engine.mb = 100.0


def unreadable(engine: Engine) -> None:
    engine.mb = OSError(errno.EIO, "Input/output error")


def hung(engine: Engine) -> None:
    """A hung loop: the supervisor sees it after HUNG_S, and kills it."""
    engine.bars = False
    engine.turns(HUNG_S)
    engine.liveness = "hung"
    engine.watch.on_event(ChildEvent("engine", "died", 7, "no sign of life for 30 s"))


def venue_lost(engine: Engine) -> None:
    engine.view = EngineView("", START, 2, 2, venue_up=False)


def database_gone(engine: Engine) -> None:
    engine.view = EngineView("cannot open ares.db")


FAULTS = (killed, out_of_memory, mute, full, unreadable, hung, venue_lost, database_gone)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_sent_within_90_seconds(fault: Callable[[Engine], None]) -> None:
    for offset_s in (0.0, 20.0, 59.0):  # of the minute
        engine = Engine()
        engine.turns(600.0 + offset_s)
        assert engine.sent == []
        began_s = engine.now_s
        fault(engine)
        engine.turns(120.0)
        assert engine.sent_after_s(began_s) <= SENT_S, (fault, engine.sent)


def test_its_end_is_a_message_too() -> None:
    engine = Engine()
    engine.turns(120.0)
    mute(engine)
    engine.turns(100.0)
    engine.bars = True
    engine.turns(100.0)
    texts = [text for _, text in engine.sent]
    assert texts[0].startswith("bars: no bar was processed for 75 s")
    assert texts[1].startswith("bars: well again after")
    assert len(texts) == 2


def test_the_off_box_heartbeat_is_once_a_minute_while_the_engine_lives_and_has_bars() -> None:
    engine = Engine()
    engine.turns(600.0)
    assert 10 <= len(engine.pulses) <= 11
    for silence in ("dead", "hung", "starting"):
        engine.liveness = silence
        before = len(engine.pulses)
        engine.turns(300.0)
        assert len(engine.pulses) == before, silence
    engine.liveness = "live"
    engine.turns(120.0)
    before = len(engine.pulses)
    assert before >= 12
    mute(engine)
    engine.turns(600.0)
    assert len(engine.pulses) <= before + 2


def test_what_a_person_stopped_is_no_alarm() -> None:
    engine = Engine()
    engine.turns(60.0)
    engine.state, engine.liveness = "stopped", "dead"
    engine.turns(600.0)
    assert engine.sent == []


def test_a_start_that_takes_its_time_is_no_alarm() -> None:
    engine = Engine()
    engine.liveness, engine.bars = "starting", False
    engine.turns(250.0)
    engine.liveness, engine.bars = "live", True
    engine.turns(250.0)
    assert engine.sent == []


def test_health_is_in_the_log() -> None:
    engine = Engine()
    engine.turns(60.0)
    assert engine.lines == ["Health check passed (3 consecutive)"]
    assert engine.watch.checks_in_a_row == 6
    engine.liveness = "dead"
    engine.turns(10.0)
    assert "Health check failed: model_manager: the engine does not live" in engine.lines[1]


# --- a week ------------------------------------------------------------------------------------

DAYS = 7
HICCUP_S_MAX = 8.0


def quiet_market(seed: int, share: float) -> Bars:
    """Return candles of a week in which most minutes have no trade."""
    draw, n = np.random.default_rng(seed), DAYS * 1_440
    close = np.round(100.0 * np.exp(np.cumsum(draw.normal(0, 3e-5, n))), 2)
    opens = np.concatenate([[100.0], close[:-1]])
    ts_ms = START + MINUTE_MS * np.arange(n, dtype=np.int64)
    high, low = np.maximum(opens, close), np.minimum(opens, close)
    bars = Bars.make(ts_ms, opens, high, low, close, np.full(n, 0.1))
    return bars[draw.random(n) < share]


def feed_of(bars: Sequence[Bars], drops: Sequence[tuple[int, int]]) -> list[tuple[float, int]]:
    """Return when the engine's assembler gave each closing instant of a week, and which.

    A bar comes 0.4 s after its close; the venue sends heartbeats; history takes 3 s.
    """
    found = list[tuple[float, int]]()
    n, lost, asked = len(bars), False, list[tuple[int, BackfillRequest]]()
    assembler = Assembler(START, [START] * n, [100.0] * n, 0, AssemblerRules(cross_checked=False))
    source = StoredSource(bars, RunningClock(START, 1.0), START, lambda _: None)

    def take(events: Sequence[Event], now_ms: int) -> None:
        for event in events:
            if isinstance(event, BarsClosed) and event.kind in ("closing", "catch_up"):
                found.append(((now_ms - START) / 1_000.0, event.ts_ms))

    take(assembler.take(Connected(START + 1), START), START)
    for now_ms in ticks(drops):
        is_lost = any(first <= now_ms < end for first, end in drops)
        if is_lost != lost:
            change = Disconnected("reset") if is_lost else Connected(now_ms)
            take(assembler.take(change, now_ms), now_ms)
            lost = is_lost
        if not lost:
            if now_ms % MINUTE_MS == 400:
                for i in range(n):
                    for bar in source._between(i, now_ms - MINUTE_MS - 400, now_ms - 400):
                        take(assembler.take(bar, now_ms), now_ms)
            take(assembler.take(Connected(now_ms), now_ms), now_ms)
        take(assembler.advance(now_ms), now_ms)
        asked += [(now_ms + 3_000, request) for request in assembler.requests(now_ms)]
        for due_ms, request in [each for each in asked if each[0] <= now_ms]:
            asked.remove((due_ms, request))
            closed_ms = min(request.to_ms, now_ms // MINUTE_MS * MINUTE_MS)
            rows = tuple(source._between(request.instrument, request.from_ms, closed_ms))
            answer = Backfill(rows, request.from_ms, max(request.from_ms, closed_ms))
            take(assembler.backfilled(request, answer, now_ms), now_ms)
    return found


def ticks(drops: Sequence[tuple[int, int]]) -> Iterator[int]:
    """Yield the moments at which something happens: after each close, and around each drop."""
    n = DAYS * 1_440
    closes = [START + k * MINUTE_MS + ms for k in range(1, n) for ms in (400, 1_400, 2_500, 6_000)]
    around = [ms for first, end in drops for ms in range(first, end + 40_000, 1_000)]
    yield from sorted({*closes, *around})


@pytest.mark.slow
def test_a_simulated_week_on_quiet_markets_raises_no_alarm() -> None:
    """Silent minutes, a reconnect every few hours, a loop that stands still for seconds, locks."""
    draw = np.random.default_rng(11)
    bars = [quiet_market(1, 0.5), quiet_market(2, 0.1)]
    drops = []
    at_ms = START
    while (at_ms := at_ms + int(draw.uniform(2.0, 10.0) * 3_600_000)) < START + DAYS * DAY_MS:
        drops.append((at_ms, at_ms + int(draw.uniform(1_000, 20_000))))
    instants = feed_of(bars, drops)
    assert len(instants) >= 0.99 * DAYS * 1_440
    assert len(drops) > 15

    engine = Engine()
    engine.bars = False
    engine.turns(1.0)
    began_s, next_instant, locked_until_s, newest = engine.now_s, 0, 0.0, START
    for _ in range(DAYS * 17_280):
        engine.now_s += 5.0
        passed_s = engine.now_s - began_s
        if draw.random() < 5.0 / 3_600.0:  # a checkpoint, a backup
            locked_until_s = passed_s + draw.uniform(1.0, 30.0)
        while next_instant < len(instants) and instants[next_instant][0] <= passed_s:
            newest = instants[next_instant][1]
            next_instant += 1
        if next_instant == len(instants):
            break
        is_late = passed_s % 3_600.0 < HICCUP_S_MAX  # the engine writes its status late
        shown = engine.view.bars_ms if is_late else newest
        problem = "the database is locked" if passed_s < locked_until_s else ""
        engine.view = EngineView(problem, shown, 2, 2, venue_up=True)
        engine.watch.turn(engine.now_s, engine.processes())
    assert passed_s > (DAYS - 0.1) * 86_400.0
    assert engine.sent == []
