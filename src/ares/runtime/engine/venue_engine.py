"""The engine in real time with a venue outside this process."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from ares.core.models import Models
from ares.domain.events import Event
from ares.journal.run import RunJournal
from ares.ports import Venue
from ares.runtime.engine.clocks import RunningClock
from ares.runtime.engine.hot_swap import HotSwap
from ares.runtime.engine.live_run import DEFAULT_OPTIONS, LiveOptions, LiveRun
from ares.runtime.engine.loop import Loop, Watcher
from ares.runtime.engine.recovery import RecoveredRun


class RunningVenue(Venue, Protocol):
    """A venue outside this process: what is sent is carried out while it runs."""

    async def run(self) -> None:
        """Keep a session and post what the venue reports, until cancelled. Never raises for what
        the other side does.
        """

    async def close(self) -> None:
        """End what is on its way; the next start looks it up."""


def venue_engine(
    folder: Path,
    recovered: RecoveredRun,
    models: Models,
    swap: HotSwap,
    clock: RunningClock,
    venue: Venue,
    sync_ms: int = 50,
    watchers: Sequence[Watcher] = (),
    options: LiveOptions = DEFAULT_OPTIONS,
    say: Callable[[str], None] = lambda _: None,
) -> LiveRun:
    """Return the engine, ready to run. Call it inside the event loop that it shall run in.

    venue : run by the caller, together with the engine.
    watchers : see ``Loop``.
    """
    state = recovered.state
    inbox: deque[Event] = deque()
    journal = RunJournal(folder, sync_ms, end=recovered.end)

    async def on_disk(seq: int) -> None:
        await asyncio.wrap_future(journal.durable(seq))

    loop = Loop(
        state, journal, venue, models, clock, inbox,
        [*watchers, lambda _seq, _event, effects: swap.release_unused(state, effects)],
    )  # fmt: skip
    return LiveRun(
        folder, recovered, loop, inbox, journal, clock, swap, None, on_disk, options, say
    )
