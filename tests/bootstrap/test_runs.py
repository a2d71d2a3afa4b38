"""Runs, composed: what cannot be run is refused before a journal is made; a run is resumed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from ares.bootstrap.runs import RunRequest, history_run
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.timeframe import DAY_MS

MakeWorkspace = Callable[..., Workspace]
FROM_MS = 1_588_291_200_000  # 2020-05-01
WINDOW = RunRequest(from_ms=FROM_MS, to_ms=FROM_MS + DAY_MS)


def runs(workspace: Workspace) -> list[str]:
    """Return the names of the runs that have a journal."""
    return sorted(path.name for path in (workspace.journal_dir / "history").glob("*"))


def test_a_workspace_that_cannot_run_has_no_journal_afterwards(workspace_of: MakeWorkspace) -> None:
    workspace = workspace_of(bars=48)
    with pytest.raises(UserError, match="there is no model for any of these symbols"):
        history_run(workspace, RunRequest())
    with pytest.raises(UserError, match="XRP/USDT"):
        history_run(workspace, RunRequest(symbols=("XRP/USDT",)))
    assert runs(workspace) == []


def test_an_instrument_in_another_currency_is_refused(archived_root: Path) -> None:
    path = archived_root / "ares.yaml"
    settings = yaml.safe_load(path.read_text()) | {"account": {"currency": "EUR"}}
    path.write_text(yaml.safe_dump(settings))
    workspace = Workspace(archived_root)
    with pytest.raises(UserError, match="simulated:BTC/USDT is not quoted in EUR"):
        history_run(workspace, WINDOW)
    assert runs(workspace) == ["fixture"]


def test_a_stopped_run_is_resumed_under_the_name_of_its_window(archived_root: Path) -> None:
    workspace = Workspace(archived_root)
    steps: list[int] = []

    def stopped() -> bool:
        steps.append(1)
        return len(steps) > 3

    history_run(workspace, WINDOW, stopped=stopped)
    whole = history_run(workspace, WINDOW)
    assert runs(workspace) == ["20200501-20200502", "fixture"]
    assert whole.report.environment == "history/20200501-20200502"
    again = history_run(workspace, WINDOW)
    assert again.report == whole.report, "a run that has ended is read, not made again"
    (remark,) = whole.remarks
    assert "in-sample, not evidence" in remark
