"""What a model with sentiment was made with: which news count, from when on, and for how long."""

from __future__ import annotations

import msgspec

from ares.domain.timeframe import HOUR_MS, MINUTE_MS


class SentimentSpec(msgspec.Struct, frozen=True):
    """How news become columns. A model carries it, so that a changed setting cannot change what the
    model is shown.

    sources    : names of the sources that count; none: all.
    delay_ms   : a row of news is known so long after its publication.
    half_life_hours : of the fast, the middle and the slow mean.
    stale_ms   : with nothing published for so long, the columns are NaN: the model answers by
                 prices alone.
    """

    sources: tuple[str, ...] = ()
    delay_ms: int = 5 * MINUTE_MS
    half_life_hours: tuple[float, float, float] = (6.0, 24.0, 72.0)
    stale_ms: int = 72 * HOUR_MS
