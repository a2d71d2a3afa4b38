"""The clock of an engine in real time."""

from __future__ import annotations

from ares.runtime.engine.clocks import STOPPED_MS_MAX, RunningClock

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


DAY = 86_400_000
YEAR = 366 * DAY


def after(journal_ms: int, wall_ms: int) -> tuple[RunningClock, list[int]]:
    passed = [0]
    return RunningClock.after(journal_ms, lambda: passed[0] * MS, lambda: wall_ms * MS), passed


def test_a_start_goes_on_with_the_wall_clock() -> None:
    for wall_ms in (YEAR, YEAR + DAY, YEAR + STOPPED_MS_MAX):
        clock, _ = after(YEAR, wall_ms)
        assert (clock.now_ms(), clock.refused_ms) == (wall_ms, 0)
    clock, _ = after(0, YEAR)
    assert (clock.now_ms(), clock.refused_ms) == (YEAR, 0), "of a new run"


def test_a_clock_a_year_ahead_is_not_believed_and_time_goes_on_from_the_journal() -> None:
    clock, passed = after(YEAR, 2 * YEAR)
    assert (clock.now_ms(), clock.refused_ms) == (YEAR, 2 * YEAR)
    passed[0] = 700
    assert clock.now_ms() == YEAR + 700, "and its deadlines are reached"


def test_a_clock_behind_the_journal_is_not_followed_and_reported_where_it_is_far_behind() -> None:
    clock, _ = after(YEAR, YEAR - 1_000)
    assert (clock.now_ms(), clock.refused_ms) == (YEAR, 0)
    clock, _ = after(YEAR, 5)
    assert (clock.now_ms(), clock.refused_ms) == (YEAR, 5)


def test_a_clock_that_is_not_believed_is_set_once_to_the_venues() -> None:
    clock, passed = after(YEAR, 3 * YEAR)
    passed[0] = 100
    assert clock.measured(40 * DAY) == 0, "the engine stood still for so long"
    assert clock.now_ms() == YEAR + 100 + 40 * DAY
    assert clock.measured(5_000) == 5_000, "from then on it is only measured"
    assert clock.now_ms() == YEAR + 100 + 40 * DAY


def test_time_does_not_go_back_to_a_venues() -> None:
    clock, _ = after(YEAR, 3 * YEAR)
    assert clock.measured(-DAY) == -DAY
    assert clock.now_ms() == YEAR
