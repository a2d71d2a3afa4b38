"""The bars of one instrument on their way to the engine: checked, in order, without a hole."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ares.domain.market_data import BarSeen
from ares.domain.timeframe import MINUTE_MS

Row = tuple[float, float, float, float, float]
"""Open, high, low, close, volume."""

GIVEN_KEPT = 240
"""So many of the newest bars are compared with what the venue says of them later."""

TRADED_KEPT = 16
WAITING_MAX = 10_000
"""More bars than these do not wait for one before them: they are fetched again."""

JUMP_MAX = 1.5
"""A bar whose close is so many times the one before, or a part of it, needs a trade of that
instrument at such a price: it may be another symbol's."""


@dataclass(slots=True)
class FeedLine:
    """One instrument.

    newest_ms  : closing instant of the newest bar that the engine was given.
    close      : its close; 0: unknown.
    waiting    : closed bars that were not given yet, by closing instant.
    given      : the newest bars that were given.
    checked_ms : up to here the venue's history was read: a minute without a bar had no trade.
    traded     : closing instants of the newest minutes with a trade that was seen, with its price.
    trade_ms   : venue time of the newest trade.
    absent     : it has no bar at the newest instant.
    """

    newest_ms: int
    close: float = 0.0
    waiting: dict[int, Row] = field(default_factory=dict)
    given: dict[int, Row] = field(default_factory=dict)
    checked_ms: int = 0
    traded: dict[int, float] = field(default_factory=dict)
    trade_ms: int = 0
    absent: bool = False

    def next_row(self, close_ms: int) -> Row | None:
        """Return the bar of an instant where it is the next one; None: not there, or a hole."""
        return self.waiting.get(close_ms) if self.newest_ms == close_ms - MINUTE_MS else None

    def flat(self) -> Row:
        """Return the bar of a minute without a trade."""
        return (self.close, self.close, self.close, self.close, 0.0)

    def give(self, close_ms: int, row: Row) -> None:
        """Note that the engine is given a bar."""
        self.waiting.pop(close_ms, None)
        self.newest_ms, self.close = close_ms, row[3]
        self.given[close_ms] = row
        while len(self.given) > GIVEN_KEPT:
            del self.given[next(iter(self.given))]

    def start_at(self, open_ms: int) -> None:
        """Leave a hole that cannot be filled: the next bar is the one that opens then."""
        self.newest_ms = open_ms
        for close_ms in [ms for ms in self.waiting if ms <= open_ms]:
            del self.waiting[close_ms]

    def trade(self, ts_ms: int, price: float) -> None:
        """Note a trade."""
        self.trade_ms = max(self.trade_ms, ts_ms)
        close_ms = ts_ms // MINUTE_MS * MINUTE_MS + MINUTE_MS
        self.traded[close_ms] = price
        while len(self.traded) > TRADED_KEPT:
            del self.traded[min(self.traded)]

    def wrong(self, bar: BarSeen, now_ms: int, ahead_ms: int) -> str:
        """Return why a bar cannot be true; empty: it can.

        ahead_ms : the venue's clock may be so much ahead.
        """
        prices = (bar.open, bar.high, bar.low, bar.close)
        if bar.open_ms % MINUTE_MS or bar.open_ms <= 0:
            return f"a bar that opens at {bar.open_ms} is not on the minute"
        if not all(map(math.isfinite, (*prices, bar.volume))) or min(prices) <= 0.0:
            return f"prices {prices} and volume {bar.volume} are no bar"
        inside = bar.low <= min(bar.open, bar.close) and max(bar.open, bar.close) <= bar.high
        if not inside or bar.volume < 0.0:
            return f"prices {prices} and volume {bar.volume} are no bar"
        if bar.is_closed and bar.open_ms + MINUTE_MS > now_ms + ahead_ms:
            return f"the bar of {bar.open_ms} has closed before its time, {now_ms}"
        return ""

    def strange(self, bar: BarSeen) -> str:
        """Return why a bar of the stream may be another symbol's; empty: nothing says so."""
        close_ms = bar.open_ms + MINUTE_MS
        price = self.traded.get(close_ms)
        if price is not None and bar.volume > 0.0:
            room = 0.2 * (bar.high - bar.low) + 1e-3 * bar.close
            if not bar.low - room <= price <= bar.high + room:
                return f"a trade at {price:g} is not within {bar.low:g} to {bar.high:g}"
            return ""
        if self.close > 0.0 and close_ms - self.newest_ms <= 2 * MINUTE_MS:
            ratio = bar.close / self.close
            if not 1.0 / JUMP_MAX <= ratio <= JUMP_MAX:
                return f"a close of {bar.close:g} after {self.close:g}, without a trade there"
        return ""
