"""A small engine in real time for tests: a state of two instruments, driven by commands alone."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

import msgspec

from ares.config.workspace import Workspace
from ares.core.initial_state import new_state
from ares.core.models import NO_MODELS
from ares.core.state import State
from ares.core.step import step
from ares.domain.events import Effect, Event, RunStarted
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.order_events import AccountSeen, CommandDone, CommandGiven, CommandRefused
from ares.domain.run import RunInstrument, RunSetup
from ares.domain.timeframe import MINUTE_MS, Timeframe
from ares.journal.lock import Lock
from ares.kernel.trade import Rules
from ares.runtime.engine.command_source import DatabaseCommands
from ares.runtime.engine.status import RecentEvents, engine_status
from ares.store.database import open_database

START_MS = 1_704_153_600_000
SYMBOLS = ("BTC/USDT", "ETH/USDT")


def setup_of(environment: str = "paper") -> RunSetup:
    """Return the setup of two instruments without models."""
    lanes = tuple(
        RunInstrument(InstrumentSpec(Instrument("binance", symbol), 2, 3), MINUTE_MS, None, True)
        for symbol in SYMBOLS
    )
    rules = {name: float(value) for name, value in asdict(Rules()).items()}
    return RunSetup(
        environment, lanes, (Timeframe.M1,), -1, START_MS, START_MS + 10**9, START_MS, 10_000.0,
        rules, 0.25, {},
    )  # fmt: skip


class PaperEngine:
    """A started state that keeps its effects; it answers commands in a thread of its own."""

    def __init__(self, root: Path, environment: str = "paper") -> None:
        self.setup = setup_of(environment)
        self.state: State = new_state(self.setup)
        self.events, self.effects = list[Event](), list[Effect]()
        keys = [lane.spec.instrument.key for lane in self.setup.instruments]
        self.recent = RecentEvents(keys)
        self.take(RunStarted(self.setup))
        self.take(AccountSeen(START_MS, START_MS, True, (0, 0), ()))
        path = Workspace(root).db_path
        self.source = DatabaseCommands(environment, lambda: open_database(path), self, self.status)

    def now_ms(self) -> int:
        return START_MS

    def status(self) -> bytes:
        return msgspec.json.encode(engine_status(self.state, self.recent, START_MS + 1_500))

    def take(self, event: Event) -> list[Effect]:
        self.events.append(event)
        effects = step(self.state, event, NO_MODELS, START_MS)
        self.effects += effects
        self.recent.watch(self.state.seq, event, effects)
        return effects

    def answer(self, event: Event) -> None:
        for effect in self.take(event):
            if isinstance(effect, CommandDone | CommandRefused):
                self.source.answer(effect)

    async def run(self, ends: threading.Event, post: Callable[[Event], None]) -> None:
        task = asyncio.create_task(self.source.run(post))
        while not ends.is_set():
            await asyncio.sleep(0.02)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@contextmanager
def running(
    root: Path, environment: str = "paper", *, answers: bool = True, ends: bool = True
) -> Iterator[PaperEngine]:
    """Run an engine in a workspace; without ``answers`` it takes commands and stays silent, without
    ``ends`` it keeps its journal when it was stopped.
    """
    open_database(Workspace(root).db_path).dispose()
    engine, ended = PaperEngine(root, environment), threading.Event()
    lock = Lock(Workspace(root).journal_dir / environment)

    def post(event: Event) -> None:
        if not answers:
            return
        engine.answer(event)
        if ends and isinstance(event, CommandGiven) and event.verb == "stop":
            lock.release()

    thread = threading.Thread(target=lambda: asyncio.run(engine.run(ended, post)))
    thread.start()
    try:
        _await_beat(root, environment)
        yield engine
    finally:
        ended.set()
        thread.join()
        lock.release()


def _await_beat(root: Path, environment: str) -> None:
    from ares.store.commands import beat_of

    database = open_database(Workspace(root).db_path)
    for _ in range(300):
        if beat_of(database, environment) is not None:
            break
        time.sleep(0.01)
    database.dispose()
