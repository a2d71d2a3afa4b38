"""A time in a file's cell, in whatever form it came.

Times: epochs (s, ms, us, ns), ISO 8601, the dates of mails and feeds; without a zone they are UTC.
A zone that is not known, or an hour of AM or PM, is no time: read wrongly it would be hours too
early.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any

EARLIEST_MS = 946_684_800_000
"""2000-01-01: an earlier time has a wrong unit."""

MAIL = re.compile(
    r"(?:[a-z]{3,9},?\s*)?\d{1,2}[\s-][a-z]{3,9}[\s-]\d{2,4}(?:\s+\d{1,2}:\d{2}(?::\d{2})?)?(.*)",
    re.IGNORECASE,
)
"""The date of a mail or a feed, and behind it the zone."""

ZONES = re.compile(r"|[+-]\d{2}:?\d{2}|UTC?|GMT|Z|[ECMP][SD]T|A[SD]T", re.IGNORECASE)
"""Zones that ``email.utils`` knows; it would take any other for UTC."""


class TimeCellError(ValueError):
    """Why a cell is no time; few different texts, so that they can be counted."""


def instant_of(cell: Any) -> tuple[int, bool]:
    """Return ms since the epoch, and whether the cell is midnight there.

    Raises TimeCellError where it is no time.

    >>> instant_of("2024-09-12"), instant_of("Thu, 12 Sep 2024 08:00:00 GMT")
    ((1726099200000, True), (1726128000000, False))
    """
    if is_empty(cell):
        raise TimeCellError("no time")
    ms, midnight = _ms(cell)
    if ms is None or ms < EARLIEST_MS:
        raise TimeCellError("a time that cannot be read")
    return ms, midnight


def is_empty(cell: Any) -> bool:
    """Return whether a cell holds nothing: None, blanks or NaN."""
    return cell is None or (isinstance(cell, str) and not cell.strip()) or cell != cell  # noqa: PLR0124 - NaN


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
        raise TimeCellError("a time zone that cannot be read (write it as +01:00)")
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
