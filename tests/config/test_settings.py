"""The settings: names that users bring along, one identity for equal values, no holes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from ares.config.explain import all_keys
from ares.config.fields import Section
from ares.config.settings import Settings
from ares.config.template import extra

REFERENCE = {
    "live_trading.mode": "paper",
    "live_trading.enabled": False,
    "continuous_learning.enabled": True,
    "continuous_learning.confidence.trading_threshold": 0.80,
    "continuous_learning.confidence.hysteresis": 0.05,
    "continuous_learning.retraining.on_loss": True,
    "continuous_learning.retraining.max_epochs": 20,
    "continuous_learning.retraining.target_confidence": 0.70,
    "continuous_learning.retraining.patience": 3,
    "continuous_learning.retraining.min_interval_hours": 6,
    "continuous_learning.retraining.drift_threshold": 0.70,
    "risk.max_drawdown_percent": 15.0,
    "risk.daily_loss_limit": 0.05,
    "risk.max_position_size_percent": 0.10,
}


@pytest.mark.parametrize(("key", "value"), REFERENCE.items())
def test_keys_of_the_reference_configuration_have_their_names_and_defaults(
    key: str, value: object
) -> None:
    found: object = Settings()
    for part in key.split("."):
        found = getattr(found, part)
    assert found == value


def leaves(kind: type[Section]) -> Iterator[tuple[str, FieldInfo]]:
    for name, declared in kind.model_fields.items():
        inner = declared.annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            assert inner.__doc__
            yield from leaves(inner)
        else:
            yield name, declared


def test_every_key_has_a_meaning_and_numbers_have_a_unit() -> None:
    for name, declared in leaves(Settings):
        assert declared.description, name
        assert declared.description.endswith("."), name
        if declared.annotation in (int, float):
            assert extra(declared)["unit"], name


def test_safety_limits_may_change_live_and_costs_may_not() -> None:
    live = {name for name, declared in leaves(Settings) if extra(declared)["live"]}
    assert {"daily_loss_limit", "max_drawdown_percent", "trading_threshold"} <= live
    assert not live & {"fee_bps", "venue", "symbols", "url", "mode", "enabled"}


def test_equal_values_have_one_hash_and_any_change_another() -> None:
    base = Settings()
    assert Settings.model_validate({"risk": {"daily_loss_limit": 0.05}}).hash == base.hash
    assert Settings.model_validate({"risk": {"daily_loss_limit": 0.04}}).hash != base.hash
    assert len(base.hash) == 64


def test_settings_cannot_be_changed() -> None:
    settings = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        setattr(settings.risk, "daily_loss_limit", 0.5)  # noqa: B010 - mypy knows it is frozen


def test_the_reference_is_the_first_symbol_unless_named() -> None:
    assert Settings().reference_symbol == "BTC/USDT"
    named = Settings.model_validate({"features": {"reference": "SOL/USDT"}})
    assert named.reference_symbol == "SOL/USDT"


def test_keys_are_unique_under_their_dotted_name() -> None:
    keys = list(all_keys())
    assert len(keys) == len(set(keys))
    assert "continuous_learning.retraining.rounds_per_epoch" in keys


def test_a_probability_above_one_is_not_taken_for_a_percentage() -> None:
    for value in (1.8, 80.0):
        confidence = {"trading_threshold": value}
        with pytest.raises(ValidationError, match=r"between 0 and 1, such as 0\.80"):
            Settings.model_validate({"continuous_learning": {"confidence": confidence}})
