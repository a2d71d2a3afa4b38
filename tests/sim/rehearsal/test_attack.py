"""Orders over a venue's own protocol, and kills: ledger and venue agree; see ``attack``."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.sim.paper.market import Market
from tests.sim.rehearsal.attack import Attack

SMALL = Market(
    symbols=("BTC/USDT", "ETH/USDT"), venue="kraken", days=16, history_days=15,
    timeframes=("5m", "15m"), rows_max=2_000,
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(1_800)  # minutes where the machine is busy
def test_after_a_kill_in_the_middle_of_trading_ledger_and_venue_agree(tmp_path: Path) -> None:
    attack = Attack(tmp_path, SMALL, speed=60.0, seed=1)
    try:
        for n in (1, 3):
            attack.await_orders(n)
            attack.kill()
        assert attack.settle() == []
    finally:
        attack.close()
        shutil.rmtree(tmp_path, ignore_errors=True)
