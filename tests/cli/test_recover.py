"""`ares recover`, as it is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares.cli.main import run
from ares.config.workspace import Workspace


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = Workspace.init(tmp_path / "w")
    monkeypatch.setenv("ARES_WORKSPACE", str(made.root))


def test_without_an_issue_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recover"]) == 0
    out = capsys.readouterr().out
    for issue in ("database", "venue", "feed", "model", "disk", "memory", "clock"):
        assert issue in out


def test_where_nothing_is_wrong_that_is_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recover", "database"]) == 0
    assert "database: nothing is wrong" in capsys.readouterr().out


def test_an_issue_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recover", "weather"]) == 2
    assert "'weather' is no issue: database, venue" in capsys.readouterr().err
