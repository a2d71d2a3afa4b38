"""Scores from the tables are the ones that the models give row by row, and none is missing."""

from __future__ import annotations

from typing import Any

import pytest

from ares.core.models import Models
from ares.core.snapshot import restore, snapshot
from ares.core.step import step
from ares.runtime.engine.plan import RunPlan
from ares.runtime.engine.prefetch import Prefetch


@pytest.mark.parametrize("block", [1, 7, 100])
def test_a_row_is_scored_before_it_is_requested(world: Any, plan: RunPlan, block: int) -> None:
    state = restore(plan.setup, snapshot(plan.state))
    prefetch = Prefetch(world.models, plan.feed, block)
    for t in range(150):
        prefetch.advance(state, t)
        step(state, plan.feed.event(t, plan.warming(t)), Models(prefetch.scorers))
    assert prefetch.misses == 0


def test_only_the_models_in_use_are_retained(world: Any, plan: RunPlan) -> None:
    prefetch = Prefetch(world.models, plan.feed)
    first, *others = sorted(world.models)
    released = prefetch.retain([first])
    assert sorted(prefetch.scorers) == [first]
    assert released == [world.models[name] for name in world.models if name != first]
    prefetch.add(world.models)
    assert sorted(prefetch.scorers) == sorted([first, *others])
