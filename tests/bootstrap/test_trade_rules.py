"""Rules from the settings: every setting of trading reaches the rules, in the rules' units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import pytest

from ares.bootstrap.trade_rules import (
    LIVE_RULES,
    challenger_rules_of,
    is_fixed,
    rules_of,
    run_rules,
    settings_of,
)
from ares.config.fields import Section
from ares.config.load import changed_settings, section_of
from ares.config.settings import Settings
from ares.config.template import extra
from ares.core.rule_changes import LIMITS
from ares.domain.errors import UserError


def numbers() -> list[tuple[str, str, float]]:
    """Return (section, key, default) of every numeric setting of the trade half."""
    settings = Settings()
    sections = ("costs", "strategy", "risk", "breakers")
    return [
        (section, name, value)
        for section in sections
        for name, value in getattr(settings, section).model_dump().items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]


@pytest.mark.parametrize(("section", "name", "value"), numbers())
def test_every_number_of_the_trade_half_has_its_rule(section: str, name: str, value: float) -> None:
    """One setting changes one rule: none is forgotten, and no two are mixed up."""
    other = type(value)(value - 1) if isinstance(value, int) else value * 0.9 or 0.01
    before, after = (
        asdict(rules_of(Settings.model_validate(content)))
        for content in ({}, {section: {name: other}})
    )
    changed = [rule for rule in before if before[rule] != after[rule]]
    assert len(changed) == 1, (section, name, changed)
    scale = 100.0 if name == "max_drawdown_percent" else 1.0
    assert after[changed[0]] == pytest.approx(other / scale)


def test_the_mode_and_the_stop_have_their_rules() -> None:
    content = {
        "strategy": {"stop": False},
        "continuous_learning": {
            "confidence": {"trading_threshold": 0.9, "hysteresis": 0.2, "forgetting_trades": 7}
        },
    }
    rules = rules_of(Settings.model_validate(content))
    assert rules_of(Settings()).stop_enabled
    assert not rules.stop_enabled
    assert (rules.trading_threshold, rules.hysteresis, rules.forgetting_trades) == (0.9, 0.2, 7)


def test_the_hours_of_challengers_are_milliseconds() -> None:
    content = {"challenger": {"shadow_hours": 0.5, "canary_hours": 2.0, "canary_share": 0.1}}
    rules = challenger_rules_of(Settings.model_validate(content))
    assert (rules.shadow_ms, rules.canary_ms) == (1_800_000, 7_200_000)
    assert rules.canary_share == 0.1


def live_keys(kind: type[Section] = Settings, prefix: str = "") -> Iterator[str]:
    """Yield the keys that are marked live."""
    for name, field in kind.model_fields.items():
        inner = section_of(kind, name)
        if inner is not None:
            yield from live_keys(inner, f"{prefix}{name}.")
        elif extra(field)["live"]:
            yield prefix + name


def test_every_live_key_is_a_rule_that_an_engine_can_change() -> None:
    assert set(live_keys()) == set(LIVE_RULES)
    assert set(LIVE_RULES.values()) == LIMITS.keys()


def test_when_a_key_that_is_not_live_takes_effect() -> None:
    assert not any(is_fixed(key) for key in LIVE_RULES)
    for key in ("costs.fee_bps", "symbols", "account.capital_quote", "challenger.canary_share"):
        assert is_fixed(key)
    for key in ("continuous_learning.retraining.max_epochs", "deployment.quiet_hours"):
        assert not is_fixed(key)


OTHER = {
    "risk.on_drawdown": "close", "strategy.stop": "false", "strategy.edge_bps_exit": "-30",
    "continuous_learning.retraining.on_loss": "false",
}  # fmt: skip


@pytest.mark.parametrize("key", LIVE_RULES)
def test_a_live_key_changes_its_own_rule_within_its_limits(key: str) -> None:
    value = Settings()
    for part in key.split("."):
        value = getattr(value, part)
    number = value if isinstance(value, int | float) else 0
    other = OTHER.get(key) or str(number - 1 if isinstance(number, int) else number * 0.9)
    found, settings = changed_settings(Settings(), f"{key} = {other}")
    before, after = run_rules(Settings()), run_rules(settings)
    assert found == key
    assert [name for name in before if before[name] != after[name]] == [LIVE_RULES[key]]
    low, high = LIMITS[LIVE_RULES[key]]
    assert low <= float(after[LIVE_RULES[key]]) <= high


def test_rules_are_written_as_settings_again() -> None:
    """What ``settings_of`` gives is accepted as settings, and has the same rules."""
    content = {
        "strategy": {"stop": False},
        "risk": {"on_drawdown": "close", "max_drawdown_percent": 12.5, "orders_per_minute": 7},
        "continuous_learning": {"retraining": {"on_loss": False, "budget_per_day": 2}},
    }
    rules = run_rules(Settings.model_validate(content))
    others = settings_of(rules)
    assert others.keys() == LIVE_RULES.keys()
    _, changed = changed_settings(Settings(), "strategy.edge_bps_min=9.0", others)
    again = run_rules(changed) | {"edge_bps_min": rules["edge_bps_min"]}
    assert again == {name: pytest.approx(value) for name, value in rules.items()}


def test_a_value_is_checked_with_the_settings_that_the_engine_has() -> None:
    lower = {"strategy.edge_bps_exit": -200}
    _, changed = changed_settings(Settings(), "strategy.edge_bps_min=-100", lower)
    assert (changed.strategy.edge_bps_min, changed.strategy.edge_bps_exit) == (-100.0, -200.0)
    with pytest.raises(UserError, match="edge_bps_exit' must be below edge_bps_min"):
        changed_settings(Settings(), "strategy.edge_bps_min=-100")


def test_the_limits_of_real_money_are_of_environments_with_an_account() -> None:
    live = {"instruments": ["BTC/USDT"], "order_quote_max": 50.0}
    settings, keys = (
        Settings.model_validate({"live_trading": live}),
        ["kraken:BTC/USDT", "kraken:A/B"],
    )
    rules = run_rules(settings, "live", keys)
    assert (rules["order_quote_cap"], rules["stop_required"]) == (50.0, 1.0)
    assert (rules["allow:kraken:BTC/USDT"], rules["allow:kraken:A/B"]) == (1.0, 0.0)
    assert run_rules(settings, "rehearsal/kraken", keys) == rules | {"stop_required": 0.0}
    assert run_rules(settings, "paper", keys) == run_rules(settings)
    assert run_rules(settings)["order_quote_cap"] == 0.0
    free = run_rules(Settings(), "rehearsal/kraken", keys)
    assert (free["order_quote_cap"], free["allow:kraken:A/B"]) == (0.0, 1.0)
