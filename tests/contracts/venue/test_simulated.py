"""The simulated venue keeps the part of the contract that holds for every venue."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from tests.contracts.venue.contract import ALWAYS, Case, number
from tests.contracts.venue.scene import Scene

from ares.adapters.simulated_venue import SimulatedVenue
from ares.domain.events import Command
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.venue import SIMULATED
from ares.kernel.trade import InstrumentRules, Rules, trade_params

SPEC = InstrumentSpec(Instrument("simulated", "A/B"), 2, 3)
PARAMS = trade_params(Rules(fee_bps=10.0, participation_max=0.5), [InstrumentRules(SPEC, 60_000)])
PRICE = 100_000


class SimulatedScene(Scene):
    """The market stands at one price; each minute of it fills what is due."""

    traits = SIMULATED

    def __init__(self) -> None:
        super().__init__()
        self.minute = 0
        self.venue = SimulatedVenue(PARAMS, 1, self.post, self.now_ms)

    def now_ms(self) -> int:
        return self.minute * 60_000

    def ticks(self) -> int:
        return PRICE

    def send(self, command: Command) -> None:
        self.venue.send(command)

    async def trade(self) -> None:
        bar = np.array([PRICE, PRICE + 5, PRICE - 5, PRICE])
        self.venue.at_open(0, self.now_ms(), bar, 1_000 * self.lots)
        self.venue.in_range(0, self.now_ms(), bar, 1_000 * self.lots)
        self.minute += 1


@pytest.mark.parametrize("case", ALWAYS, ids=number)
def test_the_contract(case: Case) -> None:
    async def run() -> None:
        await case(SimulatedScene())

    asyncio.run(run())
