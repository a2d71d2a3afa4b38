"""A time in a cell: every usual form, and never one that is read hours too early."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.adapters.time_cells import TimeCellError, instant_of, is_empty

MS = 1_726_128_000_000  # 2024-09-12 08:00 UTC


@pytest.mark.parametrize(
    "cell",
    [
        MS, MS // 1000, MS * 1000, MS * 1_000_000, str(MS), str(MS // 1000),
        "2024-09-12T08:00:00Z", "2024-09-12 08:00", "2024/09/12 08:00 UTC",
        "2024-09-12T10:00:00+02:00", "Thu, 12 Sep 2024 08:00:00 GMT",
        "12 Sep 2024 04:00:00 EDT", datetime(2024, 9, 12, 8, tzinfo=UTC),
        datetime(2024, 9, 12, 17, tzinfo=timezone(timedelta(hours=9))),
    ],
)  # fmt: skip
def test_the_same_instant_in_every_form(cell: object) -> None:
    assert instant_of(cell) == (MS, False)


@pytest.mark.parametrize("cell", ["2024-09-12", date(2024, 9, 12), "2024-09-12 00:00"])
def test_a_bare_date_is_midnight(cell: object) -> None:
    assert instant_of(cell) == (MS - 8 * 3_600_000, True)


@pytest.mark.parametrize(
    "cell",
    ["12 Sep 2024 08:00:00 PM GMT", "12 Sep 2024 08:00:00 AEST", "yesterday", "", None, 0, -1,
     float("nan"), 1e30, "1999-12-31"],
)  # fmt: skip
def test_what_is_no_time_is_refused(cell: object) -> None:
    with pytest.raises(TimeCellError):
        instant_of(cell)


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_an_error(text: str) -> None:
    try:
        ms, _ = instant_of(text)
    except TimeCellError:
        return
    assert ms >= 946_684_800_000


def test_blanks_are_empty() -> None:
    assert all(is_empty(cell) for cell in (None, "", "  ", float("nan")))
    assert not any(is_empty(cell) for cell in (0, "0", False))
