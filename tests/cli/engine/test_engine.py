"""``ares run``, ``certify``, ``restep`` and ``why`` as a person uses them; the models are ONNX."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ares.adapters.model_store import ModelStore
from ares.config.workspace import Workspace
from ares.domain.events import DecisionMade
from ares.domain.model import Ensemble
from ares.domain.timeframe import MINUTE_MS
from ares.journal.run import RunJournal, entries

Ares = Callable[..., tuple[int, str, str]]

WINDOW = ("--from", "2024-01-02T01:00", "--to", "2024-01-02T07:00")
START_MS = 1_704_067_200_000  # 2024-01-01


def one_line(text: str) -> bool:
    return text.startswith("ares: ") and text.count("\n") == 1


def test_a_run_says_what_it_came_to(first: dict[str, Any]) -> None:
    assert first["finished"] is True
    assert first["environment"] == "history/20240102-20240102"
    btc, eth = first["instruments"]
    assert (btc["slot"], eth["slot"]) == ("champion", "challenger")
    assert btc["real"]["trades"] > 5
    assert eth["real"]["trades"] == 0
    assert eth["virtual"]["trades"] > 5
    assert set(eth["refused"]) == {"no_champion"}
    assert eth["real"]["win_rate"] is None
    assert first["instants"] == 6 * 60
    assert first["equity_end"] == pytest.approx(first["equity_start"] * (1 + first["net_return"]))


def test_the_report_for_people(ares: Ares) -> None:
    code, out, err = ares("run", *WINDOW)
    assert code == 0
    assert "This run was finished already: nothing was run" in out
    assert "binance:BTC/USDT" in out
    assert "binance:ETH/USDT has no champion: its newest candidate makes virtual trades only" in err


def test_certify_and_restep_say_yes_about_the_newest_run(ares: Ares, first: dict[str, Any]) -> None:
    code, out, _ = ares("certify", "--json")
    said = json.loads(out)
    assert (code, said["mismatches"], said["first"]) == (0, 0, None)
    assert said["events"] == first["events"]
    assert said["compared"] > 1_000
    code, out, _ = ares("restep", "--json")
    said = json.loads(out)
    assert (code, said["mismatches"]) == (0, 0)
    assert said["compared"] == said["events"] == first["events"]
    for command in ("certify", "restep"):
        code, out, err = ares(command, "20240102-20240102")
        assert (code, err) == (0, "")
        assert "agree" in out or "byte-equal effects" in out


def test_certify_and_restep_say_no_about_a_forged_one(root: Path, ares: Ares) -> None:
    code, _, _ = ares("run", *WINDOW, "--run", "forged")
    assert code == 0
    folder = Workspace(root).journal_dir / "history" / "forged"
    told = list(entries(folder))
    (folder / "000001.journal").unlink()
    journal = RunJournal(folder, sync_ms=10**9)
    for entry in told:
        effects = entry.effects
        if entry.seq == 200:
            assert isinstance(effects[0], DecisionMade)
            worth = effects[0].equity_units + 1
            effects[0] = msgspec.structs.replace(effects[0], equity_units=worth)
        journal.event(entry.seq, entry.event)
        journal.effects(entry.seq, effects)
    journal.close()
    for command in ("certify", "restep"):
        code, out, _ = ares(command, "forged", "--json")
        said = json.loads(out)
        assert (code, said["mismatches"]) == (1, 1)
        assert said["first"]["journaled"] != said["first"].get("recomputed")
        code, out, _ = ares(command, "history/forged")
        assert code == 1
        assert "The first in full" in out


def test_why_explains_a_bar(ares: Ares) -> None:
    code, out, _ = ares("why", "BTC/USDT", "--json")
    said = json.loads(out)
    assert code == 0
    assert said["instrument"] == "binance:BTC/USDT"
    assert said["slot"] == "champion"
    assert said["action"]
    code, out, _ = ares("why", "ETH/USDT", "--at", "2024-01-02T03:00")
    assert code == 0
    assert out.startswith("binance:ETH/USDT at 2024-01-02 03:00")
    assert "challenger" in out
    code, _, err = ares("why", "ETH/USDT", "--at", "2024-01-02T03:00")
    assert (code, err) == (0, "")
    code, late, err = ares("why", "BTC/USDT", "--at", "2030-01-01")
    assert (code, late) == (0, ares("why", "BTC/USDT")[1])
    assert "has no decision for binance:BTC/USDT at 2030-01-01 00:00: the last one before" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("why", "XRP/USDT"), "'XRP/USDT' is not in history/"),
        (("why", "BTC/USDT", "--at", "2024-01-01"), "decided nothing for BTC/USDT"),
        (("why", "BTC/USDT", "--at", "soon"), "'soon' is not a date"),
        (("why", "BTC/USDT", "--run", "none"), "no run 'none': there are"),
        (("certify", "none"), "no run 'none'"),
        (("restep", "none"), "no run 'none'"),
        (("run", "--from", "2024-01-03", "--to", "2024-01-02"), "is not before"),
        (("run", "--from", "2030-01-01", "--to", "2030-01-02"), "no candles"),
        (("run", "-s", "XRP/USDT", *WINDOW), "unknown symbol"),
        (("run", "--env", "live"), "this version supports history only"),
        (("run", "--speed", "2"), "history runs support max only"),
        (("run", "--run", "../x"), "use letters, digits"),
    ],
)
def test_a_mistake_is_one_line(ares: Ares, arguments: tuple[str, ...], words: str) -> None:
    code, out, err = ares(*arguments)
    assert (code, out) == (2, "")
    assert one_line(err), err
    assert words in err


def test_a_symbol_asked_for_twice_is_traded_once(ares: Ares) -> None:
    twice = ("-s", "BTC/USDT", "-s", "binance:BTC/USDT", "-s", "btcusdt")
    code, out, err = ares("run", *twice, *WINDOW, "--run", "twice", "--json")
    assert code == 0, err
    assert [one["instrument"] for one in json.loads(out)["instruments"]] == ["binance:BTC/USDT"]


def test_other_settings_make_another_run_and_a_named_one_is_not_mixed(
    root: Path, ares: Ares, settings_of: Callable[..., None]
) -> None:
    settings_of(root, account={"capital_quote": 5_000.0})
    code, out, _ = ares("run", *WINDOW, "--json")
    assert (code, json.loads(out)["environment"]) == (0, "history/20240102-20240102-2")
    code, out, err = ares("run", *WINDOW, "--run", "20240102-20240102")
    assert (code, out, one_line(err)) == (3, "", True)
    assert "cash 10000 (now 5000): put that back, or start a new run" in err


def test_a_backtest_with_the_gate_comes_to_what_the_run_came_to(ares: Ares) -> None:
    """One engine: same candles, models, mode, limits and memory of volatility and scores."""
    asked = ("-s", "BTC/USDT", *WINDOW)
    run_said = json.loads(ares("run", *asked, "--run", "one-engine", "--json")[1])
    code, out, err = ares("backtest", *asked, "--gate", "--no-db", "--json")
    assert code == 0, err
    tested = json.loads(out)
    trades = sum(one["real"]["trades"] for one in run_said["instruments"])
    assert trades > 3
    assert tested["trades"] == trades
    assert tested["equity_end"] == pytest.approx(run_said["equity_end"], abs=1e-7)
    assert tested["fees"] == pytest.approx(run_said["fees"], abs=1e-7)


def test_models_of_different_references_do_not_run_together(
    root: Path, ares: Ares, ensemble_of: Callable[..., Ensemble]
) -> None:
    """Each model saw the features of its own reference; a run has one."""
    models = ModelStore(Workspace(root).models_dir)
    ensemble_of(models, "ETH/USDT", 7, "binance:ETH/USDT")
    code, out, err = ares("run", *WINDOW, "--run", "mixed")
    assert (code, out, one_line(err)) == (2, "", True)
    assert "different reference instruments" in err


def test_a_model_that_saw_the_window_in_training_is_said(
    root: Path, ares: Ares, ensemble_of: Callable[..., Ensemble]
) -> None:
    models = ModelStore(Workspace(root).models_dir)
    seen_ms = START_MS + 28 * 60 * MINUTE_MS
    ensemble_of(models, "ETH/USDT", 8, "binance:BTC/USDT", data_to_ms=seen_ms)
    code, _, err = ares("run", *WINDOW, "--run", "knowing")
    assert code == 0
    assert "binance:ETH/USDT: its models were trained on candles up to 2024-01-02 04:00" in err
    assert "binance:BTC/USDT: its models" not in err


def test_learn_status_of_a_run_without_a_learner_says_so_and_promises_nothing(
    root: Path, ares: Ares, settings_of: Callable[..., None]
) -> None:
    code, out, err = ares("learn", "status")
    assert code == 0
    assert "no learner, up to 2024-01-02 07:00 UTC" in out
    assert "Nothing was trained." in out
    assert "4 of 4" not in out
    assert "has no learner, so nothing here triggers a training: `ares run --learn" in err
    said = json.loads(ares("learn", "status", "--json")[1])
    assert said["learns"] is False
    assert {one["budget_left"] for one in said["instruments"]} == {None}
    forbidden = {"in_production": False}
    settings_of(root, learning=forbidden, live_trading={"enabled": True})
    err = ares("learn", "status")[2]
    assert "has no learner: learning.in_production is false" in err
    assert "--learn" not in err


def test_learn_status_of_a_run_with_a_learner_does_not_deny_it(
    root: Path, ares: Ares, settings_of: Callable[..., None]
) -> None:
    """``--learn`` makes one whatever the settings say."""
    settings_of(root, continuous_learning={"enabled": False, "retraining": {"on_loss": False}})
    assert ares("run", *WINDOW, "--learn", "--run", "learns")[0] == 0
    code, out, err = ares("learn", "status", "--run", "learns")
    assert (code, err) == (0, "")
    assert "learning up to" in out
