"""Recipes: their hash, and the default labels."""

from __future__ import annotations

import msgspec
import pytest

from ares.domain.timeframe import Timeframe
from ares.kernel.trade.rules import round_trip_bps
from ares.learn.recipe import HORIZON_BARS, Recipe, default_label


def test_a_recipes_hash_covers_its_parts_but_no_data(recipe: Recipe) -> None:
    assert recipe.hash == msgspec.structs.replace(recipe).hash
    for change in ({"price_only": True}, {"folds": 4}, {"features": ("a",)}, {"scope": "universe"}):
        other = msgspec.structs.replace(recipe, **change)
        assert other.hash != recipe.hash
        assert 0 <= other.seed < 2**31
    assert recipe.embargo_ms == 12 * 3_600_000
    assert msgspec.structs.replace(recipe, embargo_bars=5).embargo_ms == 5 * 3_600_000


def test_default_barriers_are_wider_than_the_costs() -> None:
    cost = round_trip_bps(10, 2, 1)
    for timeframe in Timeframe:
        label = default_label(timeframe, cost, "triple_barrier")
        assert label.horizon_bars == HORIZON_BARS[timeframe]
        assert label.width_min_bps == pytest.approx(1.5 * cost)
