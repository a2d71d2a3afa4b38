"""Which processes an environment has, and where the passphrase goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ares.bootstrap import keys
from ares.bootstrap.up_processes import UpRequest, watched_processes
from ares.config.workspace import Workspace
from ares.security.passphrase import PassphraseSources

ADDRESS = "http://127.0.0.1:1"
ASKED = list[str]()


def prompt(text: str) -> str:
    ASKED.append(text)
    return "a passphrase"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    ASKED.clear()
    return Workspace.init(tmp_path / "w")[0]


def processes(workspace: Workspace, environment: str) -> tuple[dict[str, Any], list[str]]:
    lines = list[str]()
    request = UpRequest(environment, ("--no-learn",), ADDRESS)
    found = watched_processes(
        workspace, request, lambda _: None, PassphraseSources(environ={}, prompt=prompt),
        lines.append,
    )  # fmt: skip
    return {each.child.plan.name: each.child for each in found}, lines


def test_paper_is_the_engine_alone(workspace: Workspace) -> None:
    found, lines = processes(workspace, "paper")
    assert (list(found), lines, ASKED) == (["engine"], [], [])
    assert found["engine"].plan.command[3:] == (
        "run", "--env", "paper", "--address", ADDRESS, "--no-learn",
    )  # fmt: skip


def test_a_watchdog_is_there_where_it_has_a_key(workspace: Workspace) -> None:
    found, lines = processes(workspace, "rehearsal/x")
    assert list(found) == ["engine"]
    assert lines[0].startswith("no watchdog: it needs a key of its own")
    names = ("REHEARSAL_X_WATCHDOG_KEY", "REHEARSAL_X_WATCHDOG_SECRET")
    (workspace.root / ".env").write_text("".join(f"{name}=abcdef\n" for name in names))
    found, lines = processes(workspace, "rehearsal/x")
    assert (list(found), lines, ASKED) == (["watchdog", "engine"], [], [])


def test_the_passphrase_is_asked_for_once_and_goes_down_the_pipes(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "stored_key", lambda *_: object())
    found, _ = processes(workspace, "rehearsal/x")
    assert list(found) == ["signer", "watchdog", "engine"]
    assert len(ASKED) == 1
    for name in ("signer", "watchdog"):
        assert found[name].plan.command[-2:] == ("--passphrase-fd", "0")
        assert found[name]._secret() == b"a passphrase"
        assert "a passphrase" not in str(found[name].plan)
    assert found["engine"]._secret is None
    assert found["engine"]._waits_for() == "waits for the signer"
