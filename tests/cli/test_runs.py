"""``ares runs``: a run is found again, and has the report of a backtest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Ares = Callable[..., tuple[int, str, str]]

WINDOW = ("--from", "2024-01-02T01:00", "--to", "2024-01-02T07:00")
FIRST = "20240102-20240102"


def test_runs_are_listed_and_shown(ares: Ares, first: dict[str, Any]) -> None:
    code, out, _ = ares("runs", "list", "--json")
    (listed,) = json.loads(out)
    assert code == 0
    assert listed["environment"] == first["environment"]
    assert listed["equity_end"] == first["equity_end"]
    assert ares("run", "-s", "ETH/USDT", *WINDOW, "--run", "second", "--json")[0] == 0
    code, out, _ = ares("runs", "list")
    assert code == 0
    assert "second" in out
    assert out.count("finished") == 2
    code, out, _ = ares("runs", "show", FIRST)
    assert code == 0
    assert out.startswith("history/20240102-20240102: 2024-01-02 01:00 to 2024-01-02 07:00 UTC")
    assert "largest drawdown" in out


def test_the_report_of_a_run_is_that_of_a_backtest(ares: Ares, root: Path) -> None:
    """Same candles, models, gate and costs: every metric of the journal equals the backtest's."""
    options = ("-s", "BTC/USDT", *WINDOW)
    assert ares("run", *options, "--run", "alone", "--json")[0] == 0
    code, out, err = ares("runs", "report", "alone", "--json")
    assert code == 0, err
    reported = json.loads(out)
    tested = json.loads(ares("backtest", *options, "--gate", "--no-db", "--json")[1])
    assert reported["trades"] > 3
    for name, value in tested.items():
        if isinstance(value, float):
            assert reported[name] == pytest.approx(value, rel=1e-6, abs=1e-6), name
    for name in ("trades", "entries", "bars", "buy_hold", "virtual_trades"):
        assert reported[name] == tested[name], name
    assert reported["counts"]["requests"]["entries"] == tested["counts"]["requests"]["entries"]
    page = (root / "reports" / "run_alone.html").read_text()
    assert "history/alone" in page
    assert (root / "reports" / "run_alone_trades.csv").read_text().count("\n") > 3


def test_runs_are_compared_with_one_report(ares: Ares, root: Path) -> None:
    assert ares("run", "-s", "BTC/USDT", *WINDOW, "--run", "alone", "--json")[0] == 0
    code, out, err = ares("runs", "compare", "alone", FIRST, "--report", str(root / "both.html"))
    assert code == 0, err
    assert "history/alone" in out
    assert "Net return" in out
    page = (root / "both.html").read_text()
    assert f"history/{FIRST}" in page
    assert "history/alone" in page
    code, out, err = ares("runs", "compare", "alone", "alone")
    assert (code, out) == (2, "")
    assert "two or more runs" in err


def test_an_unknown_run_is_one_line(ares: Ares) -> None:
    for verb in ("show", "report"):
        code, out, err = ares("runs", verb, "nothing")
        assert (code, out) == (2, "")
        assert "no run 'nothing'" in err
