"""One way to write a time: UTC whatever the zone of the machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from ares.domain.utc import utc_day, utc_iso, utc_text, utc_version

TIMES = st.integers(0, 4_102_444_800_000)


@given(TIMES)
def test_the_forms_agree_on_the_instant(ts_ms: int) -> None:
    whole_ms = ts_ms // 1000 * 1000
    iso = datetime.fromisoformat(utc_iso(whole_ms))
    assert round(iso.timestamp() * 1000) == whole_ms
    assert utc_text(whole_ms).startswith(utc_day(whole_ms))
    assert utc_version(whole_ms) == iso.strftime("%Y%m%d_%H%M%S")


@given(st.lists(TIMES, min_size=2))
def test_versions_sort_by_age(times: list[int]) -> None:
    whole = [ts_ms // 1000 for ts_ms in times]
    assert sorted(whole) == sorted(whole, key=lambda s: utc_version(s * 1000))


def test_a_time_of_another_zone_is_written_in_utc() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert utc_iso(datetime(2024, 1, 1, 8, tzinfo=tokyo)) == "2023-12-31T23:00:00Z"
    assert utc_version(datetime(2024, 1, 1, tzinfo=UTC)) == "20240101_000000"


def test_seconds_are_written_only_where_there_are_some() -> None:
    assert utc_text(1_679_000_400_000) == "2023-03-16 21:00"
    assert utc_text(1_679_000_459_999) == "2023-03-16 21:00:59"
