"""The paper engine as it is composed, with a source of a test in the place of a venue's stream.

Its time is virtual: it goes on to what is due next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from tests.runtime.engine.virtual_time import VirtualLoop

from ares.bootstrap.real_time import PAPER, RealTimeStart, _RealTime
from ares.bootstrap.real_time_plan import RealTimeRequest
from ares.bootstrap.venue_feed import assembler_of
from ares.config.workspace import Workspace
from ares.core.state import State
from ares.domain.events import BarsClosed
from ares.domain.market_data import MarketData
from ares.journal.lock import Lock
from ares.ports import Feed
from ares.runtime.engine.clocks import RunningClock
from ares.runtime.engine.live_feed import LiveFeed, MarketDataSource
from ares.runtime.engine.live_run import LiveEnd, LiveRun
from ares.store.database import open_database

Deliver = Callable[[MarketData], None]
MakeSource = Callable[[RunningClock, int, Deliver], MarketDataSource]
"""Makes a source of what closes after an instant, which hands its values to a function."""

SPEED = 60.0


class _RealTimeOfSource(_RealTime):
    make_source: MakeSource

    def _clock(self, at_ms: int, begin_ms: int = 0) -> RunningClock:
        loop, market_ms = asyncio.get_running_loop(), max(at_ms, begin_ms)
        return RunningClock(market_ms, SPEED, lambda: round(loop.time() * 1e9))

    def _feed(
        self, state: State, clock: RunningClock, after_ms: int, warm: Sequence[BarsClosed]
    ) -> Feed:
        def connect(deliver: Deliver) -> MarketDataSource:
            return self.make_source(clock, after_ms, deliver)

        return LiveFeed(connect, assembler_of(state, clock.speed, after_ms, warm), clock)


def rehearse(
    workspace: Workspace,
    request: RealTimeRequest,
    make_source: MakeSource,
    started: Callable[[RealTimeStart, LiveRun], None] = lambda _start, _run: None,
    say: Callable[[str], None] = lambda _: None,
) -> LiveEnd:
    """Run the engine until its source ends."""
    folder = workspace.journal_dir / PAPER
    lock, database = Lock(folder), open_database(workspace.db_url)
    try:
        engine = _RealTimeOfSource(workspace, request, database, folder, say)
        engine.make_source = make_source
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            return runner.run(engine.run(started))
    finally:
        database.dispose()
        lock.release()
