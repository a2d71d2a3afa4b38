"""``ares db``: made again from the journal, checked, one line for what cannot be."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from tests.paper_engine import START_MS, setup_of

from ares.cli.main import run as ares
from ares.config.workspace import Workspace
from ares.domain.events import BreakerChanged, RunStarted
from ares.domain.order_events import TimeReached
from ares.journal.run import RunJournal


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Return a workspace with the journals of a paper engine and of a history run."""
    made, _ = Workspace.init(tmp_path)
    monkeypatch.setenv("ARES_WORKSPACE", str(tmp_path))
    for name in ("paper", "history/first"):
        journal = RunJournal(made.journal_dir / name, sync_ms=None)
        journal.event(1, RunStarted(setup_of(name)))
        journal.effects(1, [])
        for seq in range(2, 12):
            journal.event(seq, TimeReached(START_MS))
            tripped = BreakerChanged(-1, START_MS, "win_rate", "closed", "open", seq / 100)
            journal.effects(seq, [tripped])
        journal.close()
    return made


def messages(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    found = [row[0] for row in connection.execute("SELECT message FROM error_log ORDER BY id")]
    connection.close()
    return found


def test_tables_are_made_from_the_journal_and_made_again(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ares(["db", "rebuild"]) == 0
    assert capsys.readouterr().out == (
        "paper: the tables have 11 events.\nhistory/first: the tables have 11 events.\n"
    )
    of_run = workspace.journal_dir / "history" / "first" / "tables.db"
    whole = [f"account: closed to open at {seq / 100:.4g}" for seq in range(2, 12)]
    assert messages(workspace.db_path) == messages(of_run) == whole
    connection = sqlite3.connect(workspace.db_path)
    connection.execute("DELETE FROM all_error_log WHERE id > 3")
    connection.commit()
    connection.close()
    assert ares(["db", "rebuild", "--env", "paper"]) == 0
    assert messages(workspace.db_path) == whole
    connection = sqlite3.connect(workspace.db_path)
    assert connection.execute("SELECT DISTINCT environment FROM all_error_log").fetchall() == [
        ("paper",)
    ]
    connection.close()


def test_check_names_databases_and_what_is_behind(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ares(["db", "rebuild", "--env", "paper"]) == 0
    capsys.readouterr()
    assert ares(["db", "check", "--json"]) == 0
    at_home, of_run = json.loads(capsys.readouterr().out)
    assert [lag["environment"] for lag in at_home["lags"]] == ["paper"]
    assert at_home["lags"][0]["seq_behind"] == 0
    assert at_home["lags"][0]["seq"] == 11
    (lag,) = of_run["lags"]
    assert (lag["environment"], lag["seq"], lag["seq_behind"]) == ("history/first", 0, 11)
    assert ares(["db", "check"]) == 0
    assert "history/first" in capsys.readouterr().out


def test_upgrade_and_errors(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert ares(["db", "upgrade"]) == 0
    assert "the newest" in capsys.readouterr().out
    assert ares(["db", "rebuild", "--env", "live"]) == 2
    assert "live has no journal: name one of paper, history/first" in capsys.readouterr().err
    workspace.db_path.write_text("no database at all, only a text" * 100)
    assert ares(["db", "check"]) == 3
    assert "is not a database" in capsys.readouterr().err
