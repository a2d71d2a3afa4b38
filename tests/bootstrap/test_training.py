"""Training, composed: what the settings say is what training is given."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ares.bootstrap.training import (
    configured_instruments,
    recipe_rules,
    require_training_allowed,
    training_context,
    training_rules,
)
from ares.config.settings import Settings
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.timeframe import Timeframe

MakeWorkspace = Callable[..., Workspace]


def test_a_trade_costs_both_ways(workspace_of: MakeWorkspace) -> None:
    """An entry and an exit each pay the fee, and slippage at 1% of volume; the spread once."""
    costs = {"fee_bps": 10.0, "spread_bps": 3.0, "slippage_bps": 5.0}
    rules = training_rules(workspace_of(costs=costs))
    assert rules.recipe.cost_bps == pytest.approx(2 * 10.0 + 3.0 + 2 * 5.0 * 0.01)
    assert (rules.trade.fee_bps, rules.trade.spread_bps) == (10.0, 3.0)


def test_the_recipe_is_that_of_the_settings() -> None:
    content = {
        "learning": {"horizon": 2.0, "width": 1.5, "folds": 4, "embargo_bars": 9, "leaves": 5},
        "continuous_learning": {
            "retraining": {"max_epochs": 6, "patience": 2, "target_confidence": 0.6,
                           "rounds_per_epoch": 11}
        },
    }  # fmt: skip
    rules = recipe_rules(Settings.model_validate(content))
    assert (rules.horizon, rules.barrier_width, rules.folds, rules.embargo_bars) == (2, 1.5, 4, 9)
    boost = rules.boost
    assert (boost.epochs_max, boost.patience, boost.rounds_per_epoch) == (6, 2, 11)
    assert (boost.target_confidence, boost.leaves) == (0.6, 5)


def test_weights_are_shares_and_rows_are_bounded(workspace_of: MakeWorkspace) -> None:
    intervals = [{"interval": "1h", "weight": 3.0}, {"interval": "4h", "weight": 1.0}]
    learning = {"rows_min": 60, "rows_max": 999}
    workspace = workspace_of(timeframes={"intervals": intervals}, learning=learning)
    rules = training_rules(workspace)
    assert rules.weights == {Timeframe.H1: 0.75, Timeframe.H4: 0.25}
    assert (rules.rows_min, rules.context.rows_max) == (60, 999)


def test_a_users_module_is_found_from_any_folder(workspace_of: MakeWorkspace) -> None:
    """Workers are given the whole path of the workspace: they may run in another folder."""
    assert training_context(workspace_of()).user is None
    user = training_context(workspace_of(features={"module": "mine.py"})).user
    assert user is not None
    assert user.module == "mine.py"
    assert user.folder.is_absolute()


def test_only_a_reference_that_a_person_chose_is_required() -> None:
    chosen = configured_instruments(
        Settings.model_validate({"features": {"reference": "ETH/USDT"}})
    )
    assert (chosen.reference, chosen.reference_required) == ("ETH/USDT", True)
    default = configured_instruments(Settings())
    assert (default.reference, default.reference_required) == ("BTC/USDT", False)


@pytest.mark.parametrize("live", [{"mode": "live"}, {"enabled": True}])
def test_training_is_forbidden_where_real_money_trades(live: dict[str, object]) -> None:
    allowed = {"live_trading": live}
    require_training_allowed(Settings.model_validate(allowed))
    forbidden = allowed | {"learning": {"in_production": False}}
    with pytest.raises(UserError, match="nothing is trained here"):
        require_training_allowed(Settings.model_validate(forbidden))
    require_training_allowed(Settings.model_validate({"learning": {"in_production": False}}))
