"""The two times of the server: wall time, and market time, which runs at a chosen speed."""

from __future__ import annotations

from collections.abc import Callable


class MarketClock:
    """Market time: it starts at ``from_ms`` and advances ``speed`` times as fast as wall time.

    wall_ms   : the machine's clock, ms since 1970.
    monotonic : seconds of a clock that is never set; market time follows it.

    >>> seconds = iter([100.0, 100.5])
    >>> MarketClock(60_000, 60.0, lambda: 0, lambda: next(seconds)).market_ms()
    90000
    """

    def __init__(
        self,
        from_ms: int,
        speed: float,
        wall_ms: Callable[[], int],
        monotonic: Callable[[], float],
    ) -> None:
        self.from_ms = from_ms
        self.speed = speed
        self.wall_ms = wall_ms
        self._monotonic = monotonic
        self._started_s = monotonic()

    def market_ms(self) -> int:
        """Return the market's time, ms since 1970."""
        return self.from_ms + int((self._monotonic() - self._started_s) * 1000.0 * self.speed)

    def wait_s(self, market_ms: int) -> float:
        """Return the seconds of wall time until ``market_ms``; negative when it has passed."""
        return (market_ms - self.market_ms()) / (1000.0 * self.speed)

    def monotonic_s(self) -> float:
        """Return the seconds since the server started, for what is measured in wall time."""
        return self._monotonic() - self._started_s
