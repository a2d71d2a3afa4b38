"""Numbers and times as text; None, NaN and infinity are a dash."""

from __future__ import annotations

import math
from datetime import datetime

from ares.domain.utc import utc_text


def count(value: float | None) -> str:
    """Return a whole number with separators: ``1,234,567``; a dash for None and NaN."""
    return number(value, 0)


def number(value: float | None, digits: int = 2) -> str:
    """Return a number with separators and ``digits`` decimals; a dash for None and NaN."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:z,.{digits}f}"  # z: what rounds to zero has no sign


def amount(value: float | None) -> str:
    """Return a quantity or a price with the digits that matter: 8 at most, no zeros at the end.

    >>> amount(0.00363), amount(68_511.82), amount(0.0000123), amount(250.0)
    ('0.00363', '68,511.82', '0.0000123', '250')
    """
    if value is None or not math.isfinite(value):
        return "–"
    whole = 0 if abs(value) < 1e-12 else math.floor(math.log10(abs(value))) + 1
    text = f"{value:z,.{max(0, 8 - whole)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def some(n: int, noun: str) -> str:
    """Return a count with its noun.

    >>> some(1, "file"), some(1_200, "file")
    ('1 file', '1,200 files')
    """
    return f"{count(n)} {noun}" + ("" if n == 1 else "s")


def percent(fraction: float | None, digits: int = 2) -> str:
    """Return a fraction in percent: ``0.1234`` is ``12.34%``; a dash for None and NaN."""
    if fraction is None or not math.isfinite(fraction):
        return "–"
    return f"{fraction * 100:z,.{digits}f}%"


def duration(seconds: float) -> str:
    """Return a length of time in its two largest units.

    >>> duration(0.034), duration(4.21), duration(83), duration(93_784)
    ('34ms', '4.2s', '1m 23s', '1d 2h')
    """
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    parts = [(whole // 86_400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "m")]
    parts.append((whole % 60, "s"))
    while parts[0][0] == 0:
        parts.pop(0)
    return " ".join(f"{n}{unit}" for n, unit in parts[:2])


def utc(when: datetime | int | str | None) -> str:
    """Return a time in UTC, with seconds unless they are zero; a dash for None and "".

    >>> utc(1_678_939_500_000)
    '2023-03-16 04:05'
    """
    return "–" if when is None or when == "" else utc_text(when)
