"""Worker processes: spawned, kept warm, ended with the process that started them."""

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
"""Workers have a lower priority than an engine on the same machine."""

POLL_S = 0.1
"""How often ``stopped`` is called while workers are waited for."""


class PoolInterrupted(Exception):
    """Waiting for workers was stopped: they have ended, their work is lost."""


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
    """A task that raised, or whose process died; ``error``: the message."""

    error: str


class WorkerPool:
    """A process pool that names the task of a worker that ended, and continues with the others.

    Use it as a context: leaving it ends its processes, at once when an exception leaves with it
    (Ctrl-C): a worker writes no file, so none is left half-written.
    """

    def __init__(
        self,
        workers: int = 0,
        modules: Sequence[str] = (),
        *,
        nice: int = NICE,
        timeout_s: float | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Prepare ``workers`` processes (0: one for each core); none is started yet.

        modules   : imported by each process when it starts, so that its first task is quick.
        nice      : of the processes.
        timeout_s : when no task ends for so long, the pool hangs: its tasks are treated like one
                    that kills its process; None: no limit.
        stopped   : called while they work; True ends them at once.
        """
        self.workers = workers or cores()
        self._modules = tuple(modules)
        self._nice, self._timeout_s = nice, timeout_s
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
        """End the processes at once; the pool can be used again, with new ones."""
        executor = self._executor
        for pid in list(getattr(executor, "_processes", None) or ()):
            _end(pid, signal.SIGKILL)
        self.close()

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Any]]:
        """Yield each task with its result, or ``TaskFailed``, as they are done.

        When a process dies its pool is lost: the tasks that were not done are run again one by one
        in a fresh process, so that the task that kills it is found and named. Raises
        PoolInterrupted where it is ``stopped``.
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
                    result = TaskFailed(error_text(error))
                yield task, result
        if lost:
            self.close()
        for task in lost:
            yield task, self._alone(task)

    def _first_done(self, waiting: Collection[Future[Any]]) -> set[Future[Any]]:
        """Wait until a task is done, and return the done ones; none: it timed out."""
        timeout_s = math.inf if self._timeout_s is None else self._timeout_s
        until_s = time.monotonic() + timeout_s
        while True:
            left_s = until_s - time.monotonic()
            done, _ = wait(waiting, max(0.0, min(left_s, POLL_S)), FIRST_COMPLETED)
            if done or left_s <= 0.0:
                return done
            if self.stopped():
                self.kill()
                raise PoolInterrupted

    def _alone(self, task: Task) -> Any:
        future = self._pool().submit(task.function, task.argument)
        if not self._first_done([future]):
            self.kill()
            return TaskFailed(f"timed out after {self._timeout_s:g} s")
        try:
            return future.result()
        except BrokenProcessPool:
            self.close()
            return TaskFailed("its worker process died (out of memory, or killed)")
        except Exception as error:
            return TaskFailed(error_text(error))

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
    """Runs every task in the calling process: for callers that are workers already."""

    def __init__(self) -> None:
        """Start no process."""
        super().__init__(1)

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Any]]:
        """Yield each task with its result; an exception of a task is raised."""
        for task in tasks:
            yield task, task.function(task.argument)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _begin(modules: Sequence[str], nice: int) -> None:
    """Make a fresh process a worker: it ignores Ctrl-C, and ends when its parent does."""
    import importlib

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(nice)
    _prefer_for_oom()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with_parent, args=(parent.sentinel,), daemon=True).start()
    for module in modules:
        importlib.import_module(module)


def _prefer_for_oom() -> None:
    """Let the kernel end this process, not the engine, where memory runs out."""
    with contextlib.suppress(OSError):  # the file exists on Linux only
        Path("/proc/self/oom_score_adj").write_text("1000")


def _end_with_parent(sentinel: int) -> None:
    wait_for([sentinel])
    os._exit(1)


def _end(pid: int, how: signal.Signals = signal.SIGTERM) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, how)


def error_text(error: Exception) -> str:
    """Return an error as one line of a message, with its type where it is not one of Ares."""
    text = str(error) if isinstance(error, AresError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:300]


def unexpected(result: object) -> str:
    """Return the message about a task's result of the wrong type."""
    return f"unexpected result: {' '.join(repr(result).split())[:100]}"
