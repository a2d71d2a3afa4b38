"""What pictures share: marks of time that are true, and a note where nothing is drawn."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.figure import Figure

from ares.adapters.plot_style import dates, note_empty
from ares.domain.timeframe import DAY_MS, HOUR_MS
from ares.domain.utc import utc_day, utc_text

FROM_MS = 1_704_067_200_000 + 90 * 60_000  # 2024-01-01 01:30


@pytest.fixture
def axes() -> Any:
    return Figure().add_subplot()


def labels(axes: Any) -> list[str]:
    return [label.get_text() for label in axes.get_xticklabels()]


@pytest.mark.parametrize("days", [7, 30, 400])
def test_a_long_span_is_marked_at_midnights_of_utc(axes: Any, days: int) -> None:
    dates(axes, FROM_MS, FROM_MS + days * DAY_MS)
    ticks_ms = [int(tick) for tick in axes.get_xticks()]
    assert 5 <= len(ticks_ms) <= 7
    assert all(tick % DAY_MS == 0 and tick >= FROM_MS for tick in ticks_ms)
    assert labels(axes) == [utc_day(tick) for tick in ticks_ms]


def test_a_short_span_is_marked_at_hours(axes: Any) -> None:
    dates(axes, FROM_MS, FROM_MS + 2 * DAY_MS, 5)
    ticks_ms = [int(tick) for tick in axes.get_xticks()]
    assert all(tick % HOUR_MS == 0 and tick >= FROM_MS for tick in ticks_ms)
    assert labels(axes) == [utc_text(tick)[5:] for tick in ticks_ms]
    assert labels(axes)[0] == "01-01 13:00"


def test_a_span_of_one_instant_has_each_mark_once(axes: Any) -> None:
    midnight_ms = FROM_MS // DAY_MS * DAY_MS
    dates(axes, midnight_ms, midnight_ms)
    assert labels(axes) == ["01-01 00:00"]


def test_a_note_stands_in_the_middle_whatever_the_limits(axes: Any) -> None:
    note_empty(axes, "no trades")
    axes.set_xlim(1e12, 2e12)
    (note,) = axes.texts
    assert note.get_text() == "no trades"
    assert tuple(note.get_transform().transform(note.get_position())) == tuple(
        axes.transAxes.transform((0.5, 0.5))
    )
