"""A paper engine that is killed at random moments goes on as its journal says; see ``kills``."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.sim.paper.kills import Rehearsal
from tests.sim.paper.market import Market

SMALL = Market(
    symbols=("BTC/USDT", "ETH/USDT"), days=16, history_days=15, timeframes=("5m", "15m"),
    rows_max=2_000,
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(1_800)  # minutes where the machine is busy
def test_killed_and_started_again_everything_is_as_journaled(tmp_path: Path) -> None:
    rehearsal = Rehearsal(tmp_path, SMALL, speed=120.0, seed=1)
    try:
        for _ in range(4):
            rehearsal.round()
        assert rehearsal.settle() == []
        assert rehearsal.people.given
    finally:
        rehearsal.close()
        shutil.rmtree(tmp_path, ignore_errors=True)
