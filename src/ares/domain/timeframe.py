"""The six timeframes that Ares trades on, aligned to UTC."""

from __future__ import annotations

from enum import StrEnum

from ares.domain.errors import UserError

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


class Timeframe(StrEnum):
    """The length of a bar; bars open at multiples of it since the epoch.

    >>> Timeframe.H1.ms
    3600000
    >>> [t.value for t in Timeframe]
    ['1m', '5m', '15m', '1h', '4h', '1d']
    """

    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"

    @property
    def ms(self) -> int:
        """Return the length in milliseconds."""
        return _MS[self]

    @classmethod
    def parse(cls, text: str) -> Timeframe:
        """Return the timeframe called ``text``, or raise UserError with the valid names."""
        try:
            return cls(text)
        except ValueError:
            names = ", ".join(t.value for t in cls)
            raise UserError(f"unknown interval '{text}': use one of {names}") from None


_MS = {
    Timeframe.M1: MINUTE_MS,
    Timeframe.M5: 5 * MINUTE_MS,
    Timeframe.M15: 15 * MINUTE_MS,
    Timeframe.H1: HOUR_MS,
    Timeframe.H4: 4 * HOUR_MS,
    Timeframe.D1: DAY_MS,
}
