"""1m bars made from public trades, for venues and stretches of time that have no candles."""

from __future__ import annotations

from decimal import Decimal

from ares.domain.market_data import BarSeen
from ares.domain.timeframe import MINUTE_MS

REMEMBERED = 20_000
"""Ids of the newest trades, so that a trade that is delivered twice counts once."""


class _Minute:
    """Prices and volume of one minute, its trades in any order."""

    def __init__(self, ts_ms: int, price: float) -> None:
        self.first = (ts_ms, price)
        self.last = (ts_ms, price)
        self.high = self.low = price
        self.volume = Decimal(0)

    def add(self, ts_ms: int, price: float, qty: float) -> None:
        if ts_ms < self.first[0]:
            self.first = (ts_ms, price)
        if ts_ms >= self.last[0]:
            self.last = (ts_ms, price)
        self.high, self.low = max(self.high, price), min(self.low, price)
        self.volume += Decimal(repr(qty))  # exact: the sum does not depend on the order


class TradeBars:
    """Bars of one instrument from its trades.

    since_ms : trades are complete from then on; the minute that it lies in, unless it begins
               it, and those before give no bars.

    >>> bars = TradeBars(0, since_ms=30_000)
    >>> bars.add("1", 45_000, 10.0, 1.0), bars.add("2", 61_000, 11.0, 0.1)
    ([], [BarSeen(instrument=0, open_ms=60000, open=11.0, high=11.0, low=11.0, close=11.0,
    volume=0.1, is_closed=False)])
    """

    def __init__(self, instrument: int, since_ms: int) -> None:
        self._instrument = instrument
        self._from_ms = -(-since_ms // MINUTE_MS) * MINUTE_MS
        self._minutes: dict[int, _Minute] = {}
        self._seen: dict[str, None] = {}
        self._newest_ms = 0

    def add(self, trade_id: str, ts_ms: int, price: float, qty: float) -> list[BarSeen]:
        """Take a trade and return the bars that it changes or closes, oldest first."""
        open_ms = ts_ms - ts_ms % MINUTE_MS
        if trade_id:
            if trade_id in self._seen:
                return []
            self._seen[trade_id] = None
            if len(self._seen) > REMEMBERED:
                del self._seen[next(iter(self._seen))]
        if open_ms < self._from_ms:
            return []
        minute = self._minutes.setdefault(open_ms, _Minute(ts_ms, price))
        minute.add(ts_ms, price, qty)
        changed = {open_ms}
        if open_ms > self._newest_ms:
            changed |= {self._newest_ms} & set(self._minutes)
            self._newest_ms = open_ms
        bars = [self._bar(key) for key in sorted(changed)]
        for old in [key for key in self._minutes if key < self._newest_ms - 10 * MINUTE_MS]:
            del self._minutes[old]
        return bars

    def _bar(self, open_ms: int) -> BarSeen:
        minute = self._minutes[open_ms]
        return BarSeen(
            self._instrument,
            open_ms,
            minute.first[1],
            minute.high,
            minute.low,
            minute.last[1],
            float(minute.volume),
            open_ms < self._newest_ms,
        )
