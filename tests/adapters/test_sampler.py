from __future__ import annotations

import pytest

from ares.adapters.sampler import PointSampler
from ares.domain.sweep import Point, SamplerName, SweepParameter, SweepPlan, point_key

LISTED = (SweepParameter("a", (1, 2, 3)), SweepParameter("b", ("x", "y", "z")))
RANGES = (SweepParameter("a", (), 0.0, 1.0), SweepParameter("b", (), 5, 50))


def drawn(plan: SweepPlan, batches: int) -> list[Point]:
    """Return the points of a sampler whose score is best near a = 0.5."""
    sampler, points = PointSampler(plan), list[Point]()
    for _ in range(batches):
        batch = sampler.ask(plan.batch)
        points += batch
        sampler.tell([-abs(float(point["a"]) - 0.5) for point in batch])
    return points


def test_a_grid_gives_every_point_once() -> None:
    points = drawn(SweepPlan(LISTED, "grid", 9, 4, ""), 3)
    assert len(points) == 9
    assert len({point_key(point) for point in points}) == 9
    sampler = PointSampler(SweepPlan(LISTED, "grid", 9, 20, ""))
    assert len(sampler.ask(20)) == 9


@pytest.mark.parametrize("name", ["random", "tpe"])
def test_the_same_scores_give_the_same_points(name: SamplerName) -> None:
    plan = SweepPlan(RANGES, name, 20, 2, "")
    first, again = drawn(plan, 10), drawn(plan, 10)
    assert first == again
    assert all(0.0 <= float(p["a"]) <= 1.0 for p in first)
    assert all(type(p["b"]) is int and 5 <= p["b"] <= 50 for p in first)


def test_tpe_draws_nearer_to_the_best_than_chance() -> None:
    points = drawn(SweepPlan(RANGES, "tpe", 60, 2, ""), 30)
    early, late = points[:10], points[-20:]

    def away(some: list[Point]) -> float:
        return sum(abs(float(point["a"]) - 0.5) for point in some) / len(some)

    assert away(late) < 0.6 * away(early)
