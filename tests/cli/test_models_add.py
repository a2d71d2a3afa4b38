"""The whole way is in tests/runtime/test_strategies.py; here what the command refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares.cli.main import run
from ares.config.workspace import Workspace


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.py:f"], "cannot read"),
        (["rules.py:f", "--set", "fast"], "write NAME=VALUE"),
        (["rules.py:g"], "rules.py has no strategy 'g'; it has f"),
        (["rules.py:f", "--set", "fast=3"], "has no parameter fast"),
    ],
)
def test_what_cannot_be_added_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    Workspace.init(tmp_path / "w")
    (tmp_path / "w" / "rules.py").write_text(
        "from ares.kernel.features.strategy import strategy\n"
        "@strategy(warmup_bars=3)\ndef f(bars, features):\n    return 0.0\n"
    )
    monkeypatch.setenv("ARES_WORKSPACE", str(tmp_path / "w"))
    assert run(["models", "add", *arguments]) == 2
    assert message in capsys.readouterr().err.strip().splitlines()[-1]
