"""External series of a model: which values count, from when on they are known, and for how long.

A model carries these specs, so that a changed setting cannot change what the model is shown.
"""

from __future__ import annotations

import msgspec

from ares.domain.timeframe import HOUR_MS, MINUTE_MS

SENTIMENT = "sentiment"
"""The name of the series that is made of scored news."""


class SentimentSpec(msgspec.Struct, frozen=True):
    """Scored news as decayed means.

    sources    : names of the sources that count; none: all.
    delay_ms   : a row of news is known so long after its publication.
    half_life_hours : of the fast, the middle and the slow mean.
    stale_ms   : with nothing published for so long, the columns are NaN: the model scores
                 without them.
    """

    sources: tuple[str, ...] = ()
    delay_ms: int = 5 * MINUTE_MS
    half_life_hours: tuple[float, float, float] = (6.0, 24.0, 72.0)
    stale_ms: int = 72 * HOUR_MS

    @property
    def name(self) -> str:
        """Return what the series is called."""
        return SENTIMENT


class ValueSpec(msgspec.Struct, frozen=True):
    """A stored series as its last known value, the change to it, and its age.

    name     : as it was imported.
    stale_ms : as for ``SentimentSpec``.
    """

    name: str
    stale_ms: int = 72 * HOUR_MS


SeriesSpec = SentimentSpec | ValueSpec

ALL_SCOPES = ""
"""The scope of a value that is about every instrument."""


class SeriesValue(msgspec.Struct, frozen=True):
    """One value of a series.

    known_ms : since when anyone can know it, at the earliest its publication.
    scope    : ALL_SCOPES, a base currency (``BTC``), a symbol (``BTC/USDT``) or a full key.
    """

    published_ms: int
    known_ms: int
    value: float
    scope: str = ALL_SCOPES


def all_series(sentiment: SentimentSpec | None, values: tuple[ValueSpec, ...]) -> tuple[
    SeriesSpec, ...
]:  # fmt: skip
    """Return the series in the order of their columns: sentiment, then the others.

    >>> [spec.name for spec in all_series(SentimentSpec(), (ValueSpec("funding"),))]
    ['sentiment', 'funding']
    """
    return values if sentiment is None else (sentiment, *values)
