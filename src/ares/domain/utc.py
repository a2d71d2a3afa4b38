"""How Ares writes a time: always UTC, one form each for people, files, SQL and names."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


def utc_text(when: datetime | int | str) -> str:
    """Return a time for people and tables; seconds only where there are some.

    when : milliseconds since 1970, a time with its zone, or the text of ``utc_iso``.

    >>> utc_text(1_679_000_400_000), utc_text("2023-03-16T21:00:01Z")
    ('2023-03-16 21:00', '2023-03-16 21:00:01')
    """
    moment = _moment(datetime.fromisoformat(when) if isinstance(when, str) else when)
    whole = moment.second == moment.microsecond == 0
    return moment.strftime("%Y-%m-%d %H:%M" if whole else "%Y-%m-%d %H:%M:%S")


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


@lru_cache(256)
def utc_sql(ts_ms: int) -> str:
    """Return a time in the form of SQLite's ``datetime()``, in which the tables store times.

    >>> utc_sql(1_679_000_400_000)
    '2023-03-16 21:00:00'
    """
    return _at(ts_ms).isoformat(" ", "seconds")[:19]  # strftime takes twice as long


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
