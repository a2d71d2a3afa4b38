"""Where the tables of an environment are, and what plain names show there."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares.bootstrap.tables import shown_environment, tables_url
from ares.config.workspace import Workspace


def test_a_history_run_has_its_tables_in_its_folder(tmp_path: Path) -> None:
    workspace, _ = Workspace.init(tmp_path)
    at = (tmp_path / "journal" / "history" / "first" / "tables.db").resolve()
    assert tables_url(workspace, "history/first") == f"sqlite:///{at}"
    assert shown_environment(workspace, "history/first") == "history/first"
    for environment in ("paper", "live", "rehearsal/one"):
        assert tables_url(workspace, environment) == workspace.db_url
        assert shown_environment(workspace, environment) == "paper"


@pytest.mark.parametrize(("enabled", "shown"), [(True, "live"), (False, "paper")])
def test_plain_names_show_live_where_it_is_enabled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enabled: bool, shown: str
) -> None:
    monkeypatch.setenv("ARES_LIVE_TRADING__MODE", "live")
    monkeypatch.setenv("ARES_LIVE_TRADING__ENABLED", str(enabled))
    workspace, _ = Workspace.init(tmp_path)
    assert shown_environment(workspace, "paper") == shown
    assert shown_environment(workspace, "history/x") == "history/x"
