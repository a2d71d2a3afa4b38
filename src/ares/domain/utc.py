"""How Ares writes a time: always UTC, one form for people, one for files, one for names."""

from __future__ import annotations

from datetime import UTC, datetime

MINUTE_MS = 60_000


def utc_text(ts_ms: int) -> str:
    """Return a time for people and tables; seconds only where there are some.

    ts_ms : milliseconds since 1970, UTC.

    >>> utc_text(1_679_000_400_000), utc_text(1_679_000_401_000)
    ('2023-03-16 21:00', '2023-03-16 21:00:01')
    """
    form = "%Y-%m-%d %H:%M:%S" if ts_ms % MINUTE_MS else "%Y-%m-%d %H:%M"
    return _at(ts_ms).strftime(form)


def utc_day(ts_ms: int) -> str:
    """Return the day of a time.

    >>> utc_day(1_679_000_400_000)
    '2023-03-16'
    """
    return _at(ts_ms).strftime("%Y-%m-%d")


def utc_iso(when: datetime | int) -> str:
    """Return a time for files and ``--json``: ISO 8601 to the second, with its zone.

    >>> utc_iso(1_679_000_400_000)
    '2023-03-16T21:00:00Z'
    """
    return _moment(when).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc_version(when: datetime | int) -> str:
    """Return a time as the version of a package, which sorts by age.

    >>> utc_version(1_679_000_400_000)
    '20230316_210000'
    """
    return _moment(when).strftime("%Y%m%d_%H%M%S")


def _moment(when: datetime | int) -> datetime:
    return _at(when) if isinstance(when, int) else when.astimezone(UTC)


def _at(ts_ms: int) -> datetime:
    return datetime.fromtimestamp(ts_ms / 1000, UTC)
