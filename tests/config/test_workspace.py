"""A workspace is made once and never overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares.config.settings import Settings
from ares.config.workspace import Workspace
from ares.domain.errors import UserError


def test_init_makes_a_workspace_that_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, made = Workspace.init(tmp_path / "deep" / "w")
    assert "ares.yaml" in made
    assert workspace.settings == Settings()
    for folder in (workspace.journal_dir, workspace.models_dir, workspace.cache_dir):
        assert folder.is_dir()
    monkeypatch.chdir(workspace.root)
    assert Workspace.here({}).root == workspace.root
    monkeypatch.chdir(tmp_path)
    assert Workspace.here({"ARES_WORKSPACE": str(workspace.root)}).root == workspace.root


def test_a_second_init_changes_nothing_and_adds_what_is_missing(tmp_path: Path) -> None:
    workspace, _ = Workspace.init(tmp_path)
    workspace.settings_path.write_text("venue: kraken\n")
    (tmp_path / ".env.example").unlink()
    workspace.reports_dir.rmdir()
    again, made = Workspace.init(tmp_path)
    assert set(made) == {".env.example", "reports/"}
    assert again.settings.venue == "kraken"
    assert Workspace.init(tmp_path)[1] == ()


def test_no_temporary_file_is_left(tmp_path: Path) -> None:
    Workspace.init(tmp_path)
    names = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert names == {"ares.yaml", ".env.example", ".gitignore"}


def test_a_file_in_the_way_is_named_and_kept(tmp_path: Path) -> None:
    (tmp_path / "w").write_text("mine")
    with pytest.raises(UserError, match="is a file"):
        Workspace.init(tmp_path / "w")
    (tmp_path / "journal").write_text("mine")
    with pytest.raises(UserError, match="journal is a file"):
        Workspace.init(tmp_path)
    assert (tmp_path / "journal").read_text() == "mine"
    assert not (tmp_path / "ares.yaml").exists()


def test_a_missing_workspace_names_init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="no workspace here: run `ares init`"):
        Workspace.here({})
    with pytest.raises(UserError, match="ARES_WORKSPACE"):
        Workspace.here({"ARES_WORKSPACE": str(tmp_path / "none")})


def test_addresses_come_from_the_settings_else_from_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    workspace, _ = Workspace.init(tmp_path)
    assert workspace.db_url == f"sqlite:///{tmp_path.resolve()}/ares.db"
    assert workspace.mlflow_uri == f"sqlite:///{tmp_path.resolve()}/mlflow.db"
    (tmp_path / ".env").write_text("ARES_DATABASE__URL=postgresql+psycopg://u:p@h/d\n")
    assert Workspace(tmp_path).db_url == "postgresql+psycopg://u:p@h/d"


def test_mlflow_is_at_the_address_of_the_settings_else_of_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, _ = Workspace.init(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://variable:5000")
    assert workspace.mlflow_uri == "http://variable:5000"
    workspace.settings_path.write_text("mlflow:\n  tracking_uri: http://settings:5000\n")
    assert Workspace(tmp_path).mlflow_uri == "http://settings:5000"


def test_a_new_workspace_names_its_experiment_and_an_older_one_keeps_its_own(
    tmp_path: Path,
) -> None:
    workspace, _ = Workspace.init(tmp_path)
    assert workspace.mlflow_experiments == ("Ares_Trading",)
    workspace.settings_path.write_text("venue: kraken\n")
    assert Workspace(tmp_path).mlflow_experiments == ("ares", "Ares_Trading")
