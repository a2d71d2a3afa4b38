"""A row of news: a scored headline, or a bare score, with the time of its publication."""

from __future__ import annotations

import hashlib

import msgspec

MARKET = ""
"""The scope of news about the whole market."""


class NewsRow(msgspec.Struct, frozen=True):
    """One headline or score, about one base currency or the market.

    published_ms : ms since the epoch; of a date without a time of day, the end of that day.
    received_ms  : when a feed gave it to us; None: it comes from a file of the past.
    scope        : MARKET, or a base currency such as ``BTC``.
    score        : -1 (bad) to 1 (good).
    scorer       : who gave the score: ``vader 3.3.2``, or ``file`` where it was given.
    headline     : None where there is only a score.
    """

    published_ms: int
    source: str
    scope: str
    score: float
    scorer: str
    headline: str | None = None
    received_ms: int | None = None

    @property
    def hash(self) -> str:
        """Return the identity of a headline: upper case and spaces make no difference.

        >>> row = NewsRow(0, "wire", MARKET, 0.5, "file", "Bitcoin  rises")
        >>> row.hash == msgspec.structs.replace(row, headline="bitcoin rises").hash
        True
        """
        if self.headline is None:
            return ""
        return hashlib.sha256(" ".join(self.headline.casefold().split()).encode()).hexdigest()
