"""The bench of peeking, at a glance: ten pairs of each world, as fixed by their seeds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_ten_pairs_of_each_world() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.gate_peeking", "--pairs", "10", "--json"],
        cwd=ROOT,
        env={**os.environ, "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == ""
    result = json.loads(done.stdout)
    worlds = {world["name"]: world for world in result["worlds"]}
    assert list(worlds) == ["normal", "heavy", "clustered", "skewed", "rare", "mostly_flat"]
    for world in worlds.values():
        assert world["largest_loss_sds"] <= world["bound_sds"]
        assert world["declared"] <= 2
        assert world["edges"]["0.05"]["found_share"] >= 0.7
        assert world["edges"]["0.2"]["found_share"] == 1.0
    assert sum(world["declared"] for world in worlds.values()) <= 6  # 2 expected of 60
    assert sum(world["naive_share"] for world in worlds.values()) > 1.0  # the z-test's 4 in 10
    assert done.returncode == (0 if result["met"] else 1)
