"""Rules from the settings: every setting of trading reaches the rules, in the rules' units."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from ares.bootstrap.trade_rules import challenger_rules_of, rules_of
from ares.config.settings import Settings

NOT_OF_A_SIMULATED_VENUE = {"gas_share_max"}
"""Read where trades are settled on a chain: the trade half pays no gas."""


def numbers() -> list[tuple[str, str, float]]:
    """Return (section, key, default) of every numeric setting of the trade half."""
    settings = Settings()
    sections = ("costs", "strategy", "risk", "breakers")
    return [
        (section, name, value)
        for section in sections
        for name, value in getattr(settings, section).model_dump().items()
        if isinstance(value, int | float) and not isinstance(value, bool)
        if name not in NOT_OF_A_SIMULATED_VENUE
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
