"""From raw market data to closing instants: complete, in order, each decided on at most once.

Pure: time comes in with every call, and what is missing is requested by whoever calls. All times
are the market's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ares.domain.events import BarsClosed, BarsKind, Event
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
from ares.domain.utc import utc_text
from ares.runtime.engine.feed_line import WAITING_MAX, FeedLine, Row
from ares.runtime.engine.feed_rules import AssemblerRules, BackfillRequest
from ares.runtime.engine.silence import Silence

ASKED = 20
"""An instrument whose bars are on their way is waited for so many times longer."""

LATE_BARS_MAX = 1_000
"""Later bars would not find the reference's closes of their time any more."""


@dataclass(slots=True)
class _Asking:
    """The requests for one instrument: whether one is out, when the next may be made."""

    out: bool = False
    next_ms: float = 0.0
    wait_ms: float = 0.0


@dataclass(slots=True)
class _Watch:
    """What is observed of one instrument besides its bars."""

    silence: Silence
    is_silent: bool = False
    refused_ms: float = 0.0


class Assembler:
    """The feed of all instruments of a run.

    instant_ms : newest closing instant that the engine was given.
    newest_ms, closes : of each instrument's newest bar; a close of 0 is unknown.
    reference  : index of the instrument that others' features need first; -1: none.
    silences   : what is known of each instrument's usual silences; empty: nothing.
    """

    def __init__(
        self,
        instant_ms: int,
        newest_ms: Sequence[int],
        closes: Sequence[float],
        reference: int = -1,
        rules: AssemblerRules = AssemblerRules(),
        silences: Sequence[Silence] = (),
    ) -> None:
        self.instant_ms = instant_ms
        self.lines = [FeedLine(ms, close) for ms, close in zip(newest_ms, closes, strict=True)]
        self._n, self._reference, self._rules = len(self.lines), reference, rules
        self._asking = [_Asking() for _ in self.lines]
        known = silences or [Silence() for _ in self.lines]
        self._watches = [_Watch(silence) for _, silence in zip(self.lines, known, strict=True)]
        self._connected = self._announced = False
        self._since_ms = self._alive_ms = 0
        self._gap = True  # until it is known that nothing is missing
        self._gap_ms = 0.0
        self._order = sorted(range(self._n), key=lambda i: i != reference)

    @property
    def silences(self) -> list[Silence]:
        """Return what is known of each instrument's usual silences."""
        return [watch.silence for watch in self._watches]

    # --- what comes in -------------------------------------------------------------------------

    def take(self, value: MarketData, now_ms: int) -> list[Event]:
        """Take a raw value; return what follows for the engine."""
        found: list[Event] = []
        match value:
            case BarSeen():
                found = self._bar(value, now_ms)
            case TradeSeen():
                found = self._trade(value, now_ms)
            case Connected():
                if value.ts_ms is not None:
                    self._prove_alive(value.ts_ms, now_ms)
                if not self._connected:
                    self._connected, self._since_ms = True, now_ms
                    self._gap_ms = now_ms
                    self._ask_anew()
            case Disconnected():
                found = self._lost(value.reason, now_ms)
            case SkewSeen():
                return [ClockSkewMeasured(now_ms, value.venue_ahead_ms)]
        return found + self._release(now_ms)

    def advance(self, now_ms: int) -> list[Event]:
        """Let time pass; return what follows for the engine."""
        return self._alarms(now_ms) + self._release(now_ms)

    def backfilled(self, request: BackfillRequest, answer: Backfill, now_ms: int) -> list[Event]:
        """Take the answer to a request; return what follows for the engine."""
        i = request.instrument
        line, self._asking[i].out = self.lines[i], False
        found: list[Event] = []
        if answer.until_ms <= answer.from_ms:
            return found
        self._gap_ms = now_ms
        newest_open_ms = 0
        for bar in sorted(answer.bars, key=lambda bar: bar.open_ms):
            if bar.instrument != i or not answer.from_ms <= bar.open_ms < answer.until_ms:
                continue
            reason = line.wrong(bar, now_ms, int(self._rules.ahead_ms))
            if reason:
                found += self._refuse(i, reason, now_ms)
                continue
            newest_open_ms = bar.open_ms
            found += self._keep(i, bar)
        if answer.from_ms > line.newest_ms:
            found += self._leave_hole(i, answer.from_ms, now_ms, "are not at the venue")
        passed_ms = max(newest_open_ms + MINUTE_MS, max(line.waiting, default=0) - MINUTE_MS)
        alive_ms = (self._alive_ms - 1) // MINUTE_MS * MINUTE_MS
        line.checked_ms = max(line.checked_ms, min(answer.until_ms, max(passed_ms, alive_ms)))
        return found + self._release(now_ms)

    def requests(self, now_ms: int) -> list[BackfillRequest]:
        """Return which bars are to be fetched now; each is requested once until it is answered."""
        closed_ms = now_ms // MINUTE_MS * MINUTE_MS
        found: list[BackfillRequest] = []
        for i, (line, asking) in enumerate(zip(self.lines, self._asking, strict=True)):
            next_ms = line.newest_ms + MINUTE_MS
            if asking.out or next_ms > closed_ms or now_ms < asking.next_ms:
                continue
            if next_ms in line.waiting or self._is_silent(line, next_ms):
                continue
            is_behind = self._gap or line.newest_ms < self.instant_ms
            if not is_behind and now_ms < next_ms + self._rules.ask_ms:
                continue
            to_ms = min(closed_ms, line.newest_ms + self._rules.span_bars * MINUTE_MS)
            found.append(BackfillRequest(i, line.newest_ms, to_ms))
            rules = self._rules
            asking.wait_ms = min(2.0 * asking.wait_ms, rules.retry_max_ms) or rules.retry_ms
            asking.out, asking.next_ms = True, now_ms + asking.wait_ms
        return found

    # --- raw values ----------------------------------------------------------------------------

    def _bar(self, bar: BarSeen, now_ms: int) -> list[Event]:
        if not 0 <= bar.instrument < self._n:
            return self._refuse(ALL, f"a bar of instrument {bar.instrument} of {self._n}", now_ms)
        line = self.lines[bar.instrument]
        reason = line.wrong(bar, now_ms, int(self._rules.ahead_ms))
        if not reason and bar.is_closed:
            reason = line.strange(bar)
        if reason:
            return self._refuse(bar.instrument, reason, now_ms)
        return self._keep(bar.instrument, bar) if bar.is_closed else []

    def _keep(self, i: int, bar: BarSeen) -> list[Event]:
        """Keep a closed bar until its turn; say where it differs from the one that was given."""
        line, close_ms = self.lines[i], bar.open_ms + MINUTE_MS
        row: Row = (bar.open, bar.high, bar.low, bar.close, bar.volume)
        if close_ms > line.newest_ms:
            if len(line.waiting) < WAITING_MAX:
                line.waiting[close_ms] = row
            return []
        before = line.given.get(close_ms)
        if before is None or all(map(_is_same, before, row)):
            return []
        line.given[close_ms] = row
        return [BarCorrected(close_ms, i, before, row)]

    def _trade(self, trade: TradeSeen, now_ms: int) -> list[Event]:
        i, rules = trade.instrument, self._rules
        if not 0 <= i < self._n or not trade.price > 0.0 or trade.ts_ms <= 0:
            return self._refuse(i if 0 <= i < self._n else ALL, f"no trade: {trade}", now_ms)
        if trade.ts_ms > now_ms + rules.ahead_ms:
            return self._refuse(i, f"a trade at {trade.ts_ms} is ahead of {now_ms}", now_ms)
        self._prove_alive(trade.ts_ms, now_ms)
        self.lines[i].trade(trade.ts_ms, trade.price)
        watch = self._watches[i]
        watch.silence.trade(trade.ts_ms)
        if not watch.is_silent or now_ms - trade.ts_ms > rules.silent_ms:
            return []  # an old trade that came late ends no silence
        watch.is_silent = False
        return [FeedChanged(now_ms, i, "up", "trades come again")]

    def _prove_alive(self, ts_ms: int, now_ms: int) -> None:
        if ts_ms <= now_ms + self._rules.ahead_ms:
            self._alive_ms = max(self._alive_ms, ts_ms)

    def _lost(self, reason: str, now_ms: int) -> list[Event]:
        if not self._connected and self._announced:
            return []
        self._connected, self._announced = False, True
        for watch in self._watches:
            watch.silence.interrupt()
        self._begin_gap(now_ms)
        return [FeedChanged(now_ms, ALL, "down", reason)]

    def _refuse(self, i: int, reason: str, now_ms: int) -> list[Event]:
        """Say what is refused, of each instrument once a minute: a feed may lie all the time."""
        watch = self._watches[max(i, 0)]
        if now_ms < watch.refused_ms:
            return []
        watch.refused_ms = now_ms + MINUTE_MS
        return [FeedChanged(now_ms, i, "refused", reason)]

    def _alarms(self, now_ms: int) -> list[Event]:
        """Say which symbols have been silent for much longer than is usual."""
        found: list[Event] = []
        for i, (line, watch) in enumerate(zip(self.lines, self._watches, strict=True)):
            silent_ms = now_ms - line.trade_ms
            if watch.is_silent or not line.trade_ms or silent_ms <= self._rules.silent_ms:
                continue
            limit_ms = watch.silence.limit_ms(now_ms, self._rules.silent_ms)
            if self._connected and limit_ms is not None and silent_ms > limit_ms:
                watch.is_silent = True
                detail = (
                    f"no trade for {silent_ms / 1e3:.0f} s; {limit_ms / 1e3:.0f} s is the limit"
                )
                found.append(FeedChanged(now_ms, i, "silent", detail))
        return found

    # --- gaps ----------------------------------------------------------------------------------

    def _begin_gap(self, now_ms: int) -> None:
        if not self._gap:
            self._ask_anew()
        self._gap, self._gap_ms = True, now_ms

    def _ask_anew(self) -> None:
        for asking in self._asking:
            asking.next_ms = asking.wait_ms = 0.0

    def _leave_hole(self, i: int, from_ms: int, now_ms: int, why: str) -> list[Event]:
        line = self.lines[i]
        before = utc_text(line.newest_ms)
        line.start_at(from_ms)
        line.absent = True
        hours = self._rules.warmup_ms / 3_600_000
        detail = (
            f"bars from {before} to {utc_text(from_ms)} {why}: import them, or features are"
            f" complete again in {hours:.0f} h"
        )
        return [FeedChanged(now_ms, i, "absent", detail)]

    def _is_silent(self, line: FeedLine, close_ms: int) -> bool:
        """Return whether it is proven that a minute had no trade."""
        if line.close <= 0.0 or close_ms in line.traded:
            return False
        if self._rules.cross_checked or line.checked_ms >= close_ms:
            return line.checked_ms >= close_ms
        whole = self._connected and self._since_ms <= close_ms - MINUTE_MS
        return whole and self._alive_ms > close_ms

    # --- what goes out -------------------------------------------------------------------------

    def _release(self, now_ms: int) -> list[Event]:
        """Return every instant and late bar whose turn it is."""
        found = self._late(now_ms)
        while (close_ms := self.instant_ms + MINUTE_MS) <= now_ms:
            rows = self._rows(close_ms)
            if not self._may_pass(close_ms, rows, now_ms):
                break
            found += self._give(close_ms, rows, now_ms)
        return found + self._end_gap(now_ms)

    def _is_newest(self, close_ms: int, now_ms: int) -> bool:
        """Return whether the next instant is still to come, as far as a fast market lets see."""
        return close_ms + MINUTE_MS > now_ms - self._rules.behind_ms

    def _end_gap(self, now_ms: int) -> list[Event]:
        """End a gap once nothing is missing."""
        if not (self._gap and self._connected and self._is_newest(self.instant_ms, now_ms)):
            return []
        was_announced, self._gap, self._announced = self._announced, False, False
        return [FeedChanged(now_ms, ALL, "up")] if was_announced else []

    def _rows(self, close_ms: int) -> dict[int, tuple[Row, bool]]:
        """Return the bars of an instant that may go out, and whether each is of a silent minute."""
        rows: dict[int, tuple[Row, bool]] = {}
        for i, line in enumerate(self.lines):
            row = line.next_row(close_ms)
            if row is not None:
                rows[i] = (row, False)
            elif line.newest_ms == close_ms - MINUTE_MS and self._is_silent(line, close_ms):
                rows[i] = (line.flat(), True)
        return rows

    def _may_pass(self, close_ms: int, rows: dict[int, tuple[Row, bool]], now_ms: int) -> bool:
        """Return whether an instant goes out with these bars, or is waited for."""
        if not self._gap and now_ms - close_ms > self._rules.decide_ms:
            self._begin_gap(now_ms)
        missing = [i for i in range(self._n) if i not in rows and self._lacks(i, close_ms)]
        expected = [
            i for i in missing if self._gap or self.lines[i].newest_ms == close_ms - MINUTE_MS
        ]
        if rows and not expected:
            return self._reference not in missing
        rules = self._rules
        until_ms = close_ms + rules.wait_ms
        if self._gap:
            is_asked = any(self._asking[i].out for i in expected)
            until_ms = max(self._gap_ms, close_ms) + rules.gap_ms * (ASKED if is_asked else 1)
        if now_ms < until_ms:
            return False
        if rows and self._reference not in missing:
            return True
        if not self._gap:
            self._begin_gap(now_ms)
        return False

    def _lacks(self, i: int, close_ms: int) -> bool:
        return self.lines[i].newest_ms < close_ms

    def _give(self, close_ms: int, rows: dict[int, tuple[Row, bool]], now_ms: int) -> list[Event]:
        found: list[Event] = []
        if self._gap and not self._announced and not self._is_newest(close_ms, now_ms):
            self._announced = True
            found.append(FeedChanged(now_ms, ALL, "gap", f"bars since {utc_text(close_ms)}"))
        for i, line in enumerate(self.lines):
            if i not in rows and not line.absent and self._lacks(i, close_ms):
                line.absent = True
                detail = f"no bar of {utc_text(close_ms)}"
                found.append(FeedChanged(now_ms, i, "absent", detail))
        kind: BarsKind = "catch_up" if self._gap else "closing"
        ends = self._gap and self._is_newest(close_ms, now_ms)
        found.append(self._event(close_ms, rows, kind, ends))
        self.instant_ms = close_ms
        for i in rows:
            found += self._back(i, now_ms)
        return found + self._end_gap(now_ms)

    def _late(self, now_ms: int) -> list[Event]:
        """Return the bars of instants that have passed, the reference's first."""
        found: list[Event] = []
        for i in self._order:
            line = self.lines[i]
            if self.instant_ms - line.newest_ms > LATE_BARS_MAX * MINUTE_MS:
                found += self._leave_hole(i, self.instant_ms, now_ms, "came too late")
            while (close_ms := line.newest_ms + MINUTE_MS) <= self.instant_ms:
                row, is_flat = line.waiting.get(close_ms), False
                if row is None and self._is_silent(line, close_ms):
                    row, is_flat = line.flat(), True
                if row is None:
                    break
                found.append(self._event(close_ms, {i: (row, is_flat)}, "late", False))
            if line.newest_ms >= self.instant_ms:
                found += self._back(i, now_ms)
        return found

    def _back(self, i: int, now_ms: int) -> list[Event]:
        """Return that an instrument has no hole any more, where it had one."""
        line = self.lines[i]
        if not line.absent:
            return []
        line.absent = False
        return [FeedChanged(now_ms, i, "up", "no bar is missing")]

    def _event(
        self, close_ms: int, rows: dict[int, tuple[Row, bool]], kind: BarsKind, ends: bool
    ) -> BarsClosed:
        ohlcv = np.zeros((self._n, 5))
        present, flat = bytearray(self._n), bytearray(self._n)
        for i, (row, is_flat) in rows.items():
            ohlcv[i], present[i] = row, 1
            flat[i] = is_flat or row[4] == 0.0  # some venues send the bars of silent minutes
            self.lines[i].give(close_ms, row)
            self._asking[i].wait_ms = self._asking[i].next_ms = 0.0
        return BarsClosed(close_ms, ohlcv.tobytes(), bytes(present), bytes(flat), kind, ends)


def _is_same(a: float, b: float) -> bool:
    """Return whether two numbers of a venue are the same: sums of trades are rounded."""
    return math.isclose(a, b, rel_tol=1e-9)
