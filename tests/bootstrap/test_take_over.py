"""A start takes over what settings and registry changed, once; the run is certified after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ares.adapters.model_store import ModelStore
from ares.bootstrap.lifecycle import promote
from ares.bootstrap.real_time import RealTimeStart, paper_run
from ares.bootstrap.real_time_plan import RealTimeRequest
from ares.bootstrap.replays import certify_run, restep_run, why_run
from ares.config.workspace import Workspace
from ares.core.initial_state import rules_in_force
from ares.core.state import State
from ares.domain.events import ConfigChanged
from ares.domain.model_events import SlotChanged
from ares.domain.model_life import EnsemblePromoted
from ares.domain.order_events import CommandGiven
from ares.domain.timeframe import HOUR_MS
from ares.journal.run import entries
from ares.runtime.engine.live_run import LiveRun
from ares.runtime.registry.model_journal import record

FROM_MS = 1_588_291_200_000  # 2020-05-01
BTC = "simulated:BTC/USDT"


class Runs:
    """Starts a paper run again and again, a day of candles each."""

    def __init__(self, root: Path) -> None:
        self.root, self.days = root, 0
        self.remarks: tuple[str, ...] = ()
        self.symbols: tuple[str, ...] | None = None
        self.state: State | None = None

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.root)

    def start(self, verb: str = "", **arguments: str) -> State:
        """Run one more day, with a command at its begin; return the state at its end."""
        self.days += 1
        until_ms = FROM_MS + self.days * 24 * HOUR_MS
        request = RealTimeRequest(
            self.symbols, stored=True, from_ms=FROM_MS, to_ms=until_ms, speed=100_000.0
        )

        def note(start: RealTimeStart, run: LiveRun) -> None:
            self.remarks, self.state = start.remarks, run.state
            if verb:
                run.post(CommandGiven(verb, run.state.at_ms, "ada", verb, arguments))

        paper_run(self.workspace, request, note)
        assert self.state is not None
        return self.state

    def edit(self, **sections: Any) -> None:
        path = self.workspace.settings_path
        settings = yaml.safe_load(path.read_text())
        path.write_text(yaml.safe_dump(settings | sections))

    def another(self) -> str:
        """Store an ensemble of one package alone, without a word about it; return its hash."""
        store = ModelStore(self.workspace.models_dir)
        (first,) = store.listed().ensembles
        package = store.member(first.members[0])
        ensemble = package.alone(BTC, package.card.created_at)
        store.save_ensemble(ensemble)
        return ensemble.hash

    def facts(self, kind: type[Any]) -> list[Any]:
        folder = self.workspace.journal_dir / "paper"
        return [e for entry in entries(folder) for e in entry.effects if isinstance(e, kind)]

    def require_certified(self) -> None:
        certificate = certify_run(self.workspace, "paper")
        assert (certificate.mismatches, certificate.first) == (0, None)
        assert restep_run(self.workspace, "paper").mismatches == 0


@pytest.fixture
def runs(archived_root: Path) -> Runs:
    return Runs(archived_root)


def champion(state: State) -> str:
    return next((slot.hash for slot in state.slots if slot.stage == "champion"), "")


def promoted(runs: Runs, target: str) -> None:
    outcome = promote(runs.workspace, target, "paper", True, "rehearsal")
    assert outcome.refused == ()


def test_the_registrys_champion_is_taken_over_once(runs: Runs) -> None:
    assert champion(runs.start()) == ""
    second = runs.another()
    promoted(runs, second)
    assert champion(runs.start()) == second
    assert champion(runs.start()) == second
    moves = [(change.move, change.who, change.reason) for change in runs.facts(SlotChanged)]
    assert moves == [("published", "start", "rehearsal")]
    runs.require_certified()


def test_a_champion_that_the_engine_took_out_stays_out_until_somebody_promotes(runs: Runs) -> None:
    (first,) = ModelStore(runs.workspace.models_dir).listed().ensembles
    promoted(runs, first.hash)
    second = runs.another()
    assert champion(runs.start()) == first.hash
    assert champion(runs.start("rollback", instrument=BTC)) == ""
    assert champion(runs.start()) == "", "as the run left it"
    promoted(runs, second)
    assert champion(runs.start()) == second
    back = EnsemblePromoted("paper", BTC, "", second, "now", "ada", "reverted", False, "", False)
    record(runs.workspace.journal_dir, [back])
    assert champion(runs.start()) == ""
    assert [change.move for change in runs.facts(SlotChanged)][-1] == "withdrawn"
    assert champion(runs.start()) == ""
    runs.require_certified()


def test_changed_settings_are_taken_over_by_the_checks_of_config_set(runs: Runs) -> None:
    runs.start()
    runs.edit(strategy={"edge_bps_min": 2.5}, risk={"daily_loss_limit": 0.04})
    rules = rules_in_force(runs.start())
    assert (rules["edge_bps_min"], rules["daily_loss_max"]) == (2.5, 0.04)
    assert runs.remarks == ()
    assert rules_in_force(runs.start())["edge_bps_min"] == 2.5
    (change,) = runs.facts(ConfigChanged)
    assert (change.who, change.key, change.version) == ("start", "ares.yaml", 1)
    assert change.rules == {"edge_bps_min": 2.5, "daily_loss_max": 0.04}
    explanation = why_run(runs.workspace, "paper", "BTC/USDT", None)
    assert explanation.edge_bps_min == 2.5
    assert explanation.limits["daily_loss_share_max"] == 0.04
    runs.require_certified()


def test_when_the_learner_trains_is_taken_over_too(runs: Runs) -> None:
    runs.start()
    runs.edit(
        continuous_learning={
            "confidence": {"trading_threshold": 0.5, "hysteresis": 0.05},
            "retraining": {"budget_per_day": 1, "min_interval_hours": 12.0},
        }
    )
    runs.start()
    (change,) = runs.facts(ConfigChanged)
    assert change.rules == {"retrain_budget_per_day": 1.0, "retrain_interval_hours": 12.0}


def test_what_only_a_new_run_takes_is_named_at_each_start(runs: Runs) -> None:
    runs.start()
    runs.edit(costs={"fee_bps": 7.0, "spread_bps": 0.5}, account={"capital_quote": 5_000.0})
    for _ in range(2):
        assert rules_in_force(runs.start())["fee_bps"] == 1.0
        assert runs.remarks == (
            "ares.yaml changes fee_bps: only a new run takes it (docs/PAPER.md)",
            "the run keeps its own account.capital_quote: only a new run takes it (docs/PAPER.md)",
        )
    assert runs.facts(ConfigChanged) == []


def test_symbols_that_the_run_has_not_got_and_those_it_goes_on_with_are_named(runs: Runs) -> None:
    runs.start()
    runs.edit(symbols=["ETH/USDT", "SOL/USDT"])
    keys = runs.start().setup.keys
    assert runs.remarks[0] == (
        "the run has no simulated:ETH/USDT, simulated:SOL/USDT, which ares.yaml names: only a new"
        " run takes it (docs/PAPER.md)"
    )
    assert runs.remarks[1:] == (
        f"the run trades {BTC} too, which ares.yaml does not name: `ares symbols remove {BTC}`"
        " ends that",
    )
    runs.start("symbols", action="remove", instrument=BTC)
    state = runs.start()
    assert state.setup.keys == keys
    assert [remark for remark in runs.remarks if BTC in remark] == [], "it is not traded any more"


def test_symbols_of_the_command_line_are_named_too(runs: Runs) -> None:
    runs.start()
    runs.symbols = ("SOL/USDT",)
    runs.start()
    assert runs.remarks[0].startswith("the run has no SOL/USDT, which the start names: ")
    runs.symbols = ("BTCUSDT",)
    runs.start()
    assert runs.remarks == ()


def test_what_a_person_set_in_the_run_stays_until_ares_yaml_changes_it(runs: Runs) -> None:
    runs.start()
    runs.start(
        "config", key="risk.daily_loss_limit", value="0.03", rules='{"daily_loss_max": 0.03}'
    )
    assert rules_in_force(runs.start())["daily_loss_max"] == 0.03
    runs.edit(risk={"daily_loss_limit": 0.03})
    assert rules_in_force(runs.start())["daily_loss_max"] == 0.03
    assert len(runs.facts(ConfigChanged)) == 1, "nothing was left to change"
    runs.edit(risk={"daily_loss_limit": 0.02})
    assert rules_in_force(runs.start())["daily_loss_max"] == 0.02
    runs.require_certified()
