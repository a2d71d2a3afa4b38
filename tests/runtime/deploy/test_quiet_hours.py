"""Quiet hours: the next instant is quiet, not in the past, and the first such minute."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.runtime.deploy.quiet_hours import next_quiet

NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)
minutes = st.integers(0, 24 * 60 - 1)


def clock(minute: int) -> time:
    return time(minute // 60, minute % 60)


def is_quiet(moment: datetime, begin: int, end: int) -> bool:
    """Return whether a minute is quiet, counted on from the beginning of the quiet hours."""
    minute = moment.hour * 60 + moment.minute
    return (minute - begin) % 1440 < ((end - begin) % 1440 or 1440)


@given(minutes, minutes, minutes)
def test_the_next_quiet_instant_is_the_first(now: int, begin: int, end: int) -> None:
    at = NOON.replace(hour=0) + timedelta(minutes=now)
    found = next_quiet(at, (clock(begin), clock(end)))
    assert found >= at
    assert is_quiet(found, begin, end)
    waited = int((found - at) / timedelta(minutes=1))
    assert waited < 1440
    assert not any(is_quiet(at + timedelta(minutes=k), begin, end) for k in range(waited))


@pytest.mark.parametrize("hours", [(time(0), time(0)), (time(13), time(13))])
def test_equal_hours_are_always_quiet(hours: tuple[time, time]) -> None:
    assert next_quiet(NOON, hours) == NOON


def test_the_hours_are_utc_wherever_the_clock_is() -> None:
    here = NOON.astimezone(timezone(timedelta(hours=9)))  # 21:00 there
    assert next_quiet(here, (time(12), time(13))) == NOON
    found = next_quiet(here, (time(20), time(22)))
    assert found == NOON.replace(hour=20)
    assert found.tzinfo is UTC
