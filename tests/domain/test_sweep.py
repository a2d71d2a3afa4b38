from __future__ import annotations

import msgspec

from ares.domain.sweep import SweepParameter, SweepPlan, SweepResult

PARAMETERS = (SweepParameter("a", (1, 2.0, "x")), SweepParameter("b", (True, False)))


def test_a_grid_is_every_point_and_a_range_has_none() -> None:
    plan = SweepPlan(PARAMETERS, "grid", 0, 4, "base")
    assert len(plan.grid) == 6
    assert plan.grid[0] == {"a": 1, "b": True}
    assert SweepPlan((SweepParameter("a", (), 0.0, 1.0),), "random", 5, 4, "base").grid == []


def test_the_size_of_a_batch_is_no_part_of_a_plans_hash() -> None:
    plan = SweepPlan(PARAMETERS, "grid", 0, 4, "base")
    assert plan.hash == msgspec.structs.replace(plan, batch=9).hash
    assert plan.hash != msgspec.structs.replace(plan, base="other").hash
    read = msgspec.json.decode(msgspec.json.encode(plan), type=SweepPlan)
    assert read == plan
    assert [type(value) for value in read.parameters[0].choices] == [int, float, str]


def test_a_recipe_that_does_not_trade_scores_as_staying_flat() -> None:
    assert SweepResult({"a": 1}).score == 0.0
    assert SweepResult({"a": 1}, sharpe=-0.5).score == -0.5
