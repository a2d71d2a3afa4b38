"""`ares up`, as it is called; `tests/bootstrap/test_up.py` runs it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ares.cli.main import run
from ares.config.workspace import Workspace
from ares.journal.lock import Lock
from ares.runtime.ops.supervisor import ProcessStatus
from ares.runtime.ops.up_status import StatusFile


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    made, _ = Workspace.init(tmp_path / "w")
    monkeypatch.setenv("ARES_WORKSPACE", str(made.root))
    return made


def test_the_status_of_one_that_runs(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    ops = workspace.ops_dir("rehearsal/kraken")
    lock = Lock(ops / "up")
    process = ProcessStatus("engine", "waiting", "dead", 0, 3, "stopped by a person")
    StatusFile(ops, "rehearsal/kraken").write((process,), 1.0, 1)
    assert run(["up", "--env", "rehearsal/kraken", "--status"]) == 0
    out = capsys.readouterr().out
    assert f"rehearsal/kraken: `ares up` is process {os.getpid()}" in out
    assert "stopped by a person" in out
    assert run(["up", "--env", "rehearsal/kraken", "--status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["processes"][0]["starts"] == 3
    lock.release()


def test_without_one_the_status_is_one_line(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["up", "--status"]) == 3
    line = "ares: no `ares up` runs in paper: start it with `ares up --env paper`\n"
    assert capsys.readouterr() == ("", line)


def test_an_environment_that_cannot_be_supervised(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["up", "--env", "history/x"]) == 2
    assert "paper, live or rehearsal/NAME is supervised" in capsys.readouterr().err
