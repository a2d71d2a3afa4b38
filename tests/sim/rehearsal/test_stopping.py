"""`ares kill --flatten` beside engines that are frozen, dead or locked out; see ``stopping``."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.sim.paper.market import make_workspace
from tests.sim.rehearsal.stopping import SMALL, stopped


@pytest.mark.slow
@pytest.mark.timeout(1_800)  # minutes where the machine is busy
def test_kill_flattens_and_the_next_start_shows_no_difference(tmp_path: Path) -> None:
    base = make_workspace(tmp_path / "base", SMALL, "rehearsal/kraken")
    try:
        for mode in ("healthy", "frozen", "locked", "late"):
            measured, wrong = stopped(base, tmp_path / mode, mode, 60.0)
            assert wrong == [], mode
            assert "flat_s" in measured, mode
    finally:
        shutil.rmtree(tmp_path, ignore_errors=True)
