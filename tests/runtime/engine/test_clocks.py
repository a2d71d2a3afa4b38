"""The clock of an engine in real time."""

from __future__ import annotations

from ares.runtime.engine.clocks import RunningClock

MS = 1_000_000


def test_market_time_runs_faster_than_wall_time() -> None:
    passed = [0]
    clock = RunningClock(50_000, 60.0, lambda: passed[0], lambda: 7_000 * MS)
    assert (clock.now_ms(), clock.wall_ms()) == (50_000, 7_000)
    passed[0] = 1_000 * MS
    assert (clock.now_ms(), clock.wall_ms()) == (110_000, 8_000)
    assert clock.seconds_until(170_000) == 1.0
    assert clock.seconds_until(100_000) == 0.0


def test_a_wall_clock_that_is_set_moves_nothing() -> None:
    wall = [7_000 * MS]
    clock = RunningClock(None, 1.0, lambda: 0, lambda: wall[0])
    wall[0] = 99_000 * MS
    assert clock.now_ms() == clock.wall_ms() == 7_000


def test_market_time_never_goes_back() -> None:
    passed = [5 * MS]
    clock = RunningClock(10, 1.0, lambda: passed[0], lambda: 0)
    passed[0] = 9 * MS
    assert clock.now_ms() == 14
    passed[0] = 6 * MS
    assert clock.now_ms() == 14
