"""The differences of two setups are named; of many, the first three."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ares.domain.run import RunSetup
from ares.runtime.engine.plan import RunPlan
from ares.runtime.engine.setup_differences import differences


def changed(setup: RunSetup, **changes: Any) -> RunSetup:
    return msgspec.structs.replace(setup, **changes)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"cash_quote": 1.0}, "cash"),
        ({"challenger_lanes": True}, "no challengers (now --learn)"),
        ({"reference": -1}, "another reference"),
        ({"hashes": {}}, "other settings (none of those that trade)"),
        ({"first_state": "x"}, "other candles or values of series before its window"),
        ({"validation_discount": 0.5}, "validation_discount 0.25 (now 0.5)"),
    ],
)
def test_each_difference_is_named(plan: RunPlan, changes: dict[str, Any], text: str) -> None:
    found = differences(plan.setup, changed(plan.setup, **changes))
    assert text in found


def test_more_than_three_differences_are_counted(plan: RunPlan) -> None:
    rules = {name: value + 1.0 for name, value in plan.setup.rules.items()}
    found = differences(plan.setup, changed(plan.setup, rules=rules))
    assert f"and {len(rules) - 3} more differences" in found
    assert "\n" not in found


def test_a_model_that_is_missing_is_named(plan: RunPlan) -> None:
    first, *others = plan.setup.instruments
    without = (changed_lane(first), *others)
    found = differences(plan.setup, changed(plan.setup, instruments=without))
    assert first.ensemble is not None
    assert first.ensemble.hash[:12] in found
    assert "(now no model)" in found


def changed_lane(lane: Any) -> Any:
    return msgspec.structs.replace(lane, ensemble=None)
