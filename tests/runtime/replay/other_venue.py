"""A venue that does not fill as the model assumes: at other costs, later, or not at all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ares.adapters.simulated_venue import SimulatedVenue
from ares.core.models import Models
from ares.core.snapshot import snapshot
from ares.domain.events import Command, Event
from ares.domain.order_events import (
    CancelOrder,
    OrderAccepted,
    OrderEnded,
    OrderFilled,
    Stopping,
    SubmitOrder,
)
from ares.domain.venue import VenueTraits
from ares.journal.run import RunJournal
from ares.kernel.trade import TradeParams
from ares.runtime.engine.code_version import code_hashes
from ares.runtime.engine.history_market import HistoryMarket, VirtualClock
from ares.runtime.engine.hot_swap import HotSwap
from ares.runtime.engine.live_run import start_event
from ares.runtime.engine.loop import Loop
from ares.runtime.engine.plan import RunPlan
from ares.runtime.engine.recovery import Recovery
from ares.runtime.engine.serving import ServedModels

OUTSIDE = VenueTraits(proves_absence=False)
"""Traits that no simulated venue has, and that change nothing where every order is answered."""


@dataclass(frozen=True)
class Habits:
    """How a venue differs from the model.

    bars_late : bars for which an entry or exit waits. every_rejected: each n-th entry is rejected.
    parts     : executions of one fill. stops: False: stops are never triggered.
    """

    spread_bps: float = 0.0
    fee_ppm: int = 0
    bars_late: int = 0
    every_rejected: int = 0
    parts: int = 1
    stops: bool = True


class OtherVenue(SimulatedVenue):
    """The simulated venue with these habits."""

    def __init__(
        self, habits: Habits, params: TradeParams, n: int, post: Callable[[Event], None],
        now_ms: Callable[[], int],
    ) -> None:  # fmt: skip
        rules = params.rules.copy()
        rules["half_spread_bps"] += habits.spread_bps
        rules["fee_ppm"] += habits.fee_ppm
        super().__init__(TradeParams(rules, params.specs), n, self._report_parts, now_ms)
        self._habits, self._out, self._time = habits, post, now_ms
        self._waiting: dict[int, tuple[SubmitOrder, int]] = {}
        self._entries = 0

    def _report_parts(self, event: Event) -> None:
        """Report one fill as several executions, the last one in full."""
        n = self._habits.parts
        if not isinstance(event, OrderFilled) or n == 1 or abs(event.lots) < n:
            self._out(event)
            return
        lots, fee = event.lots // n, event.fee_units // n
        for k in range(n - 1):
            exec_id = f"{event.exec_id}.{k}"
            self._out(msgspec.structs.replace(event, lots=lots, fee_units=fee, exec_id=exec_id))
        self._out(
            msgspec.structs.replace(
                event, lots=event.lots - (n - 1) * lots, fee_units=event.fee_units - (n - 1) * fee
            )
        )

    def send(self, command: Command) -> None:
        match command:
            case SubmitOrder(client_id=id_, kind=kind, instrument=i) if kind != "stop":
                self._entries += kind == "entry"
                every = self._habits.every_rejected
                if kind == "entry" and every and self._entries % every == 0:
                    self._out(OrderEnded(id_, self._time(), "rejected", 0))
                elif self._habits.bars_late:
                    self._waiting[i] = (command, self._habits.bars_late)
                    self.busy.add(i)
                    self._out(OrderAccepted(id_, self._time()))
                else:
                    super().send(command)
            case CancelOrder(client_id=id_, instrument=i) if (
                i in self._waiting and self._waiting[i][0].client_id == id_
            ):
                del self._waiting[i]
                self._out(OrderEnded(id_, self._time(), "cancelled", 0))
            case _:
                super().send(command)
                self.busy.update(self._waiting)

    def at_open(self, i: int, open_ms: int, ticks: NDArray[np.int64], volume_lots: int) -> None:
        if i in self._waiting:
            command, bars = self._waiting[i]
            self._waiting[i] = (command, bars - 1)
            if bars == 0:
                del self._waiting[i]
                super().send(command)
        super().at_open(i, open_ms, ticks, volume_lots)
        self.busy.update(self._waiting)

    def in_range(self, i: int, open_ms: int, ticks: NDArray[np.int64], volume_lots: int) -> None:
        if self._habits.stops:
            super().in_range(i, open_ms, ticks, volume_lots)
            self.busy.update(self._waiting)


def run_elsewhere(world: Any, folder: Path, habits: Habits) -> None:
    """Run the world's plan at such a venue, in virtual time."""
    plan: RunPlan = world.plan("rehearsal/test")
    setup = msgspec.structs.replace(plan.setup, traits=OUTSIDE)
    serving = ServedModels(world.models)
    models, swap = Models(serving.scorers), HotSwap(serving, lambda _: world.models)
    recovered = Recovery(folder, swap, models).start(setup, snapshot(plan.state))
    state = recovered.state
    clock, inbox = VirtualClock(setup.warm_ms), deque[Event]()
    journal = RunJournal(folder, 10**9, end=recovered.end)
    venue = OtherVenue(habits, state.params, setup.n_instruments, inbox.append, clock.now_ms)
    loop = Loop(state, journal, venue, models, clock, inbox, (), journal.write)
    market = HistoryMarket(loop, venue, clock)
    loop.process(start_event(recovered, True, code_hashes(), "ab" * 8, 0))
    for t in range(len(plan.feed)):
        market.instant(plan.feed, t, plan.warming(t))
    loop.process(Stopping(clock.now_ms()))
    journal.close()
