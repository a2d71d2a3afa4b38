"""Quiet hours: the part of a UTC day in which a service may be restarted."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta


def next_quiet(now: datetime, hours: tuple[time, time]) -> datetime:
    """Return ``now`` where it is quiet, else the next instant at which it will be; UTC.

    hours : beginning and end (not quiet any more); they may pass midnight, equal ones are always.

    >>> night = (time(22), time(2))
    >>> next_quiet(datetime(2024, 1, 1, 1, 59, tzinfo=UTC), night).isoformat()
    '2024-01-01T01:59:00+00:00'
    >>> next_quiet(datetime(2024, 1, 1, 2, 0, tzinfo=UTC), night).isoformat()
    '2024-01-01T22:00:00+00:00'
    """
    here = now.astimezone(UTC)
    begin, end = hours
    moment = here.time()
    if begin <= end:
        quiet = begin <= moment < end or begin == end
    else:
        quiet = moment >= begin or moment < end
    if quiet:
        return here
    today = datetime.combine(here.date(), begin, UTC)
    return today if today > here else today + timedelta(days=1)
