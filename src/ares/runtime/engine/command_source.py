"""Takes commands out of the database for a running engine, writes its answers and its heartbeat.

A thread of its own does all of it: a database that is locked, slow or gone delays commands, and
never the engine.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

import ares
from ares.domain.errors import AresError
from ares.domain.events import Event
from ares.domain.order_events import CommandDone, CommandGiven, CommandRefused
from ares.ports import Clock
from ares.runtime.engine.clocks import NS_PER_MS
from ares.store.commands import (
    CommandAnswer,
    EngineBeat,
    StoredCommand,
    save_answers,
    save_beat,
    unanswered,
)

POLL_S = 0.1
"""How often commands are looked for: they are taken within 0.5 s at the 99th percentile."""

BEAT_S = 1.0
BUSY_MS = 1_000
"""How long one attempt waits for another process's lock; then it is made again."""

JOIN_S = 3.0
"""How long a stop waits for the last answers to be written."""


class DatabaseCommands:
    """The commands of one environment: a ``CommandSource`` that also tells that the engine runs.

    open_database : opens the database; called again after every failure, from the thread.
    status : the engine's status as JSON; called from the engine's own thread, so that the heartbeat
             stops when the engine hangs.
    speed  : of the market's time; commands expire in wall time.
    say    : called with one line when the database fails, and when it works again.
    """

    def __init__(
        self,
        environment: str,
        open_database: Callable[[], Engine],
        clock: Clock,
        status: Callable[[], bytes],
        speed: float = 1.0,
        say: Callable[[str], None] = lambda _: None,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._environment, self._open, self._clock = environment, open_database, clock
        self._status, self._speed, self._say, self._wall_ns = status, speed, say, wall_ns
        self._facts = deque[CommandDone | CommandRefused]()
        self._states = deque[str](maxlen=1)
        self._state, self._beat_is_due = "", False
        self._wake, self._stopped = threading.Event(), threading.Event()
        self._taken = set[str]()
        self._answers = dict[str, CommandAnswer]()
        self._database: Engine | None = None
        self._file: tuple[int, int] | None = None
        self._problem = ""
        self._started_ms = self._wall_ms()

    async def run(self, post: Callable[[Event], None]) -> None:
        """Post commands until cancelled; then write the last answers, and that the engine stopped.

        post : called in the thread of the event loop.
        """
        events = asyncio.get_running_loop()

        def post_from_thread(event: Event) -> None:
            events.call_soon_threadsafe(post, event)

        thread = threading.Thread(target=self._work, args=[post_from_thread], name="commands")
        thread.daemon = True
        self._states.append(self._status().decode())
        thread.start()
        try:
            while True:
                await asyncio.sleep(BEAT_S)
                self._states.append(self._status().decode())
        finally:
            self._states.append(self._status().decode())
            self._stopped.set()
            self._wake.set()
            await asyncio.to_thread(thread.join, JOIN_S)

    def answer(self, fact: CommandDone | CommandRefused) -> None:
        """Take the engine's answer to a command; it is written as soon as the database allows."""
        self._facts.append(fact)
        self._wake.set()

    # --- in the thread -------------------------------------------------------------------------

    def _work(self, post: Callable[[Event], None]) -> None:
        while not self._stopped.is_set():
            self._turn(post)
            self._wake.wait(POLL_S)
            self._wake.clear()
        self._turn(None)
        self._close()

    def _turn(self, post: Callable[[Event], None] | None) -> None:
        """Write answers and heartbeat, then take new commands; None: the engine stops."""
        while self._facts:
            fact = self._facts.popleft()
            if isinstance(fact, CommandDone):
                self._answers[fact.id] = CommandAnswer("done", fact.detail)
            else:
                self._answers[fact.id] = CommandAnswer("refused", fact.reason)
        while self._states:
            self._state, self._beat_is_due = self._states.popleft(), True
        try:
            database = self._connected()
            if self._answers:
                save_answers(database, self._answers, self._wall_ms())
                self._taken -= self._answers.keys()
                self._answers.clear()
            if self._beat_is_due or post is None:  # the stop is written, whatever came before it
                save_beat(database, self._beat(self._state, stops=post is None))
                self._beat_is_due = False
            if post is not None:
                for command in unanswered(database, self._environment, self._taken):
                    self._taken.add(command.id)
                    post(self._given(command))
        except (AresError, SQLAlchemyError, OSError) as error:
            self._fail(error)
        except RuntimeError:  # the event loop has ended: nobody takes what is posted
            self._stopped.set()
        else:
            if self._problem:
                self._say("commands: the database works again")
                self._problem = ""

    def _fail(self, error: Exception) -> None:
        """Say the problem once; the next turn tries again with a new connection."""
        self._close()
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        if problem != self._problem:
            self._problem = problem
            self._say(f"commands wait: {problem}")

    def _connected(self) -> Engine:
        """Return the database, opened anew where its file was replaced or is gone."""
        if self._database is not None and self._file != _file_of(self._database):
            self._close()
        if self._database is None:
            self._database = self._open()
            self._file = _file_of(self._database)
        return self._database

    def _close(self) -> None:
        if self._database is not None:
            self._database.dispose()
            self._database = None

    def _beat(self, state: str, *, stops: bool) -> EngineBeat:
        now_ms = self._wall_ms()
        return EngineBeat(
            self._environment, os.getpid(), socket.gethostname(), self._started_ms, now_ms,
            now_ms if stops else None, ares.__version__, state,
        )  # fmt: skip

    def _given(self, command: StoredCommand) -> CommandGiven:
        """Return the event of a command: it expires in market time, by which the engine works."""
        now_ms, expires_ms = self._clock.now_ms(), 0
        if command.expires_ms:
            left_ms = int((command.expires_ms - self._wall_ms()) * self._speed)
            expires_ms = max(1, now_ms + left_ms)
        return CommandGiven(
            command.id, now_ms, command.who, command.verb, command.arguments, expires_ms,
            command.version,
        )  # fmt: skip

    def _wall_ms(self) -> int:
        return self._wall_ns() // NS_PER_MS


def _file_of(database: Engine) -> tuple[int, int] | None:
    """Return device and inode of an SQLite file; None where the database is no file."""
    if database.dialect.name != "sqlite" or not database.url.database:
        return None
    try:
        found = Path(database.url.database).stat()
    except OSError:
        return (0, 0)
    return (found.st_dev, found.st_ino)
