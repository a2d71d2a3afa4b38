"""Runs read again: the newest by default; a run of other code is explained from its journal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ares.bootstrap.replays import arms_of_run, certify_run, restep_run, why_run
from ares.config.workspace import Workspace
from ares.domain.errors import UserError

REPLAYS: list[Callable[[Workspace, str | None], Any]] = [
    arms_of_run,
    certify_run,
    restep_run,
    lambda workspace, run: why_run(workspace, run, "BTC/USDT", None),
]


@pytest.mark.parametrize("replay", REPLAYS)
def test_an_unknown_run_is_named_with_those_that_exist(
    archived_root: Path, replay: Callable[[Workspace, str | None], Any]
) -> None:
    with pytest.raises(UserError, match=r"no run 'other'.* fixture"):
        replay(Workspace(archived_root), "other")


@pytest.mark.parametrize("replay", REPLAYS)
def test_a_workspace_without_runs_is_one_line(
    tmp_path: Path, replay: Callable[[Workspace, str | None], Any]
) -> None:
    workspace, _ = Workspace.init(tmp_path / "new")
    with pytest.raises(UserError, match="run"):
        replay(workspace, None)


def test_a_run_of_other_code_is_explained_from_its_journal_and_not_computed_again(
    archived_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal needs no models: they are removed, so that an attempt to open them would fail."""
    monkeypatch.setattr("ares.runtime.replay.epochs.changed_code", lambda _hashes: ["kernel"])
    workspace = Workspace(archived_root)
    workspace.models_dir.rename(archived_root / "gone")
    explanation = why_run(workspace, None, "BTC/USDT", None)
    assert explanation.environment == "history/fixture"
    assert "another version of Ares" in explanation.sentence
    for replay in (certify_run, restep_run):
        with pytest.raises(UserError, match="was made by another version of Ares"):
            replay(workspace, None)


def test_the_arms_of_the_newest_run_are_those_of_the_run_by_name(archived_root: Path) -> None:
    workspace = Workspace(archived_root)
    newest = arms_of_run(workspace, None)
    assert newest
    assert newest == arms_of_run(workspace, "fixture") == arms_of_run(workspace, "history/fixture")
