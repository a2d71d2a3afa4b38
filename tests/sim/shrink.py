"""From a seed that breaks a promise to the fewest faults that still break it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.sim.finding import Finding
from tests.sim.world import World

from ares.sim.faults import Occasion

SEEDS_MAX = 1_000
SHRINK_EVENTS = 500_000
"""After so many events, some minutes, the fewest faults so far are returned."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What broke, and the faults that are needed for it."""

    seed: int
    n_events: int
    message: str
    faults: tuple[Occasion, ...]


def failure_of(seed: int, n_events: int, kept: frozenset[Occasion] | None = None) -> Failure | None:
    """Return what a seed breaks; None: nothing."""
    world = World(seed, n_events, kept=kept)
    try:
        world.run()
    except Finding as found:
        reached = min(n_events, world.state.seq + 1)
        return Failure(seed, reached, str(found), tuple(world.chance.happened))
    return None


def first_finding(match: str) -> str:
    """Return the first finding of a kind within ``SEEDS_MAX`` seeds; fail where there is none."""
    for seed in range(SEEDS_MAX):
        try:
            World(seed).run()
        except Finding as found:
            if match in str(found):
                return str(found)
    raise AssertionError(f"no finding with '{match}' in {SEEDS_MAX} seeds")


def shrink(
    failure: Failure,
    run: Callable[[int, int, frozenset[Occasion]], Failure | None] = failure_of,
    events_max: int = SHRINK_EVENTS,
) -> Failure:
    """Return a failure of the same seed with so few faults that none can be left out, if that takes
    no more than so many events.

    Halves are left out first, then quarters, down to single faults (delta debugging). With fewer
    faults an occasion may come after more events: these worlds run for twice as many.
    """
    n_events = 2 * failure.n_events
    best, size = failure, max(1, len(failure.faults) // 2)
    left = events_max
    while True:
        smaller = None
        for first in range(0, len(best.faults), size):
            rest = best.faults[:first] + best.faults[first + size :]
            if left <= 0:
                return best
            left -= n_events
            smaller = run(best.seed, n_events, frozenset(rest))
            if smaller is not None and len(smaller.faults) < len(best.faults):
                break
            smaller = None
        if smaller is not None:
            best, size = smaller, min(size, max(1, len(smaller.faults) // 2))
        elif size == 1:
            return best
        else:
            size = max(1, size // 2)
