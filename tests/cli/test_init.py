"""``ares init``: a workspace in one command, and nothing lost in the second."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ares.cli.main import run
from ares.config.load import load_settings
from ares.config.settings import Settings


def test_init_creates_a_workspace_and_prints_the_next_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", str(tmp_path / "w")]) == 0
    shown = capsys.readouterr().out
    assert "ares.yaml" in shown
    assert f"cd {tmp_path / 'w'} && ares data import" in shown
    assert load_settings(tmp_path / "w" / "ares.yaml", {}) == Settings()


def test_init_without_a_folder_takes_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init"]) == 0
    assert (tmp_path / "ares.yaml").is_file()
    assert "next: ares data import" in capsys.readouterr().out


def test_a_second_init_keeps_every_byte(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", str(tmp_path)]) == 0
    (tmp_path / "ares.yaml").write_text("venue: kraken  # mine\n")
    capsys.readouterr()
    assert run(["init", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"root": str(tmp_path.resolve()), "created": []}
    assert (tmp_path / "ares.yaml").read_text() == "venue: kraken  # mine\n"


def test_a_file_in_the_way_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "w").write_text("mine")
    assert run(["init", str(tmp_path / "w")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert (tmp_path / "w").read_text() == "mine"
