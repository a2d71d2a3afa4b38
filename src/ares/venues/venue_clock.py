"""How far a venue's clock is ahead of the engine's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

WITHIN_MS = 250
"""The difference is known once its bounds are so close."""


async def ahead_of(
    ask_ms: Callable[[], Awaitable[int | None]],
    now_ms: Callable[[], int],
    samples: int = 5,
    apart_s: float = 0.37,
) -> int | None:
    """Return how far the venue's clock is ahead; None where it did not answer.

    One answer is not enough where the venue tells whole seconds (Kraken) or took long: each bounds
    the difference on both sides, and the bounds are intersected.
    """
    low, high = -float("inf"), float("inf")
    for sample in range(samples):
        if sample:
            await asyncio.sleep(apart_s)
        sent_ms = now_ms()
        venue_ms = await ask_ms()
        if venue_ms is None:
            return None
        resolution_ms = 1_000 if venue_ms % 1_000 == 0 else 1
        bounds = (venue_ms - now_ms(), venue_ms + resolution_ms - sent_ms)
        if bounds[0] > high or bounds[1] < low:  # a clock was set meanwhile
            low, high = bounds
        low, high = max(low, bounds[0]), min(high, bounds[1])
        if high - low <= WITHIN_MS:
            break
    return round((low + high) / 2)
