"""External series in real time: each row once, and never before it was known."""

from __future__ import annotations

import asyncio

import pytest

from ares.domain.timeframe import MINUTE_MS
from ares.kernel.features.observations import Observations
from ares.runtime.engine.series_feed import NO_SERIES, PolledSeries

START = 1_704_153_600_000


def test_a_row_that_is_stored_late_counts_once_and_from_then_on() -> None:
    known = START + 5
    first = Observations.of(
        [(known - MINUTE_MS, START - MINUTE_MS, 0.1, 0), (known, START, 0.5, 0)]
    )
    late = Observations.of(
        [
            (known - MINUTE_MS, START - MINUTE_MS, 0.1, 0),
            (known, START, 0.5, 0),
            (known + 1, START + 1, 0.7, 0),
        ]
    )
    series = PolledSeries(lambda _after_ms: (), START)
    series._take((first,))
    event = series.until(START + MINUTE_MS)
    assert event is not None
    assert len(event.rows) == len(event.rows) // 1
    one = len(event.rows)
    assert series.until(START + 2 * MINUTE_MS) is None
    series._take((late,))
    event = series.until(START + 3 * MINUTE_MS)
    assert event is not None
    assert len(event.rows) == one
    assert series.until(START + 4 * MINUTE_MS) is None


def test_a_store_that_cannot_be_read_is_one_line() -> None:
    lines: list[str] = []

    def fail(_after_ms: int) -> tuple[Observations, ...]:
        raise OSError("database is locked")

    async def run() -> None:
        series = PolledSeries(fail, START, lines.append, poll_s=0.01)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(series.run(), 0.2)

    asyncio.run(run())
    assert lines == ["external series cannot be read: database is locked"]


def test_a_run_without_series_has_none() -> None:
    asyncio.run(NO_SERIES.run())
    assert NO_SERIES.until(START) is None
