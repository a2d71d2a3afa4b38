"""``ares breakers``: a drill opens one, entries are refused, and a person recovers it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import call
from tests.paper_engine import running

from ares.config.workspace import Workspace
from ares.kernel.trade.decide import entry_refusal
from ares.kernel.trade.layout import BREAKER_NAMES, REFUSAL_NAMES

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return Workspace.init(tmp_path / "w")[0].root


@pytest.fixture
def cli(root: Path) -> Cli:
    return lambda *arguments: call(root, list(arguments))


def shown(cli: Cli, name: str, until: str) -> dict[str, Any]:
    """Return a breaker as the status shows it, once it has a status."""
    for _ in range(200):
        code, out, err = cli("breakers", "status", "--json")
        assert (code, err) == (0, "")
        found: dict[str, Any] = next(b for b in json.loads(out) if b["breaker"] == name)
        if found["status"] == until:
            return found
    raise AssertionError(f"{name} is never {until}: {found}")


@pytest.mark.parametrize("name", BREAKER_NAMES)
def test_a_drill_is_shown_refuses_and_is_recovered(root: Path, cli: Cli, name: str) -> None:
    with running(root) as engine:
        assert cli("breakers", "test", name) == (0, f"breaker {name} is open\n", "")
        engine.state.params.specs["has_champion"], engine.state.trade.book["mode"] = 1, 1
        code = entry_refusal(0, engine.now_ms(), engine.state.trade, engine.state.params)
        assert REFUSAL_NAMES[code] == f"breaker_{name}"
        found = shown(cli, name, "open")
        assert found["opened"]["cause"].startswith("test by ")
        assert found["limit"] is not None
        out = cli("breakers", "recover", name, "--reason", "seen")[1]
        assert out == f"breaker {name} is half-open\n"
        assert cli("breakers", "reset", name, "--reason", "seen")[0] == 0
        code, _, err = cli("breakers", "reset", name, "--reason", "seen")
        assert (code, f"breaker {name} is closed: nothing to reset" in err) == (1, True)


def test_the_table_names_what_a_breaker_measures(root: Path, cli: Cli) -> None:
    with running(root):
        code, out, err = cli("breakers", "status")
    assert (code, err) == (0, "")
    for text in ("win_rate", "gas", "volatility", "binance:ETH/USDT", "closed", "0.4"):
        assert text in out


def test_no_drill_where_real_money_trades(root: Path, cli: Cli) -> None:
    with running(root, "live") as engine:
        code, _, err = cli("breakers", "test", "gas")
        assert code == 2
        assert "not where real money trades" in err
        assert engine.events[2:] == []
