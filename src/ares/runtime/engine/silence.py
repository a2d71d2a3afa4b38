"""How long a symbol is usually silent: the gaps between its trades over 14 days."""

from __future__ import annotations

import numpy as np

from ares.domain.timeframe import DAY_MS, HOUR_MS

DAYS = 14
BINS = 48
FIRST_MS = 50.0
RATIO = 2.0 ** (1.0 / 2.0)
"""A gap of up to FIRST_MS is in the first bin; each following bin is RATIO times as long: the last
holds 9 days."""

GAPS_MIN = 100
"""With fewer gaps an hour of the day says nothing; all hours together are taken then."""

SILENT_MS_MIN = 30_000
TIMES_P99 = 5.0


class Silence:
    """Counts of the gaps of one symbol, 64 kB: by day, hour of the day and length."""

    def __init__(self) -> None:
        self._counts = np.zeros((DAYS, 24, BINS), np.uint32)
        self._day = -1
        self._trade_ms = 0

    def trade(self, ts_ms: int) -> None:
        """Take the next trade; an older one than before says nothing."""
        if ts_ms <= self._trade_ms:
            return
        day = ts_ms // DAY_MS
        if self._day >= 0:
            for passed in range(self._day + 1, min(day, self._day + DAYS) + 1):
                self._counts[passed % DAYS] = 0
        self._day = day
        if self._trade_ms:
            hour, gap_ms = ts_ms % DAY_MS // HOUR_MS, ts_ms - self._trade_ms
            length = max(0.0, np.log(gap_ms / FIRST_MS) / np.log(RATIO))
            self._counts[day % DAYS, hour, min(BINS - 1, int(np.ceil(length)))] += 1
        self._trade_ms = ts_ms

    def interrupt(self) -> None:
        """Forget the newest trade: the connection was lost, the gap says nothing of the market."""
        self._trade_ms = 0

    def limit_ms(self, now_ms: int, least_ms: float = SILENT_MS_MIN) -> float | None:
        """Return after how long without a trade an alarm is due; None: too little is known."""
        counts = self._counts[:, now_ms % DAY_MS // HOUR_MS].sum(axis=0)
        if counts.sum() < GAPS_MIN:
            counts = self._counts.sum(axis=(0, 1))
        total = int(counts.sum())
        if total < GAPS_MIN:
            return None
        k = int(np.searchsorted(np.cumsum(counts), 0.99 * total))
        return max(least_ms, TIMES_P99 * FIRST_MS * RATIO**k)

    def to_bytes(self) -> bytes:
        """Return everything that is known, for the next start."""
        return np.int64(self._day).tobytes() + self._counts.tobytes()

    @classmethod
    def of(cls, raw: bytes) -> Silence:
        """Return what ``to_bytes`` gave; nothing is known where it is of another layout."""
        made = cls()
        if len(raw) == 8 + made._counts.nbytes:
            made._day = int(np.frombuffer(raw[:8], np.int64)[0])
            made._counts = np.frombuffer(raw[8:], np.uint32).reshape(DAYS, 24, BINS).copy()
        return made
