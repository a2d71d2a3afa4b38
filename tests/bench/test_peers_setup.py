"""Where the peers of the benchmarks are installed: with a Python that runs, or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.peers.setup import python_of


def test_a_peer_for_this_python_takes_it() -> None:
    assert python_of("vectorbt") == sys.executable


def test_a_name_on_the_path_that_does_not_run_is_no_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = tmp_path / "python3.13"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert python_of("nautilus_trader_2") is None


def test_the_newer_python_runs_where_there_is_one() -> None:
    found = python_of("nautilus_trader_2")
    if found is None:
        pytest.skip("there is no Python 3.13 here")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    assert version.stdout.startswith("Python 3.13")
