"""Two ensembles side by side: on the same bars, recipe by recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from ares.adapters.model_store import ModelStore
from ares.bootstrap.validation import (
    compare_models,
)
from ares.domain.errors import UserError
from ares.runtime.validation.compare import recipe_differences

if TYPE_CHECKING:
    from tests.runtime.conftest import World


def test_two_ensembles_are_compared_on_the_same_bars(world: World) -> None:
    found = compare_models(world.workspace, world.refit, world.first, pool=world.pool)
    assert found.recipe == ()
    assert found.a.metrics.trades > 50
    assert found.difference.steps > 500
    assert "neither" in found.sentence
    other = compare_models(world.workspace, world.refit, world.other, pool=world.pool)
    assert ("1h.price_only", "False", "True") in other.recipe
    with pytest.raises(UserError, match="the first is for"):
        compare_models(world.workspace, world.refit, world.noise, pool=world.pool)
    with pytest.raises(UserError, match="two different"):
        compare_models(world.workspace, world.refit, world.refit, pool=world.pool)


def test_as_many_columns_are_not_the_same_columns(world: World) -> None:
    ensemble = ModelStore(world.workspace.models_dir).ensemble(world.refit)
    package = world.package_of(world.refit)
    columns = list(package.card.recipe["features"])
    recipe = {**package.card.recipe, "features": ["mine", *columns[1:]]}
    card = msgspec.structs.replace(package.card, recipe=recipe)
    own = msgspec.structs.replace(package, card=card)
    (line,) = recipe_differences([package], [own], ensemble, ensemble)
    assert line == ("1h.features", f"56 columns, {columns[0]} only here",
                    "56 columns, mine only here")  # fmt: skip
    assert recipe_differences([package], [package], ensemble, ensemble) == ()
