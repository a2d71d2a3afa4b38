"""Processes that compute: started fresh (spawn), kept warm, gone with whoever started them."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from types import TracebackType
from typing import Any

from ares.domain.errors import AresError

NICE = 5
"""Workers stand back behind an engine on the same machine."""

ASKED_S = 0.1
"""Whoever waits for workers asks so often whether it is to stop."""


class PoolInterrupted(Exception):
    """The one who waits for workers was asked to stop: they have ended, what they did is lost."""


@dataclass(frozen=True, slots=True)
class Task:
    """A function and its argument, both of a module's top level so that they can travel.

    label : how a message names it.
    """

    label: str
    function: Callable[[Any], Any]
    argument: Any


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """A task that raised, or whose process died; ``error`` is what a message says."""

    error: str


class WorkerPool:
    """A process pool that names what a dead worker was doing, and goes on with the rest.

    Use it as a context: leaving it ends its processes, at once when an exception leaves with it
    (Ctrl-C): a worker writes nothing, so nothing is left half-done.
    """

    def __init__(
        self,
        workers: int = 0,
        modules: Sequence[str] = (),
        *,
        nice: int = NICE,
        silence_s: float | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Prepare ``workers`` processes (0: one for each core); none is started yet.

        modules   : imported by each process when it starts, so that its first task is quick.
        nice      : how far they stand back.
        silence_s : when nothing is done for so long, something hangs, and is ended like a task
                    that kills its process; None: they may take as long as they like.
        stopped   : asked while they work; True ends them at once.
        """
        self.workers = workers or cores()
        self._modules = tuple(modules)
        self._nice, self._silence_s = nice, silence_s
        self.stopped = stopped
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> WorkerPool:
        """Return the pool."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        """End the processes."""
        self.close(at_once=kind is not None)

    def close(self, at_once: bool = False) -> None:
        """End the processes; the pool can be used again, with new ones."""
        executor, self._executor = self._executor, None
        if executor is None:
            return
        if at_once:
            for process in list(getattr(executor, "_processes", None) or ()):
                _end(process)
        executor.shutdown(wait=True, cancel_futures=True)

    def kill(self) -> None:
        """End the processes whatever they do; the pool can be used again, with new ones."""
        executor = self._executor
        for pid in list(getattr(executor, "_processes", None) or ()):
            _end(pid, signal.SIGKILL)
        self.close()

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Any]]:
        """Yield each task with its result, or ``TaskFailed``, as they are done.

        When a process dies its pool is lost: the tasks that were not done are done again one by
        one in a fresh process, so that the one that kills it is found and named. Raises
        Interrupted where it is ``stopped``.
        """
        waiting: dict[Future[Any], Task] = {
            self._pool().submit(task.function, task.argument): task for task in tasks
        }
        lost: list[Task] = []
        while waiting:
            done = self._first_done(waiting)
            if not done:
                lost += waiting.values()
                self.kill()
                break
            for future in done:
                task = waiting.pop(future)
                try:
                    result = future.result()
                except BrokenProcessPool:
                    lost.append(task)
                    continue
                except Exception as error:
                    result = TaskFailed(said(error))
                yield task, result
        if lost:
            self.close()
        for task in lost:
            yield task, self._alone(task)

    def _first_done(self, waiting: Collection[Future[Any]]) -> set[Future[Any]]:
        """Wait until something is done, and return it; nothing: it was silent for too long."""
        silence_s = math.inf if self._silence_s is None else self._silence_s
        until_s = time.monotonic() + silence_s
        while True:
            left_s = until_s - time.monotonic()
            done, _ = wait(waiting, max(0.0, min(left_s, ASKED_S)), FIRST_COMPLETED)
            if done or left_s <= 0.0:
                return done
            if self.stopped():
                self.kill()
                raise PoolInterrupted

    def _alone(self, task: Task) -> Any:
        future = self._pool().submit(task.function, task.argument)
        if not self._first_done([future]):
            self.kill()
            return TaskFailed(f"nothing was heard of it for {self._silence_s:g} seconds")
        try:
            return future.result()
        except BrokenProcessPool:
            self.close()
            return TaskFailed("its worker process died (out of memory, or killed)")
        except Exception as error:
            return TaskFailed(said(error))

    def _pool(self) -> ProcessPoolExecutor:
        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                self.workers,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin,
                initargs=(self._modules, self._nice),
            )
        return self._executor


class InlinePool(WorkerPool):
    """Does every task at once in the process that asks: for those that are workers already."""

    def __init__(self) -> None:
        super().__init__(1)

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Any]]:
        """Yield each task with its result; what a task raises, it raises."""
        for task in tasks:
            yield task, task.function(task.argument)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _begin(modules: Sequence[str], nice: int) -> None:
    """Make a fresh process a worker: Ctrl-C is its parent's to answer, whose end is its own."""
    import importlib

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(nice)
    _go_first()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()
    for module in modules:
        importlib.import_module(module)


def _go_first() -> None:
    """Be whom the kernel ends where memory runs out, not the engine."""
    with contextlib.suppress(OSError):  # there is no such file but on Linux
        Path("/proc/self/oom_score_adj").write_text("1000")


def _follow(sentinel: int) -> None:
    wait_for([sentinel])
    os._exit(1)


def _end(pid: int, how: signal.Signals = signal.SIGTERM) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, how)


def said(error: Exception) -> str:
    """Return what a message says of an error: one line, with its type where it is no plain word."""
    text = str(error) if isinstance(error, AresError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:300]


def nonsense(result: object) -> str:
    """Return what a message says of something that was never asked for."""
    return f"it gave back {' '.join(repr(result).split())[:100]}"
