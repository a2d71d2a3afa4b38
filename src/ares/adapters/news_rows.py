"""One item of news out of whatever names and forms its fields came in; a bad one names its fault.

Times: epochs (s, ms, us, ns), ISO 8601, the dates of mails and feeds; without a zone they are UTC.
A date without a time of day, or exactly midnight (which is how dates are stored), there or in UTC,
is taken for published at the end of that day: the earliest instant at which it surely was. A zone
that is not known, or an hour of AM or PM, is no time: read wrongly it would be hours too early.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from ares.adapters.news_text import one_line
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
EARLIEST_MS = 946_684_800_000
"""2000-01-01: an earlier time is a mistake of its unit."""

MORE_CELLS = "more cells than columns"
"""The key of what a row has behind its last column; whatever is there, its cells are displaced."""

MAIL = re.compile(
    r"(?:[a-z]{3,9},?\s*)?\d{1,2}[\s-][a-z]{3,9}[\s-]\d{2,4}(?:\s+\d{1,2}:\d{2}(?::\d{2})?)?(.*)",
    re.IGNORECASE,
)
"""The date of a mail or a feed, and behind it the zone."""

ZONES = re.compile(r"|[+-]\d{2}:?\d{2}|UTC?|GMT|Z|[ECMP][SD]T|A[SD]T", re.IGNORECASE)
"""Zones that ``email.utils`` knows; it would take any other for UTC."""


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
    """Return the item of a row; raise Fault where it has no time, or neither headline nor score.

    scale   : what stands for -1 and for 1; None: scores are -1 to 1, a fear-and-greed index 0 to
              100.
    rescore : where there is a headline, no score is looked at.
    """
    if cells.get(MORE_CELLS):
        raise NewsItemError(f"{MORE_CELLS} (quote what has a comma in it)")
    time = time_of(cells.get(fields.get("published", "")))
    received = cells.get(fields.get("received", ""))
    received_ms = None if _empty(received) else time_of(received)[0]
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
        None if _empty(source) else one_line(str(source))[:SOURCE_MAX] or None,
        bases_of(cells.get(fields.get("about", ""))),
    )


def time_of(cell: Any) -> tuple[int, bool]:
    """Return (ms since the epoch, whether it was a date only); raise Fault where it is no time.

    A date only stands for the end of its day.

    >>> time_of("2024-09-12"), time_of("Thu, 12 Sep 2024 08:00:00 GMT")
    ((1726185600000, True), (1726128000000, False))
    """
    if _empty(cell):
        raise NewsItemError("no time")
    ms, midnight = _ms(cell)
    if ms is None or ms < EARLIEST_MS:
        raise NewsItemError("a time that cannot be read")
    dated = midnight or ms % DAY_MS == 0
    return (ms + DAY_MS if dated else ms), dated


def bases_of(cell: Any) -> tuple[str, ...]:
    """Return the base currencies named, in capitals.

    >>> bases_of("btc/usdt, ETH"), bases_of(None)
    (('BTC', 'ETH'), ())
    """
    if _empty(cell):
        return ()
    parts = cell if isinstance(cell, list | tuple) else re.split(r"[,;|\s]+", str(cell))
    names = (re.split(r"[/\-:]", str(part).strip().upper())[0] for part in parts)
    return tuple(dict.fromkeys(name for name in names if re.fullmatch(r"[A-Z0-9.]{1,20}", name)))


def _ms(cell: Any) -> tuple[int | None, bool]:
    """Return ms since the epoch, None where it is no time; and whether it is midnight there."""
    if isinstance(cell, datetime):
        aware = cell if cell.tzinfo else cell.replace(tzinfo=UTC)
        return round(aware.timestamp() * 1000), not (cell.hour or cell.minute or cell.second)
    if isinstance(cell, date):
        return _ms(datetime(cell.year, cell.month, cell.day, tzinfo=UTC))
    if isinstance(cell, int | float):
        return _epoch_ms(cell), False
    text = str(cell).strip()
    if re.fullmatch(r"\d{9,20}(\.\d+)?", text):
        return _epoch_ms(float(text)), False
    iso = re.sub(r"\s*(UTC|GMT|Z)$", "+00:00", text.replace("/", "-"))
    try:
        return _ms(datetime.fromisoformat(iso))
    except (ValueError, OverflowError):
        pass
    if not (mail := MAIL.fullmatch(text)):
        return None, False
    if not ZONES.fullmatch(mail[1].strip()):
        raise NewsItemError("a time zone that cannot be read (write it as +01:00)")
    try:
        return _ms(parsedate_to_datetime(text))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None, False


def _epoch_ms(value: float) -> int | None:
    """Return ms of an epoch in whatever unit: no two units mean the same year after 1973."""
    if not 0 < value < 1e20:
        return None
    power = sum(value >= limit for limit in (1e11, 1e14, 1e17))
    ms = value * 1000.0 ** (1 - power)
    return round(ms) if ms < 1e13 else None


def _score(
    cells: Mapping[str, Any], fields: Mapping[str, str], scale: tuple[float, float] | None
) -> float | None:
    for field, usual in (("score", (-1.0, 1.0)), ("index", (0.0, 100.0))):
        cell: Any = cells.get(fields.get(field, ""))
        if _empty(cell):
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
    if _empty(cell):
        return None
    return one_line(str(cell))[:HEADLINE_MAX] or None


def _empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip()) or cell != cell  # noqa: PLR0124


def _plain(heading: str) -> str:
    return re.sub(r"[\s\-.]+", "_", str(heading).strip().strip('"').lower())
