"""``ares run``: history runs with ONNX models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ares.adapters.model_store import ModelStore
from ares.config.workspace import Workspace
from ares.domain.model import Ensemble
from ares.domain.timeframe import MINUTE_MS

Ares = Callable[..., tuple[int, str, str]]

WINDOW = ("--from", "2024-01-02T01:00", "--to", "2024-01-02T07:00")
START_MS = 1_704_067_200_000  # 2024-01-01


def one_line(text: str) -> bool:
    return text.startswith("ares: ") and text.count("\n") == 1


def test_a_run_returns_its_report(first: dict[str, Any]) -> None:
    assert first["finished"] is True
    assert first["environment"] == "history/20240102-20240102"
    btc, eth = first["instruments"]
    assert (btc["slot"], eth["slot"]) == ("champion", "shadow")
    assert btc["real"]["trades"] > 5
    assert eth["real"]["trades"] == 0
    assert eth["virtual"]["trades"] > 5
    assert set(eth["refused"]) == {"no_champion"}
    assert eth["real"]["win_rate"] is None
    assert first["instants"] == 6 * 60
    assert first["equity_end"] == pytest.approx(first["equity_start"] * (1 + first["net_return"]))


def test_the_report_as_text(ares: Ares) -> None:
    code, out, err = ares("run", *WINDOW)
    assert code == 0
    assert "This run was finished already: nothing was run" in out
    assert "binance:BTC/USDT" in out
    assert "binance:ETH/USDT has no champion: " in err
    assert ", the newest, makes virtual trades only" in err


def test_a_symbol_given_twice_is_traded_once(ares: Ares) -> None:
    twice = ("-s", "BTC/USDT", "-s", "binance:BTC/USDT", "-s", "btcusdt")
    code, out, err = ares("run", *twice, *WINDOW, "--run", "twice", "--json")
    assert code == 0, err
    assert [row["instrument"] for row in json.loads(out)["instruments"]] == ["binance:BTC/USDT"]


def test_other_settings_make_another_run_and_a_named_one_is_not_mixed(
    root: Path, ares: Ares, settings_of: Callable[..., None]
) -> None:
    settings_of(root, account={"capital_quote": 5_000.0})
    code, out, _ = ares("run", *WINDOW, "--json")
    assert (code, json.loads(out)["environment"]) == (0, "history/20240102-20240102-2")
    code, out, err = ares("run", *WINDOW, "--run", "20240102-20240102")
    assert (code, out, one_line(err)) == (2, "", True)
    assert "cash 10000 (now 5000): restore that, or start a new run" in err


def test_a_backtest_with_the_gate_equals_the_run(ares: Ares) -> None:
    """One engine: same candles, models, mode, limits and memory of volatility and scores."""
    options = ("-s", "BTC/USDT", *WINDOW)
    run_result = json.loads(ares("run", *options, "--run", "one-engine", "--json")[1])
    code, out, err = ares("backtest", *options, "--gate", "--no-db", "--json")
    assert code == 0, err
    tested = json.loads(out)
    trades = sum(row["real"]["trades"] for row in run_result["instruments"])
    assert trades > 3
    assert tested["trades"] == trades
    assert tested["equity_end"] == pytest.approx(run_result["equity_end"], abs=1e-7)
    assert tested["fees"] == pytest.approx(run_result["fees"], abs=1e-7)


def test_models_of_different_references_do_not_run_together(
    root: Path, ares: Ares, ensemble_of: Callable[..., Ensemble]
) -> None:
    """A model is trained on the features of one reference; a run has one."""
    models = ModelStore(Workspace(root).models_dir)
    ensemble_of(models, "ETH/USDT", 7, "binance:ETH/USDT")
    code, out, err = ares("run", *WINDOW, "--run", "mixed")
    assert (code, out, one_line(err)) == (2, "", True)
    assert "different reference instruments" in err


def test_a_model_trained_on_the_window_is_reported(
    root: Path, ares: Ares, ensemble_of: Callable[..., Ensemble]
) -> None:
    models = ModelStore(Workspace(root).models_dir)
    seen_ms = START_MS + 28 * 60 * MINUTE_MS
    ensemble_of(models, "ETH/USDT", 8, "binance:BTC/USDT", data_to_ms=seen_ms)
    code, _, err = ares("run", *WINDOW, "--run", "knowing")
    assert code == 0
    assert "binance:ETH/USDT: its models were trained on candles up to 2024-01-02 04:00" in err
    assert "binance:BTC/USDT: its models" not in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "--from", "2024-01-03", "--to", "2024-01-02"), "is not before"),
        (("run", "--from", "2030-01-01", "--to", "2030-01-02"), "no candles"),
        (("run", "-s", "XRP/USDT", *WINDOW), "unknown symbol"),
        (("run", "--env", "lve"), "write history, paper, rehearsal/NAME or live"),
        (("run", "--speed", "2"), "history runs support max only"),
        (("run", "--run", "../x"), "use letters, digits"),
    ],
)
def test_an_error_is_one_line(ares: Ares, arguments: tuple[str, ...], words: str) -> None:
    code, out, err = ares(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("ares: ")
    assert err.count("\n") == 1
    assert words in err
