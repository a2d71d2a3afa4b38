"""Texts of a sweep's report; the command itself is run in tests/bootstrap/test_sweeps.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares.cli.sweep import as_json, show
from ares.domain.sweep import SweepParameter, SweepPlan, SweepResult
from ares.runtime.validation.sweep import RankedResult, SweepReport

PLAN = SweepPlan((SweepParameter("learning.width", (1.0, 2.0)),), "grid", 2, 2, "")


def test_a_sweep_that_did_not_trade_makes_no_candidate(capsys: pytest.CaptureFixture[str]) -> None:
    flat = RankedResult(SweepResult({"learning.width": 1.0}, "r", "e" * 64), None, None)
    failed = RankedResult(SweepResult({"learning.width": 2.0}, note="12 rows"), None, None)
    report = SweepReport(Path("w"), "x:Y/Z", PLAN, (flat, failed), 7, 1, None)
    show(report)
    out = capsys.readouterr().out
    assert "skipped: {'learning.width': 2.0}: 12 rows" in out
    assert "2 recipes tried, 1 of them in an earlier part; 7 ever on x:Y/Z" in out
    assert "No recipe traded enough" in out
    found = as_json(report, Path("w/sweep.png"))
    assert found["best"] is None
