"""The difference of two clocks, from answers that are rough."""

from __future__ import annotations

import asyncio

from ares.venues.venue_clock import ahead_of


class Clocks:
    """A clock of ours, and a venue's that is ahead and tells whole seconds."""

    def __init__(self, ahead_ms: int, resolution_ms: int = 1_000) -> None:
        self.now, self.ahead, self.resolution = 1_000_123, ahead_ms, resolution_ms
        self.asked = 0

    def now_ms(self) -> int:
        self.now += 40
        return self.now

    async def ask(self) -> int | None:
        self.asked += 1
        self.now += 270
        venue = self.now + self.ahead
        return venue - venue % self.resolution


def test_whole_seconds_are_narrowed_by_several_answers() -> None:
    for ahead in (-60_000, -300, 0, 450, 61_000):
        clocks = Clocks(ahead)
        found = asyncio.run(ahead_of(clocks.ask, clocks.now_ms, 8, 0.0))
        assert found is not None
        assert abs(found - ahead) <= 500


def test_one_exact_answer_is_enough() -> None:
    clocks = Clocks(77, 1)
    found = asyncio.run(ahead_of(clocks.ask, clocks.now_ms, 5, 0.0))
    assert found is not None
    assert abs(found - 77) <= 300
    assert clocks.asked <= 2 or clocks.asked == 5


def test_no_answer_is_no_difference() -> None:
    async def nothing() -> int | None:
        return None

    assert asyncio.run(ahead_of(nothing, lambda: 5, 3, 0.0)) is None
