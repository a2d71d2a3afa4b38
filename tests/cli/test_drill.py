"""`ares drill`, as it is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares.bootstrap import drill
from ares.cli.main import run
from ares.config.workspace import Workspace
from ares.runtime.ops.drill import DrillResult


def test_what_held_and_what_did_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace, _ = Workspace.init(tmp_path / "w")
    monkeypatch.setenv("ARES_WORKSPACE", str(workspace.root))
    results = [DrillResult("kill", "heals", True, 4.2, "process 1 became 2")]
    monkeypatch.setattr(drill, "drill_rehearsal", lambda *_: results)
    assert run(["drill", "--env", "rehearsal/x"]) == 0
    assert "Everything held." in capsys.readouterr().out
    results.append(DrillResult("venue", "comes back", False, 60.0, "still down"))
    assert run(["drill", "--env", "rehearsal/x"]) == 1
    out = capsys.readouterr().out
    assert "still down" in out
    assert "NO" in out


def test_a_rehearsal_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace, _ = Workspace.init(tmp_path / "w")
    monkeypatch.setenv("ARES_WORKSPACE", str(workspace.root))
    assert run(["drill", "--env", "paper"]) == 2
    assert "in a rehearsal/NAME only" in capsys.readouterr().err
