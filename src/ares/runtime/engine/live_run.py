"""The engine in real time: recovered, then driven by what is posted to it until it is stopped.

One task takes one event after the other, reports of a venue all that wait together, so that their
commands wait for the disk once; feeds, people, learner and timers only post. What comes
from other threads is posted with ``post_from_thread``.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ares.core.reconcile import Report
from ares.core.snapshot import snapshot
from ares.core.state import State
from ares.domain.errors import ExternalError
from ares.domain.events import BarsClosed, Effect, EngineStarted, Event, RunStarted
from ares.domain.feed_events import ClockSet
from ares.domain.model_events import ModelPublished
from ares.domain.order_events import (
    ClockSkewMeasured,
    CommandDone,
    CommandGiven,
    CommandRefused,
    Stopping,
    TimeReached,
)
from ares.journal.run import RunJournal
from ares.journal.snapshots import save_snapshot
from ares.journal.verify import BackgroundCheck
from ares.runtime.engine.bar_fills import BarFills
from ares.runtime.engine.clocks import RunningClock
from ares.runtime.engine.hot_swap import HotSwap
from ares.runtime.engine.loop import Loop, Watcher
from ares.runtime.engine.publishing import FindEnsemble, Publishing
from ares.runtime.engine.recovery import RecoveredRun

Task = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """How an engine in real time is carried out; nothing here changes what it does.

    withdraws : a clean stop cancels entries that are not filled, at a venue outside the process.
    snapshot_events, snapshot_s : a snapshot is written after so many events, or so many seconds of
               wall time with an event in them.
    """

    snapshot_events: int = 1_000
    snapshot_s: float = 900.0
    withdraws: bool = True


DEFAULT_OPTIONS = LiveOptions()

WITHDRAW_S = 3.0
"""How long a clean stop waits for the ends of cancelled entries."""


@dataclass(frozen=True, slots=True)
class LiveEnd:
    """How an engine in real time ended.

    events : processed by this start. stopped_by: who asked for it, or that the feed ended.
    """

    events: int
    instants: int
    stopped_by: str


class LiveRun:
    """One start of an engine in real time.

    fills  : the simulated venue's, from the bars; None: a real venue fills by itself.
    make_durable : waits until a seq is safe before its commands leave.
    say    : called with one line for a person.
    """

    def __init__(
        self,
        folder: Path,
        recovered: RecoveredRun,
        loop: Loop,
        inbox: deque[Event],
        journal: RunJournal,
        clock: RunningClock,
        swap: HotSwap,
        fills: BarFills | None,
        make_durable: Callable[[int], Awaitable[None]],
        options: LiveOptions = DEFAULT_OPTIONS,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._folder, self._recovered = folder, recovered
        self._loop, self._inbox, self._journal = loop, inbox, journal
        self._clock, self._swap, self._fills = clock, swap, fills
        self._make_durable, self._options, self._say = make_durable, options, say
        self._queue: deque[Event] = deque()
        self._wake = asyncio.Event()
        self._events = asyncio.get_running_loop()
        self._saver = ThreadPoolExecutor(1, "snapshot")
        self._saved_seq, self._saved_s = recovered.state.seq, self._events.time()
        self._saving: asyncio.Future[None] | None = None
        self._first_seq = recovered.state.seq
        self._hashes = recovered.hashes  # of the newest epoch's code
        self._instants = 0
        self._stopped_by = ""
        self._is_repeated = False
        self._times_set = clock.times_set
        self._answers: list[CommandDone | CommandRefused] = []
        self._answer: Callable[[CommandDone | CommandRefused], None] = lambda _: None
        self._publishing = Publishing(swap, self.post_from_thread, self._process)
        loop.watch(self._carry_out)
        loop.watch(self._publishing.watch)

    @property
    def state(self) -> State:
        """Return the state; only this object changes it, between two events."""
        return self._loop.state

    def post(self, event: Event) -> None:
        """Queue an event, from the thread of this run."""
        self._queue.append(event)
        self._wake.set()

    def post_from_thread(self, event: Event) -> None:
        """Queue an event, from any thread; nothing happens once the run has ended."""
        with suppress(RuntimeError):
            self._events.call_soon_threadsafe(self.post, event)

    def watch(self, watcher: Watcher) -> None:
        """Show every journaled event to ``watcher`` from now on."""
        self._loop.watch(watcher)

    def answer_to(self, answer: Callable[[CommandDone | CommandRefused], None]) -> None:
        """Hand the answers to people's commands to ``answer`` from now on."""
        self._answer = answer

    def publish_from(self, find: FindEnsemble) -> None:
        """Publish the ensembles that commands name from ``find`` from now on."""
        self._publishing.find = find

    def stop(self, by: str) -> None:
        """Stop after the event that is being processed; what is still queued is not taken."""
        self._stopped_by = self._stopped_by or by
        self._wake.set()

    async def run(self, begin: Sequence[Event], tasks: Sequence[Task]) -> LiveEnd:
        """Process events until stopped, or until the first task (the feed) has ended.

        begin : the event with which this start begins (see ``start_event``), and what it needs
                before the feed.

        Raises ExternalError where the journal cannot be written.
        """
        running: list[asyncio.Task[None]] = []
        check: BackgroundCheck | None = None
        try:
            if self._recovered.unanswered is not None:
                self._loop.finish(self._recovered.unanswered)
            for event in begin:
                if isinstance(event, EngineStarted):
                    self._hashes = event.hashes
                await self._process(self._swap.admitted(event, self.state))
            check = BackgroundCheck(self._folder, self._recovered.read_from, self._checked)
            running = [asyncio.create_task(task()) for task in tasks]
            if running:
                running[0].add_done_callback(self._feed_ended)
            await self._consume()
            await self._withdraw()
            await self._process(Stopping(self._clock.now_ms()))
            await self._save()
        finally:
            if check is not None:
                check.stop()
            for task in running:
                task.cancel()
            failed = await asyncio.gather(*running, return_exceptions=True)
            self._saver.shutdown()
            self._journal.close()
        for error in failed:
            if isinstance(error, Exception):
                raise error
        return LiveEnd(self.state.seq - self._first_seq, self._instants, self._stopped_by)

    def _checked(self, error: ExternalError | None) -> None:
        """Say what is wrong with the part of the journal that this start did not read; called from
        a thread. The engine goes on: its state comes from a snapshot, which is whole.
        """
        if error is not None:
            line = f"{error}; the engine goes on, it was started from a snapshot"
            with suppress(RuntimeError):
                self._events.call_soon_threadsafe(self._say, line)

    def _feed_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self._events.call_soon(self.stop, "the feed has ended")

    async def _consume(self) -> None:
        while not (self._stopped_by and not self._queue):
            if not self._queue:
                await self._wait()
            if 0 < self._loop.due_ms <= self._clock.now_ms():
                await self._process(TimeReached(self._loop.due_ms))
            if self._queue:
                await self._take(self._queue.popleft())
            self._save_when_due()
            if self._stopped_by and not self._stopped_by.startswith("the feed"):
                return

    async def _withdraw(self) -> None:
        """Cancel entries, and take reports until they have ended or ``WITHDRAW_S`` has passed: the
        next start looks up what is left.
        """
        if self._fills is not None or not self._options.withdraws or not self._has_entries():
            return
        now_ms, by = self._clock.now_ms(), self._stopped_by
        await self._process(
            CommandGiven(f"withdraw-{uuid.uuid4().hex}", now_ms, by, "withdraw", {})
        )
        until_s = self._events.time() + WITHDRAW_S
        while self._has_entries() and self._events.time() < until_s:
            self._wake.clear()
            if not self._queue:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), until_s - self._events.time())
            while self._queue:
                event = self._queue.popleft()
                if isinstance(event, Report):  # nothing is decided any more
                    await self._process(event)

    def _has_entries(self) -> bool:
        return any(order.kind == "entry" for order in self.state.orders.values())

    async def _wait(self) -> None:
        """Wait until something is posted, or a deadline is reached."""
        self._wake.clear()
        if self._queue or self._stopped_by:
            return
        due_ms = self._loop.due_ms
        timeout_s = self._clock.seconds_until(due_ms) if due_ms > 0 else None
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), timeout_s)

    async def _take(self, event: Event) -> None:
        """Process the next event of the queue."""
        if isinstance(event, ModelPublished) and not await self._is_prepared(event):
            return
        if isinstance(event, ClockSkewMeasured):
            ahead_ms = self._clock.measured(event.venue_ahead_ms)
            event = ClockSkewMeasured(self._clock.now_ms(), ahead_ms)
        if self._clock.times_set != self._times_set:
            self._times_set = self._clock.times_set
            await self._process(clock_set(self._clock))
        if isinstance(event, CommandGiven):
            command = await self._publishing.published(event, self.state)
            if command is None:
                return
            event = command
        if type(event) is BarsClosed:
            await self._fill(event)
            self._instants += 1
        if isinstance(event, Report):  # all that wait are made durable at once
            while self._queue and isinstance(self._queue[0], Report):
                self._inbox.append(event)
                event = self._queue.popleft()
        self._is_repeated = isinstance(event, CommandGiven) and event.id in self.state.answers
        await self._process(self._swap.admitted(event, self.state))
        await asyncio.sleep(0)  # the others post and send between two events

    async def _is_prepared(self, event: ModelPublished) -> bool:
        """Return whether a published model was loaded and tried; otherwise that begins now, in a
        thread, and the event is posted again afterwards.
        """
        prepared = self._swap.prepared(event.ensemble)
        if prepared is not None and prepared.done():
            return True
        if prepared is None:
            future = self._swap.prepare(event.ensemble, self.state)
            future.add_done_callback(lambda _: self.post_from_thread(event))
        return False

    async def _fill(self, event: BarsClosed) -> None:
        """Let a simulated venue fill within the bars, before their close is processed."""
        if self._fills is None or event.kind == "warm":
            return
        for lane in self._fills.lanes(event):
            self._fills.at_open(event, lane)
            await self._drain()
            self._fills.in_range(event, lane)
            await self._drain()

    async def _process(self, event: Event) -> None:
        self._inbox.append(event)
        await self._drain()

    async def _drain(self) -> None:
        """Process until nothing waits: a simulated venue answers while commands are sent."""
        while self._inbox:
            commands = self._loop.turn()
            if commands:
                await self._make_durable(self.state.seq)
                self._loop.send(commands)
            if self._answers:
                await self._give_answers()

    async def _give_answers(self) -> None:
        """Give people the answers to their commands, once what was done is safe on the disk."""
        answers, self._answers = self._answers, []
        await self._events.run_in_executor(self._saver, self._journal.sync)
        for fact in answers:
            self._answer(fact)

    def _carry_out(self, _seq: int, event: Event, effects: Sequence[Effect]) -> None:
        """Carry out the commands that concern this process: ``stop`` and ``snapshot``.

        A command that is delivered again, because its answer was lost, is only answered.
        """
        if not isinstance(event, CommandGiven):
            return
        self._answers += [e for e in effects if isinstance(e, CommandDone | CommandRefused)]
        if not self._is_repeated and any(isinstance(e, CommandDone) for e in effects):
            if event.verb == "stop":
                self.stop(event.who)
            elif event.verb == "snapshot":
                self._saved_seq = -self._options.snapshot_events

    def _save_when_due(self) -> None:
        """Begin a snapshot where one is due and none is being written."""
        state, now_s = self.state, self._events.time()
        if self._saving is not None and not self._saving.done():
            return
        behind = state.seq - self._saved_seq
        late = behind > 0 and now_s - self._saved_s >= self._options.snapshot_s
        if behind >= self._options.snapshot_events or late:
            self._saving = self._begin_save()
            self._saving.add_done_callback(self._snapshot_written)

    def _snapshot_written(self, future: asyncio.Future[None]) -> None:
        """Say that a snapshot failed; the next start reads a longer tail of the journal."""
        if not future.cancelled() and future.exception() is not None:
            self._say(f"no snapshot was written: {future.exception()}")

    def _begin_save(self, *, is_kept: bool = False) -> asyncio.Future[None]:
        """Take the state's bytes now; write them in a thread once the journal is durable."""
        state, journal = self.state, self._journal
        seq, raw, position, setup = state.seq, snapshot(state), journal.position, state.setup
        hashes = self._hashes
        self._saved_seq, self._saved_s = seq, self._events.time()

        def save() -> None:
            journal.sync()  # a snapshot is never of a later moment than the journal
            save_snapshot(self._folder, seq, raw, position, setup, hashes=hashes, is_kept=is_kept)

        return self._events.run_in_executor(self._saver, save)

    async def _save(self) -> None:
        await self._begin_save(is_kept=True)


def clock_set(clock: RunningClock) -> ClockSet:
    """Return both times of a clock that was set, and its speed."""
    return ClockSet(clock.now_ms(), clock.wall_ms(), clock.speed)


def start_event(
    recovered: RecoveredRun, is_new: bool, hashes: dict[str, str], nonce: str, clock_ms: int = 0
) -> Event:
    """Return the event with which a start begins: of the run, or of another epoch of it.

    nonce : drawn anew at each start: a journal restored from a backup must not issue an id again.
    clock_ms : what a wall clock said that is not believed, see ``RunningClock.after``.
    """
    state = recovered.state
    if is_new:
        return RunStarted(state.setup)
    restarted = () if recovered.upgrade is None else recovered.upgrade.restarted
    return EngineStarted(hashes, state.seq, nonce, restarted, clock_ms)
