"""The input of a validation: the recipe and the window of candles that a package was made with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest

from ares.adapters.layered_store import LayeredModelStore
from ares.adapters.model_store import ModelStore
from ares.bootstrap.validation import validation_config
from ares.domain.errors import UserError
from ares.domain.package import sealed
from ares.runtime.validation.request import recipe_of, training_job

if TYPE_CHECKING:
    from tests.runtime.conftest import World


def test_the_job_reads_the_candles_that_the_package_was_trained_on(trained: World) -> None:
    config = validation_config(trained.workspace)
    package = trained.package_of(trained.first)
    job, card = training_job(config, package), package.card
    assert (job.source.from_ms, job.source.to_ms) == (card.window_from_ms, card.window_to_ms)
    newer = training_job(config, trained.package_of(trained.refit))
    assert newer.source.to_ms is not None
    assert job.source.to_ms is not None
    assert newer.source.to_ms > job.source.to_ms
    assert newer.recipe == job.recipe  # a refit: the same recipe
    assert job.recipe.hash == card.recipe_hash
    assert [instrument.key for instrument in job.instruments] == list(card.instruments)
    assert job.rows_min == 1  # whatever was enough then is enough to repeat it
    old = msgspec.structs.replace(card, window_to_ms=None, files={})
    unknown = training_job(config, sealed(old, dict(package.files)))
    assert unknown.source.to_ms == card.data_to_ms


def test_an_imported_package_has_the_label_of_its_trade_and_all_its_columns(
    trained: World,
) -> None:
    card = msgspec.structs.replace(
        trained.package_of(trained.first).card, origin="imported", recipe={"imported": "x.onnx"},
        horizon_bars=7, width_min_bps=44.0, cost_bps=11.0, width_sigmas=1.5, files={},
    )  # fmt: skip
    recipe = recipe_of(sealed(card, {}))
    label = recipe.label
    assert (label.horizon_bars, label.width_min_bps, label.cost_bps) == (7, 44.0, 11.0)
    assert label.width_sigmas == 1.5
    assert (recipe.features, recipe.features_hash) == (card.features, card.features_hash)


def test_a_recipe_of_another_version_must_be_trained_again(trained: World) -> None:
    card = trained.package_of(trained.first).card
    other = msgspec.structs.replace(card, recipe={**card.recipe, "folds": "five"}, files={})
    with pytest.raises(UserError, match=r"another version of Ares .*: train again"):
        recipe_of(sealed(other, {}))


def test_a_run_reads_its_own_models_before_the_workspaces(world: World) -> None:
    config = validation_config(world.workspace)
    assert type(config.store()) is ModelStore
    own = replace(config, run_models=world.workspace.root / "run")
    store = own.store()
    assert isinstance(store, LayeredModelStore)
    [member] = ModelStore(config.models).ensemble(world.first).members
    assert store.member(member).hash == member.package_hash
    assert store.root == own.run_models


def test_an_account_trades_on_the_grid_of_the_ensembles_instrument(trained: World) -> None:
    config = validation_config(trained.workspace)
    terms = config.account_terms(ModelStore(config.models).ensemble(trained.noise))
    assert terms.spec.instrument.key == "binance:ETH/USDT"
    assert (terms.rules, terms.cash_quote) == (config.rules, config.cash_quote)
