"""One item of news out of whatever names and forms its fields came in; a bad one names its fault.

A date without a time of day, or exactly midnight (which is how dates are stored), there or in UTC,
is taken for published at the end of that day: the earliest instant at which it surely was.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ares.adapters.news_text import one_line
from ares.adapters.table_files import MORE_CELLS
from ares.adapters.time_cells import TimeCellError, instant_of, is_empty
from ares.domain.timeframe import DAY_MS

HEADINGS = {
    "published": (
        *("published", "published_at", "published_ms", "publication_time", "pubdate", "ts"),
        *("ts_ms", "timestamp", "timestamp_ms", "datetime", "date_time", "time", "date", "unix"),
        *("created_at", "updated"),
    ),
    "received": ("received", "received_at", "received_ms", "fetched_at"),
    "headline": ("headline", "title", "short_description", "text", "summary", "description"),
    "score": ("score", "sentiment", "sentiment_score", "compound", "polarity"),
    "index": ("fear_greed", "fear_and_greed", "fng", "fng_value"),
    "source": ("source", "publisher", "provider", "site"),
    "about": ("symbol", "symbols", "ticker", "tickers", "asset", "coin", "currency", "about"),
}
"""Names of each field, the surest first; upper case, spaces, dots and dashes do not matter."""

HEADLINE_MAX = 500
SOURCE_MAX = 80


class NewsItemError(Exception):
    """Why an item cannot be used; few different texts, so that they can be counted."""


class NewsItem(NamedTuple):
    """One item of news; ``score`` None: its headline is to be scored.

    dated : it had a date only.      about : base currencies; none: the market.
    """

    published_ms: int
    dated: bool
    received_ms: int | None
    headline: str | None
    score: float | None
    source: str | None
    about: tuple[str, ...]


def fields_of(names: Sequence[str]) -> dict[str, str]:
    """Return the name of each field among a file's own names."""
    plain = {_plain(name): name for name in reversed(names)}
    return {
        field: next(plain[heading] for heading in headings if heading in plain)
        for field, headings in HEADINGS.items()
        if any(heading in plain for heading in headings)
    }


def item_of(
    cells: Mapping[str, Any],
    fields: Mapping[str, str],
    scale: tuple[float, float] | None,
    *,
    rescore: bool = False,
) -> NewsItem:
    """Return the item of a row.

    Raises NewsItemError where it has no time, or neither headline nor score.

    scale   : what stands for -1 and for 1; None: scores are -1 to 1, a fear-and-greed index 0 to
              100.
    rescore : where there is a headline, no score is looked at.
    """
    if cells.get(MORE_CELLS):
        raise NewsItemError(f"{MORE_CELLS} (quote what has a comma in it)")
    time = time_of(cells.get(fields.get("published", "")))
    received = cells.get(fields.get("received", ""))
    received_ms = None if is_empty(received) else time_of(received)[0]
    headline = _headline(cells.get(fields.get("headline", "")))
    score = None if rescore and headline is not None else _score(cells, fields, scale)
    if headline is None and score is None:
        raise NewsItemError("neither headline nor score")
    source = cells.get(fields.get("source", ""))
    return NewsItem(
        *time,
        received_ms,
        headline,
        score,
        None if is_empty(source) else one_line(str(source))[:SOURCE_MAX] or None,
        bases_of(cells.get(fields.get("about", ""))),
    )


def time_of(cell: Any) -> tuple[int, bool]:
    """Return (ms since the epoch, whether it was a date only), which is the end of its day.

    Raises NewsItemError where the cell is no time.

    >>> time_of("2024-09-12"), time_of("Thu, 12 Sep 2024 08:00:00 GMT")
    ((1726185600000, True), (1726128000000, False))
    """
    try:
        ms, midnight = instant_of(cell)
    except TimeCellError as fault:
        raise NewsItemError(str(fault)) from None
    dated = midnight or ms % DAY_MS == 0
    return (ms + DAY_MS if dated else ms), dated


def bases_of(cell: Any) -> tuple[str, ...]:
    """Return the base currencies named, in capitals.

    >>> bases_of("btc/usdt, ETH"), bases_of(None)
    (('BTC', 'ETH'), ())
    """
    if is_empty(cell):
        return ()
    parts = cell if isinstance(cell, list | tuple) else re.split(r"[,;|\s]+", str(cell))
    names = (re.split(r"[/\-:]", str(part).strip().upper())[0] for part in parts)
    return tuple(dict.fromkeys(name for name in names if re.fullmatch(r"[A-Z0-9.]{1,20}", name)))


def _score(
    cells: Mapping[str, Any], fields: Mapping[str, str], scale: tuple[float, float] | None
) -> float | None:
    for field, usual in (("score", (-1.0, 1.0)), ("index", (0.0, 100.0))):
        cell: Any = cells.get(fields.get(field, ""))
        if is_empty(cell):
            continue
        low, high = scale or usual
        try:
            value = (2.0 * float(cell) - (high + low)) / (high - low)
        except (TypeError, ValueError, OverflowError):
            raise NewsItemError(
                "a score that is no number (--rescore scores the headlines)"
            ) from None
        if math.isnan(value):
            continue
        if not -1.0 - 1e-9 <= value <= 1.0 + 1e-9:
            raise NewsItemError(
                f"a score outside {low:g} to {high:g} (--scale LOW:HIGH says otherwise)"
            )
        return min(1.0, max(-1.0, value))
    return None


def _headline(cell: Any) -> str | None:
    if is_empty(cell):
        return None
    return one_line(str(cell))[:HEADLINE_MAX] or None


def _plain(heading: str) -> str:
    return re.sub(r"[\s\-.]+", "_", str(heading).strip().strip('"').lower())
