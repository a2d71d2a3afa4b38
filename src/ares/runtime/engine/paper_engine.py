"""The engine in real time with its simulated venue: virtual money on real bars."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from ares.adapters.simulated_venue import SimulatedVenue
from ares.core.models import Models
from ares.domain.events import Event
from ares.journal.run import RunJournal
from ares.runtime.engine.bar_fills import BarFills
from ares.runtime.engine.clocks import RunningClock
from ares.runtime.engine.history_market import open_orders
from ares.runtime.engine.hot_swap import HotSwap
from ares.runtime.engine.live_run import DEFAULT_OPTIONS, LiveOptions, LiveRun
from ares.runtime.engine.loop import Loop, Watcher
from ares.runtime.engine.recovery import RecoveredRun


def paper_engine(
    folder: Path,
    recovered: RecoveredRun,
    models: Models,
    swap: HotSwap,
    clock: RunningClock,
    sync_ms: int = 50,
    watchers: Sequence[Watcher] = (),
    options: LiveOptions = DEFAULT_OPTIONS,
    say: Callable[[str], None] = lambda _: None,
) -> LiveRun:
    """Return the engine, ready to run. Call it inside the event loop that it shall run in.

    watchers : see ``Loop``.
    """
    state = recovered.state
    inbox: deque[Event] = deque()
    journal = RunJournal(folder, sync_ms, end=recovered.end)
    venue = SimulatedVenue(state.params, state.setup.n_instruments, inbox.append, clock.now_ms)
    venue.adopt(open_orders(state), [int(lots) for lots in state.trade.book["position_lots"]])

    async def written(_seq: int) -> None:
        journal.write()  # the venue ends with this process: it survives nothing that this does not

    loop = Loop(
        state, journal, venue, models, clock, inbox,
        [*watchers, lambda _seq, _event, effects: swap.release_unused(state, effects)],
    )  # fmt: skip
    fills = BarFills(state, venue)
    return LiveRun(
        folder, recovered, loop, inbox, journal, clock, swap, fills, written, options, say
    )
