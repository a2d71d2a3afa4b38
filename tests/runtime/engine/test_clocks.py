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


WALL = 5_000_000


def running() -> tuple[RunningClock, list[int]]:
    """Return a clock, and the machine's monotonic and wall clock in ms."""
    now = [0, WALL]
    return RunningClock(None, 1.0, lambda: now[0] * MS, lambda: now[1] * MS), now


def test_a_machine_that_slept_goes_on_with_its_wall_clock_once_the_venue_agrees() -> None:
    clock, now = running()
    slept = 2 * 3_600_000
    now[:] = 1_000, WALL + 1_000 + slept  # the monotonic clock stood still
    assert clock.now_ms() == WALL + 1_000
    assert clock.measured(30) == 30, "the venue says otherwise: it is the wall clock that is wrong"
    assert clock.times_set == 0
    assert clock.measured(slept + 40) == 40
    assert (clock.now_ms(), clock.wall_ms(), clock.times_set) == (now[1], now[1], 1)
    assert clock.measured(40) == 40
    assert clock.times_set == 1


def test_a_venue_whose_clock_steps_alone_moves_no_time() -> None:
    clock, _ = running()
    for ahead_ms in (-5_000, 5_000, 900):
        assert clock.measured(ahead_ms) == ahead_ms
    assert (clock.now_ms(), clock.times_set) == (WALL, 0)


def test_a_clock_that_was_ahead_stands_still_until_it_is_right() -> None:
    clock, now = running()
    now[:] = 10_000, WALL + 6_000
    assert clock.now_ms() == WALL + 10_000
    assert clock.measured(-4_000) == 0
    assert clock.now_ms() == WALL + 10_000
    now[:] = 13_000, WALL + 9_000
    assert clock.now_ms() == WALL + 10_000
    now[:] = 15_000, WALL + 11_000
    assert clock.now_ms() == WALL + 11_000
    now[1] -= 3_600_000
    assert clock.measured(-3_600_000) == -3_600_000, "an hour without deadlines would be worse"


def test_a_rehearsal_follows_its_server_and_not_a_wrong_clock_of_the_venue() -> None:
    passed, server = [1_000], [YEAR + 60_000]
    clock = RunningClock(YEAR, 60.0, lambda: passed[0] * MS, lambda: 0, lambda: server[0])
    passed[0] = 2_000
    assert clock.now_ms() == YEAR + 60_000
    assert clock.measured(600_000) == 600_000, "the fault of a wrong clock"
    assert clock.measured(50_000) == 50_000, "less than a second of wall time"
    server[0] += 600_000  # started again
    assert clock.measured(600_000) == 0
    assert (clock.now_ms(), clock.times_set) == (YEAR + 660_000, 1)
    server[0] -= 120_000
    assert clock.measured(-120_000) == 0
    assert clock.now_ms() == YEAR + 660_000
    assert clock.times_set == 2


def test_time_does_not_go_back_to_a_venues() -> None:
    clock, _ = after(YEAR, 3 * YEAR)
    assert clock.measured(-DAY) == -DAY
    assert clock.now_ms() == YEAR
