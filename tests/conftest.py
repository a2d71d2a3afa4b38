"""Fixtures that several parts share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples on every run, so that a red test is about the change; `make explore` draws anew.
# How long an example takes says how busy the machine is, and makes no test red.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", UNTIMED, derandomize=True)
settings.register_profile("explore", UNTIMED, print_blob=True)
settings.load_profile(os.environ.get("ARES_EXAMPLES", "same"))


@pytest.fixture(scope="session")
def ares_data() -> Path:
    """Return the folder of real candles; skip, saying why, where it is absent (never in CI)."""
    root = Path(__file__).parent.parent
    folder = Path(os.environ.get("ARES_DATA", root / ".." / "shared" / "data")).resolve()
    if not (folder / "binance").is_dir():
        reason = f"no real candles at {folder}: set ARES_DATA"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
