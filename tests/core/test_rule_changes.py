"""Live settings: checked in step as well, in force at once, and part of the state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from ares.core.commands import on_command
from ares.core.models import NO_MODELS
from ares.core.snapshot import restore, snapshot
from ares.domain.events import ConfigChanged, ModeChanged
from ares.domain.order_events import CommandDone, CommandGiven, CommandRefused

if TYPE_CHECKING:
    from tests.core.conftest import TwoInstruments


def change(two: TwoInstruments, expected: str = "", **rules: float) -> list[object]:
    """Give the command that sets these rules."""
    return give(two, rules, expected)


def give(two: TwoInstruments, rules: dict[str, float], expected: str = "") -> list[object]:
    raw = msgspec.json.encode(rules).decode()
    args = {"key": "risk.some_key", "value": "0.2", "rules": raw}
    id_ = f"c{two.state.seq}"
    return list(two.take(CommandGiven(id_, two.at_ms, "ada", "config", args, 0, expected)))


def test_a_rule_is_in_force_at_once_and_after_a_restart(two: TwoInstruments) -> None:
    fact, answer = change(two, position_max=0.2)
    assert fact == ConfigChanged(two.at_ms, "risk.some_key", "0.2", 1, "ada", {"position_max": 0.2})
    assert isinstance(answer, CommandDone)
    assert answer.detail == "risk.some_key is 0.2 (version 1 of the settings)"
    for _ in range(2):
        assert float(two.state.params.rules[0]["position_max"]) == 0.2
        assert (two.state.rule_changes, two.state.config_version) == ({"position_max": 0.2}, 1)
        assert two.setup.rules["position_max"] == 0.1, "the setup is the run's first"
        two.state = restore(two.setup, snapshot(two.state))


def test_a_change_is_made_for_the_version_that_was_seen_only(two: TwoInstruments) -> None:
    change(two, "0", position_max=0.2)
    (answer,) = change(two, "0", position_max=0.3)
    assert isinstance(answer, CommandRefused)
    assert answer.reason == "the settings are of version 1 by now, not 0"
    assert isinstance(change(two, "1", position_max=0.3)[-1], CommandDone)


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ({"position_max": 1.5}, "position_max must be between 1e-09 and 1, not 1.5"),
        ({"drawdown_max": 0.0}, "drawdown_max must be between"),
        ({"win_rate_trades": 257.0}, "win_rate_trades must be between 1 and 256"),
        ({"fee_bps": 1.0}, "fee_bps cannot be changed while the engine runs"),
        ({"gate_mode": 0.0}, "gate_mode cannot be changed while the engine runs"),
        ({"order_quote_min": 6_000.0}, "order_quote_min (6000) must not be above order_quote_max"),
        ({"edge_bps_exit": 6.0}, "edge_bps_exit (6) must not be above edge_bps_min (5)"),
        ({"hysteresis": 0.9}, "hysteresis (0.9) must not be above trading_threshold (0.8)"),
        ({"position_max": 0.1}, "risk.some_key is 0.2 already"),
        ({}, "risk.some_key is 0.2 already"),
    ],
)
def test_a_value_that_breaks_a_limit_changes_nothing(
    two: TwoInstruments, rules: dict[str, float], reason: str
) -> None:
    before = snapshot(two.state), two.state.params.rules.tobytes()
    (answer,) = give(two, rules)
    assert isinstance(answer, CommandRefused)
    assert answer.reason.startswith(reason)
    assert two.state.params.rules.tobytes() == before[1]
    assert (two.state.config_version, two.state.rule_changes) == (0, {})


@pytest.mark.parametrize("raw", ["", "[]", '{"a":"b"}', "{", '{"position_max":NaN}'])
def test_rules_that_cannot_be_read_are_refused(two: TwoInstruments, raw: str) -> None:
    (answer,) = two.command("config", key="k", value="v", rules=raw)
    assert isinstance(answer, CommandRefused)
    assert answer.reason == "rules are no JSON object of numbers"


def test_modes_follow_a_threshold_at_once(engine_of: Any) -> None:
    """Otherwise a raised threshold would stop entries after the next closed trade only."""
    engine = engine_of()
    confidence = float(engine.state.trade.book[0]["mode_confidence"])
    assert 0.9 < confidence < 1.0
    modes = list[tuple[str, str, str]]()
    for k, threshold in enumerate((0.85, (1.0 + confidence) / 2.0, 0.9, 0.85)):
        wanted = {"trading_threshold": threshold, "hysteresis": 0.0}
        rules = msgspec.json.encode(wanted).decode()
        arguments = {"key": "threshold", "value": f"{threshold}", "rules": rules}
        command = CommandGiven(f"{k}", engine.now_ms, "ada", "config", arguments)
        for effect in on_command(engine.state, command, NO_MODELS):
            if isinstance(effect, ModeChanged):
                assert (effect.instrument, effect.mode_confidence) == (0, confidence)
                modes.append((effect.before, effect.after, effect.reason))
    assert modes == [
        ("TRADING", "LEARNING", "a person changed the threshold"),
        ("LEARNING", "TRADING", "a person changed the threshold"),
    ]


def test_what_only_a_start_takes_no_command_changes(two: TwoInstruments) -> None:
    for rules in ({"order_quote_cap": 1e6}, {"stop_required": 0.0}, {"allow:binance:X/Y": 1.0}):
        current = {"order_quote_cap": 50.0, "stop_required": 1.0}
        two.state.rule_changes |= current
        (answer,) = give(two, rules)
        assert isinstance(answer, CommandRefused)
        assert answer.reason.endswith("cannot be changed while the engine runs")


def test_where_every_position_has_a_stop_it_stays_so(two: TwoInstruments) -> None:
    two.state.rule_changes["stop_required"] = 1.0
    (answer,) = change(two, stop_enabled=0.0)
    assert isinstance(answer, CommandRefused)
    assert answer.reason.startswith("strategy.stop must stay true")
