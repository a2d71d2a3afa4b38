"""What settings and registry changed is taken over once, and by the checks of every change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from ares.core.initial_state import rules_in_force
from ares.core.models import NO_MODELS
from ares.core.money_facts import JournaledFacts, fold
from ares.core.snapshot import restore, snapshot
from ares.core.take_over import edited_rules, taken_champion
from ares.domain.events import ConfigChanged
from ares.domain.model_events import ModelPublished, SlotChangeRequested
from ares.domain.order_events import CommandDone, CommandGiven, CommandRefused

if TYPE_CHECKING:
    from tests.core.conftest import TwoInstruments


def settings(two: TwoInstruments, **changed: float) -> list[object]:
    """Take over settings in which these rules are not those of the run's begin."""
    raw = msgspec.json.encode(two.setup.rules | changed).decode()
    id_ = f"s{two.state.seq}"
    return list(two.take(CommandGiven(id_, two.at_ms, "start", "settings", {"rules": raw})))


def test_changed_rules_are_one_change(two: TwoInstruments) -> None:
    fact, answer = settings(two, position_max=0.2, exposure_max=0.4)
    text, rules = "exposure_max=0.4, position_max=0.2", {"exposure_max": 0.4, "position_max": 0.2}
    assert fact == ConfigChanged(two.at_ms, "ares.yaml", text, 1, "start", rules)
    assert isinstance(answer, CommandDone)
    assert answer.detail == "taken over: exposure_max is 0.4; position_max is 0.2"
    two.state = restore(two.setup, snapshot(two.state))
    assert edited_rules(two.state, two.setup.rules | rules) == {}
    assert edited_rules(two.state, two.setup.rules) == {"exposure_max": 0.5, "position_max": 0.1}


def test_what_a_person_changed_meanwhile_is_not_touched(two: TwoInstruments) -> None:
    raw = '{"daily_loss_max": 0.01}'
    args = {"key": "risk.daily_loss_limit", "value": "0.01", "rules": raw}
    two.take(CommandGiven("c", two.at_ms, "ada", "config", args))
    fact, _ = settings(two, position_max=0.2)
    assert isinstance(fact, ConfigChanged)
    assert fact.rules == {"position_max": 0.2}
    assert rules_in_force(two.state)["daily_loss_max"] == 0.01


def test_a_value_that_breaks_a_limit_changes_nothing(two: TwoInstruments) -> None:
    (answer,) = settings(two, position_max=0.2, drawdown_max=2.0)
    assert isinstance(answer, CommandRefused)
    assert "drawdown_max must be between" in answer.reason
    assert two.state.rule_changes == {}
    assert "position_max" in edited_rules(two.state, two.setup.rules | {"position_max": 0.2})


def test_a_rule_of_a_new_run_stays_and_is_named_again(two: TwoInstruments) -> None:
    _, answer = settings(two, position_max=0.2, fee_bps=1.0)
    assert isinstance(answer, CommandDone)
    assert answer.detail == "taken over: position_max is 0.2; fee_bps: a new run only"
    wanted = two.setup.rules | {"position_max": 0.2, "fee_bps": 1.0}
    assert edited_rules(two.state, wanted) == {"fee_bps": 1.0}
    assert rules_in_force(two.state)["fee_bps"] == two.setup.rules["fee_bps"]


def from_registry(engine: Any, name: str, expected: str = "") -> None:
    engine.take(
        ModelPublished(
            engine.now_ms, 0, engine.ensemble(name), "champion", False, "", "ada", "", True,
            expected,
        )
    )  # fmt: skip


@pytest.fixture
def engine(engine_of: Any) -> Any:
    found = engine_of()
    found.bars(3)
    return found


def test_the_registrys_champion_takes_the_other_lane_and_comes_back(engine: Any) -> None:
    first, second = (engine.ensemble(name).hash for name in ("first", "second"))
    assert taken_champion(engine.state, 0) == first
    from_registry(engine, "second")
    assert engine.stages == ("former", "champion")
    assert taken_champion(engine.state, 0) == second
    from_registry(engine, "first")
    assert engine.stages == ("champion", "former")
    assert [change.move for change in engine.moves] == ["published", "promoted"]
    from_registry(engine, "first")
    assert len(engine.moves) == 2, "it is the champion already"


def test_it_is_refused_where_the_champion_is_not_the_one_that_was_seen(engine: Any) -> None:
    from_registry(engine, "second", expected=engine.ensemble("third").hash)
    assert engine.moves == []
    assert taken_champion(engine.state, 0) == engine.ensemble("first").hash
    from_registry(engine, "second", expected=engine.ensemble("first").hash[:12])
    assert engine.stages == ("former", "champion")


def test_without_a_champion_in_the_registry_nothing_is_restored(engine: Any) -> None:
    from_registry(engine, "second")
    for _ in range(2):
        engine.take(SlotChangeRequested(engine.now_ms, 0, "withdraw", "start", "reverted"))
    assert engine.stages == ("former", "withdrawn")
    assert taken_champion(engine.state, 0) == ""
    assert [change.move for change in engine.moves] == ["published", "withdrawn"]


def test_what_was_taken_over_is_known_after_a_crash_and_an_upgrade(two: TwoInstruments) -> None:
    before = snapshot(two.state)
    raw = msgspec.json.encode(two.setup.rules | {"position_max": 0.2}).decode()
    event = CommandGiven("s", two.at_ms, "start", "settings", {"rules": raw})
    effects = two.take(event)
    again = CommandGiven("s", two.at_ms, "ada", "settings", {})  # its id was answered before
    gone = SlotChangeRequested(two.at_ms, 1, "withdraw", "start", "reverted")
    entries = [
        JournaledFacts(two.state.seq, two.at_ms, event, effects),
        JournaledFacts(two.state.seq + 1, two.at_ms, again, two.take(again)),
        JournaledFacts(two.state.seq + 1, two.at_ms, gone, two.take(gone)),
    ]
    folded = restore(two.setup, before)
    fold(folded, entries, NO_MODELS)
    assert folded.taken_rules == two.state.taken_rules
    assert folded.taken_champions == two.state.taken_champions == {"test:T1/USDT": ""}


def test_a_start_takes_the_limits_of_real_money_over(two: TwoInstruments) -> None:
    first, second = two.setup.keys
    live = {"order_quote_cap": 50.0, "stop_required": 1.0, f"allow:{first}": 0.0}
    _, answer = settings(two, **live, **{f"allow:{second}": 1.0})
    assert isinstance(answer, CommandDone)
    for _ in range(2):
        assert two.state.params.specs["allowed"][:2].tolist() == [0, 1]
        assert int(two.state.params.rules[0]["order_units_cap"]) == 50 * 10**8
        two.state = restore(two.setup, snapshot(two.state))
    settings(two, **{**live, f"allow:{first}": 1.0})
    assert two.state.params.specs["allowed"][:2].tolist() == [1, 1]
