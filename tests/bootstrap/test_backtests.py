"""Backtests of a workspace: a baseline needs no models; nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ares.bootstrap.backtests import backtest
from ares.config.workspace import Workspace
from ares.domain.errors import ExternalError, UserError
from ares.domain.model_life import EnsemblePromoted
from ares.research.backtest_request import BacktestRequest
from ares.runtime.registry.model_journal import read_registry, record

MakeWorkspace = Callable[..., Workspace]
BUY_HOLD = BacktestRequest(symbols=("BTC/USDT",), baseline="buy_hold")
KEY = "simulated:BTC/USDT"


def test_a_baseline_needs_neither_models_nor_the_users_module(workspace_of: MakeWorkspace) -> None:
    workspace = workspace_of(bars=60, features={"module": "none.py"})
    result = backtest(workspace, BUY_HOLD)
    assert len(result.fills) == 1
    with pytest.raises(UserError, match=r"none\.py"):
        backtest(workspace, BacktestRequest(symbols=("BTC/USDT",)))


def test_cash_and_costs_are_those_of_the_settings_unless_requested(
    workspace_of: MakeWorkspace,
) -> None:
    workspace = workspace_of(bars=60, account={"capital_quote": 500.0}, costs={"fee_bps": 0.0})
    free = backtest(workspace, BUY_HOLD)
    assert free.equity[0] == 500.0
    assert free.fills["fee_quote"].sum() == 0.0
    dear = backtest(workspace, replace(BUY_HOLD, fee_bps=9.0, cash_quote=700.0))
    assert dear.equity[0] == 700.0
    assert dear.fills["fee_quote"].sum() > 0.0


def test_a_champion_of_paper_is_preferred_to_one_of_history(archived_root: Path) -> None:
    """The later environment counts; a champion whose model is gone is named, and not replaced."""
    workspace = Workspace(archived_root)
    missing = "f" * 64
    promoted = EnsemblePromoted("paper", KEY, missing, "", "now", "me", "test", True, "")
    record(workspace.journal_dir, [promoted])
    with pytest.raises(ExternalError, match=f"ensemble {missing[:12]} is missing"):
        backtest(workspace, BacktestRequest())


def test_nothing_is_written(archived_root: Path) -> None:
    workspace = Workspace(archived_root)
    before = read_registry(workspace.journal_dir)
    files = sorted(p for p in archived_root.rglob("*") if "cache" not in p.parts)
    result = backtest(workspace, BacktestRequest(days=7.0))
    assert result.candles[0].key == KEY
    after = sorted(p for p in archived_root.rglob("*") if "cache" not in p.parts)
    assert [p for p in after if p.suffix not in (".db-wal", ".db-shm")] == files
    assert read_registry(workspace.journal_dir) == before
