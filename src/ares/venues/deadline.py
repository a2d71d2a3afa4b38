"""How long an order may still travel, by the venue's clock."""

from __future__ import annotations

from ares.venues.answers import NotSent


def left_ms(send_by_ms: int, venue_ms: int, speed: int, least_ms: int) -> int:
    """Return the wall time left before a deadline; raise NotSent for less than ``least_ms``.

    speed : of a rehearsal, in which the venue's clock is faster than the wall's.

    >>> left_ms(70_000, 10_000, 60, 500)
    1000
    """
    left = (send_by_ms - venue_ms) // speed
    if left < least_ms:
        raise NotSent(f"it waited too long here: {left} ms before its deadline")
    return left
