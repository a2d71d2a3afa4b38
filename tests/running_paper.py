"""A paper engine as it is composed, on the stored candles of a workspace, beside a test."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ares.bootstrap.real_time import RealTimeStart, paper_run
from ares.bootstrap.real_time_plan import RealTimeRequest
from ares.config.workspace import Workspace
from ares.domain.events import Event
from ares.runtime.engine.live_run import LiveRun
from ares.store.commands import beats as stored_beats
from ares.store.database import open_database

FROM_MS = 1_588_291_200_000  # 2020-05-01
WAIT_S = 300.0
SPEED = 10.0 * 3_600.0
"""Ten hourly bars a second."""

REQUEST = RealTimeRequest(stored=True, from_ms=FROM_MS, speed=SPEED)


class Running:
    """A paper engine on stored hourly candles, in a thread of its own; what it has said."""

    def __init__(self, workspace: Workspace, request: RealTimeRequest = REQUEST) -> None:
        self.workspace, self.request, self.lines = workspace, request, list[str]()
        self._run: LiveRun | None = None
        self._events: asyncio.AbstractEventLoop | None = None
        self.failures = list[BaseException]()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        try:
            paper_run(self.workspace, self.request, self._started, self.lines.append)
        except BaseException as error:
            self.failures.append(error)

    def _started(self, _start: RealTimeStart, run: LiveRun) -> None:
        self._events, self._run = asyncio.get_running_loop(), run

    @property
    def seq(self) -> int:
        return 0 if self._run is None else self._run.state.seq

    def await_(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition, as long as the engine runs."""
        until_s = time.monotonic() + WAIT_S
        while not condition():
            assert self._thread.is_alive(), self.failures
            assert time.monotonic() < until_s, self.lines
            time.sleep(0.02)

    def post(self, event: Event) -> None:
        """Hand the engine an event, as its learner does."""
        assert self._run is not None
        self._run.post_from_thread(event)

    def await_end(self) -> None:
        """Wait until the stored candles have ended."""
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        assert not self.failures

    def goes_on(self) -> None:
        """Wait until ten more events were processed."""
        seq = self.seq
        self.await_(lambda: self.seq >= seq + 10)

    def output(self, text: str) -> list[str]:
        return [line for line in self.lines if text in line]

    def stop(self) -> None:
        if self._thread.is_alive():  # no command has stopped it
            self.await_(lambda: self._run is not None)
            assert self._events is not None
            assert self._run is not None
            self._events.call_soon_threadsafe(self._run.stop, "the test")
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        assert not self.failures


@contextmanager
def running(workspace: Workspace, request: RealTimeRequest = REQUEST) -> Iterator[Running]:
    engine = Running(workspace, request)
    try:
        engine.await_(lambda: any(beat.is_alive(now_ms()) for beat in beats(workspace)))
        engine.goes_on()
        yield engine
    finally:
        engine.stop()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@contextmanager
def closing_database(workspace: Workspace) -> Iterator[Any]:
    database = open_database(workspace.db_url)
    try:
        yield database
    finally:
        database.dispose()


def beats(workspace: Workspace) -> list[Any]:
    with closing_database(workspace) as database:
        return stored_beats(database)
