"""Formats are kept: a workspace made by an earlier commit is opened by this one.

``scripts/make_fixture.py`` made it: models, a verdict, a champion and a run. The code changes, the
files do not. Whatever only reads must work; what needs the same code must say so in one line.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ares.journal.run import setup_of
from ares.runtime.engine.code_version import code_hashes

FIXTURE = Path(__file__).parent / "fixtures" / "workspace.tar.xz"
INSTRUMENT = "simulated:BTC/USDT"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fixture")
    with tarfile.open(FIXTURE) as archive:
        archive.extractall(folder, filter="data")
    return folder


def ares(folder: Path, *words: str) -> tuple[int, str, str]:
    """Return exit code, standard output and standard error of a command."""
    environ = {**os.environ, "ARES_WORKSPACE": str(folder)}
    done = subprocess.run(
        [sys.executable, "-m", "ares", *words],
        cwd=folder, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def read(folder: Path, *words: str) -> Any:
    code, out, err = ares(folder, *words, "--json")
    assert code == 0, err
    return json.loads(out)


def test_its_candles_are_all_there(workspace: Path) -> None:
    (series,) = read(workspace, "data", "list")
    assert (series["instrument"], series["interval"], series["bars"]) == (INSTRUMENT, "1h", 8_766)
    assert ares(workspace, "data", "check")[0] == 0


def test_its_models_are_listed_with_the_champion(workspace: Path) -> None:
    listed = {row["kind"]: row for row in read(workspace, "models", "list")}
    assert set(listed) == {"ensemble", "package"}
    assert listed["ensemble"]["champion_in"] == ["history"]
    (verdict,) = listed["ensemble"]["verdicts"]
    assert (verdict["instrument"], verdict["passed"]) == (INSTRUMENT, False)
    assert "trades" in verdict["failed"]


def test_its_model_has_its_history_and_its_verdict_reads_back(workspace: Path) -> None:
    code, out, err = ares(workspace, "models", "show", "BTC/USDT")
    assert code == 0, err
    for record in ("refused by the gate", "champion by force", "fixture"):
        assert record in out, out


def test_its_model_is_still_scored(workspace: Path) -> None:
    result = read(
        workspace, "backtest", "-s", "BTC/USDT", "--from", "2020-11-01", "--to", "2020-11-08",
        "--no-db",
    )  # fmt: skip
    assert result["bars"] == 168


def test_its_run_is_explained_or_refused_in_one_line_where_the_code_is_other(
    workspace: Path,
) -> None:
    setup = setup_of(workspace / "journal" / "history" / "fixture")
    assert setup is not None
    same = all(setup.hashes.get(name) == value for name, value in code_hashes().items())
    for words in (("certify", "fixture"), ("restep", "fixture"), ("why", "BTC/USDT")):
        code, _, err = ares(workspace, *words)
        if same:
            assert code == 0, err
        else:
            assert code in {0, 1, 2, 3}
            assert len([line for line in err.splitlines() if line.startswith("ares:")]) <= 1
