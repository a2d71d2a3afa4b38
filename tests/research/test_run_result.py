"""A run as a backtest's result; that they agree is tested in ``tests/cli/test_runs.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares.domain.errors import UserError
from ares.research.run_result import run_result


def test_a_run_without_a_closing_instant_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    with pytest.raises(UserError, match="new: the run has no closing instant yet"):
        run_result(tmp_path / "new")
