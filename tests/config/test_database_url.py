"""The database by variables, as guides name them; ``database.url`` goes before them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares.config.database_url import timescale_url
from ares.config.workspace import Workspace
from ares.domain.errors import UserError

ALL = {
    "TIMESCALE_HOST": "127.0.0.1", "TIMESCALE_PORT": "5433", "TIMESCALE_USER": "me",
    "TIMESCALE_PASSWORD": "a/b:c", "TIMESCALE_DB": "trading",
}  # fmt: skip


def test_all_five(tmp_path: Path) -> None:
    assert timescale_url(tmp_path, ALL) == "postgresql://me:a%2Fb%3Ac@127.0.0.1:5433/trading"
    assert timescale_url(tmp_path, {"TIMESCALE_HOST": "h"}) == "postgresql://h:5432/ares"
    assert timescale_url(tmp_path, ALL | {"TIMESCALE_HOST": " "}) is None
    with pytest.raises(UserError, match="TIMESCALE_PORT is not a number"):
        timescale_url(tmp_path, ALL | {"TIMESCALE_PORT": "x"})


def test_a_workspace_takes_them_from_dotenv_and_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, _ = Workspace.init(tmp_path)
    for name in ALL:
        monkeypatch.delenv(name, raising=False)
    assert workspace.db_url.startswith("sqlite:///")
    (tmp_path / ".env").write_text("TIMESCALE_HOST=first\nTIMESCALE_DB=of_dotenv\n")
    assert workspace.db_url == "postgresql://first:5432/of_dotenv"
    monkeypatch.setenv("TIMESCALE_HOST", "second")
    assert workspace.db_url == "postgresql://second:5432/of_dotenv"
    monkeypatch.setenv("ARES_DATABASE__URL", "postgresql://third/db")
    assert Workspace(tmp_path).db_url == "postgresql://third/db"
