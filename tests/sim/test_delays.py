"""Durations of the attacking world follow from the seed, and from what goes wrong."""

from __future__ import annotations

from random import Random

import pytest

from ares.sim.delays import Delays
from ares.sim.faults import Chance, Faults


@pytest.mark.parametrize(("fault", "least"), [("delayed", 500), ("slow_fill", 2_000)])
def test_what_goes_wrong_takes_longer(fault: str, least: int) -> None:
    def drawn(rate: float) -> list[int]:
        delays = Delays(Random(1), Chance(Random(2), Faults(**{fault: rate})))
        made = delays.message_ms if fault == "delayed" else delays.fill_ms
        return [made() for _ in range(50)]

    assert max(drawn(0.0)) < least <= min(drawn(1.0))
    assert drawn(0.5) == drawn(0.5), "the same seed"
