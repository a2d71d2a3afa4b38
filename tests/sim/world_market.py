"""The market of a world: prices that move within each minute, and the feed of its bars."""

from __future__ import annotations

from collections import deque
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from tests.sim.world_setup import START_MS, YEAR_MS, N

from ares.core.price_watch import watched_ticks
from ares.domain.events import BarsClosed
from ares.domain.feed_events import BarCorrected, PriceSeen
from ares.domain.timeframe import DAY_MS, MINUTE_MS
from ares.kernel.bars import F64

if TYPE_CHECKING:
    from tests.sim.world import World

FIRST_TICKS = 10_000
RECENT = 90
"""So many bars can be asked for again."""


class Market:
    """Two instruments that trade a few times a minute, until ``is_closed``."""

    def __init__(self, world: World, draw: Random) -> None:
        self._world, self._draw = world, draw
        self._schedule, self._chance, self._process = world.schedule, world.chance, world.process
        self.prices = [FIRST_TICKS] * N
        self.opens, self.lows, self.highs = [list(self.prices) for _ in range(3)]
        self.is_closed = False
        self.mute_bars = 0
        self._recent: deque[BarsClosed] = deque(maxlen=RECENT)

    def bar(self) -> None:
        """Let a minute pass: prices move through its open, low and close; then the bar comes."""
        self._schedule.after(MINUTE_MS, self.bar)
        if self.is_closed:
            return
        if self._happens("feed_mute"):
            self.mute_bars = self._world.draw.randint(2, 10)
        rows, here = [], bytearray()
        for i in range(N):
            bar = self.traded(i)
            if self._happens("bar_wrong"):
                bar[self._draw.randrange(4)] = self._draw.choice([0.0, -1.0, float("nan"), 1e12])
                if bar[1] == 1e12:
                    bar[0] = bar[3] = 1e12  # a bar of its own, and quite impossible
            rows.append(bar)
            here.append(not self._happens("bar_missing"))
        self.trade_a_minute()
        ts_ms = self._schedule.now_ms // MINUTE_MS * MINUTE_MS
        if self._happens("bar_wrong"):
            ts_ms += self._draw.choice([YEAR_MS, -MINUTE_MS])
        event = BarsClosed(ts_ms, np.array(rows).tobytes(), bytes(here), b"\0" * N)
        for i in range(N):
            if not here[i]:
                self._send_late(event, i)
        if self.mute_bars or not self._world.running:
            self.mute_bars = max(0, self.mute_bars - 1)
            self._recent.append(event)
        elif self._happens("bar_late"):
            self._schedule.after(
                self._world.draw.randint(1_000, 120_000), lambda: self._process(event)
            )
        else:
            self._catch_up()
            if ts_ms <= self._schedule.now_ms:
                self._recent.append(event)
            self._process(event)
        if self._happens("bar_corrected"):
            self._correct(event, np.array(rows))

    def show(self) -> None:
        """Post the newest price of an instrument where the engine watches for it."""
        if self.mute_bars or not self._world.running:
            return
        for i, watched in enumerate(watched_ticks(self._world.state)):
            if self.prices[i] <= watched:
                self._process(PriceSeen(self._world.now_ms(), i, self.prices[i]))

    def _happens(self, fault: str) -> bool:
        """Return whether a fault of the feed happens now.

        Features are cold for hours after a bar that is lost for ever: three quarters of each day
        have none, so that long worlds trade.
        """
        is_disturbed = (self._schedule.now_ms - START_MS) % DAY_MS < DAY_MS // 4
        return is_disturbed and self._chance.happens(fault)

    def _send_late(self, event: BarsClosed, instrument: int) -> None:
        """Send one instrument's bar minutes after its instant, also where newer ones came."""
        here = bytes(i == instrument for i in range(N))
        late = msgspec.structs.replace(event, present=here, kind="late")
        self._schedule.after(self._world.draw.randint(1, 150_000), lambda: self._process(late))

    def _catch_up(self) -> None:
        """Send what the engine missed while the feed was mute, or lost when its process ended; some
        bars are lost for ever.
        """
        missed = [event for event in self._recent if event.ts_ms > self._world.state.now_ms]
        for k, event in enumerate(missed):
            ends = k == len(missed) - 1
            if ends or not self._happens("bar_missing"):
                self._process(msgspec.structs.replace(event, kind="catch_up", catch_up_ends=ends))

    def _correct(self, event: BarsClosed, rows: F64) -> None:
        """Say that bars were changed, and send them again as if that were possible."""
        changed = rows * self._world.draw.choice([1.0, 1.01])
        for i in range(N):
            before, after = tuple(rows[i].tolist()), tuple(changed[i].tolist())
            self._process(BarCorrected(event.ts_ms, i, before, after))
        self._process(msgspec.structs.replace(event, ohlcv=changed.tobytes()))

    def traded(self, i: int) -> list[float]:
        """Return the bar of the minute that has passed: open, high, low, close, volume."""
        opened, close = self.opens[i], self.prices[i]
        low, high = min(self.lows[i], opened, close), max(self.highs[i], opened, close)
        return [opened / 100, high / 100, low / 100, close / 100, 400.0]

    def trade_a_minute(self) -> None:
        """Let both instruments trade at a few prices within the coming minute."""
        self.opens, self.lows, self.highs = [list(self.prices) for _ in range(3)]
        for i in range(N):
            for _ in range(self._draw.randint(1, 4)):
                wait_ms = self._draw.randint(1, MINUTE_MS - 1)
                self._schedule.after(wait_ms, partial(self._trade, i))

    def _trade(self, i: int) -> None:
        ticks = max(1_000, self.prices[i] + int(self._draw.gauss(0, 14)))
        if self._happens("price_jump"):
            ticks = max(1_000, int(ticks * self._draw.choice([0.88, 0.96, 1.04, 1.12])))
        self.prices[i] = ticks
        self.lows[i], self.highs[i] = min(self.lows[i], ticks), max(self.highs[i], ticks)
        self._world.venue.price(i, ticks)
