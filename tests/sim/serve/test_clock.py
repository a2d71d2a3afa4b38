"""Market time runs from its start at the chosen speed, whatever the wall clock says."""

from __future__ import annotations

from ares.sim.serve.clock import MarketClock


def test_market_time_follows_the_monotonic_clock() -> None:
    seconds = [10.0]
    clock = MarketClock(1_000_000, 60.0, lambda: 5, lambda: seconds[0])
    assert (clock.market_ms(), clock.wall_ms()) == (1_000_000, 5)
    seconds[0] = 12.5
    assert clock.market_ms() == 1_000_000 + 150_000
    assert clock.wait_s(1_000_000 + 210_000) == 1.0
    assert clock.wait_s(1_000_000) == -2.5
    assert clock.monotonic_s() == 2.5
