"""The gate's bench at a glance: noise is refused, skill passes, leaks are caught, chances hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 900
"""A minute on a free core; ten where many want it."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(TIMEOUT_S)]


def smoke(what: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "bench.gate_smoke", what],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    answer: dict[str, Any] = smoke("worlds")
    return answer


def test_ten_worlds_of_noise_are_refused(result: dict[str, Any]) -> None:
    assert [one["promoted"] for one in result["noise"]] == [False] * 10
    assert all("e_value" in one["refused_by"][0] for one in result["noise"])


def test_most_of_ten_worlds_of_skill_pass(result: dict[str, Any]) -> None:
    assert sum(one["promoted"] for one in result["skill"]) >= 7
    assert all(one["rule_sharpe"] > 5.0 and one["simple"] for one in result["skill"])


def test_what_is_trained_again_is_the_same(result: dict[str, Any]) -> None:
    assert result["noise"][0]["reproduced"] == result["skill"][0]["reproduced"] == [[]]


def test_every_planted_leak_is_caught_and_nothing_honest_named(result: dict[str, Any]) -> None:
    leaks = result["leaks"]
    assert leaks["missed"] == leaks["honest_accused"] == []
    assert leaks["caught"] == leaks["planted"] >= 20
    assert leaks["alarms_on_shipped"] == {"features": 0, "news": 0, "labels": 0, "walk": 0}


@pytest.mark.data
def test_real_candles_give_calibrated_chances(ares_data: Path) -> None:
    (one,) = smoke("calibration")
    assert one["instrument"] == "binance:BTC/USDT"
    assert one["calibration_error"] < 0.08  # 15,000 bars; the bench asks 0.03 of 150,000
    assert len(one["reliability"]) == 10
