"""Which candle of a stream is closed, from updates that name only their open time.

ccxt hands on a candle's numbers and drops whether the venue has ended it. A candle is closed once
a later one of the same instrument has come. Its volume only grows: an update with less is late.
"""

from __future__ import annotations

from collections.abc import Sequence

from ares.domain.market_data import BarSeen

REMEMBERED = 5
"""Newest candles that a late update may still correct."""


class CandleUpdates:
    """The candles of one instrument.

    only_closed : the venue sends candles once they are closed.

    >>> updates = CandleUpdates(0)
    >>> [bar.is_closed for bar in updates.add([60_000, 1, 2, 1, 2, 5])]
    [False]
    >>> [(bar.open_ms, bar.is_closed) for bar in updates.add([120_000, 2, 2, 2, 2, 1])]
    [(60000, True), (120000, False)]
    """

    def __init__(self, instrument: int, *, only_closed: bool = False) -> None:
        self._instrument, self._only_closed = instrument, only_closed
        self._bars: dict[int, BarSeen] = {}

    def connected(self) -> None:
        """A new connection: the candle that ran when the last one broke is not closed by it."""
        self._bars.clear()

    def add(self, row: Sequence[float | None]) -> list[BarSeen]:
        """Take an update: open time, open, high, low, close, volume; return what it changes."""
        if row[0] is None or None in row[1:5]:
            return []
        open_ms, opened, high, low, close = (row[0], *(float(cell or 0.0) for cell in row[1:5]))
        volume = float(row[5] or 0.0)
        newest_ms = max(self._bars, default=int(open_ms))
        held = self._bars.get(int(open_ms))
        if held is not None and volume < held.volume:
            return []
        is_closed = self._only_closed or open_ms < newest_ms
        bar = BarSeen(self._instrument, int(open_ms), opened, high, low, close, volume, is_closed)
        if bar == held:
            return []
        before = self._bars.get(newest_ms) if open_ms > newest_ms else None
        self._bars[int(open_ms)] = bar
        for old in sorted(self._bars)[:-REMEMBERED]:
            del self._bars[old]
        if before is None or before.is_closed:
            return [bar]
        ended = _closed(before)
        self._bars[newest_ms] = ended
        return [ended, bar]


def _closed(bar: BarSeen) -> BarSeen:
    return BarSeen(
        *(bar.instrument, bar.open_ms, bar.open, bar.high, bar.low, bar.close, bar.volume),
        is_closed=True,
    )
