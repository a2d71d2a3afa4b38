"""Rules as the kernel reads them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest


def test_a_window_that_cannot_be_remembered_is_refused(sim: Any) -> None:
    with pytest.raises(ValueError, match="at most 256"):
        replace(sim.rules, win_rate_trades=257).record()
