"""A failing seed is reduced to the faults that it needs, within a bounded time."""

from __future__ import annotations

from tests.sim.shrink import Failure, shrink

from ares.sim.faults import Occasion

NEEDED = {(7, "crash"), (40, "doubled")}
FAULTS = tuple((k, "crash" if k % 2 else "doubled") for k in range(1, 101))


class Worlds:
    """Worlds that fail exactly where both of two faults happen."""

    def __init__(self) -> None:
        self.runs = 0

    def run(self, seed: int, n_events: int, kept: frozenset[Occasion]) -> Failure | None:
        self.runs += 1
        faults = tuple(fault for fault in FAULTS if fault in kept)
        return Failure(seed, n_events, "broken", faults) if kept >= NEEDED else None


def test_no_fault_is_left_that_is_not_needed() -> None:
    worlds = Worlds()
    least = shrink(Failure(1, 300, "broken", FAULTS), worlds.run)
    assert set(least.faults) == NEEDED
    assert worlds.runs < 100


def test_it_ends_when_its_events_are_spent_with_the_fewest_faults_so_far() -> None:
    worlds = Worlds()
    least = shrink(Failure(1, 300, "broken", FAULTS), worlds.run, events_max=6_000)
    assert worlds.runs == 10
    assert len(NEEDED) < len(least.faults) < len(FAULTS)
    assert set(least.faults) >= NEEDED
