"""Wall time of a run, by cause: feeding instants, machine code, waiting for trainings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from numba.core.event import TimingListener, install_listener

MACHINE_CODE = "numba:compiler_lock"
"""Held while a function is compiled, and while its machine code is loaded from the cache."""


class RunTiming:
    """Measures one start of a run, in seconds of wall time.

    feeding_s : instants fed, without compiling and waiting: the basis of the engine's speed.
    waited_s  : waiting for trainings.
    """

    def __init__(self, now_s: Callable[[], float] = time.perf_counter) -> None:
        self._now_s = now_s
        self._started_s = now_s()
        self._code = TimingListener()  # type: ignore[no-untyped-call]  # Numba's is not annotated
        self.feeding_s = 0.0
        self.waited_s = 0.0

    @property
    def seconds(self) -> float:
        """Return the time since the start."""
        return self._now_s() - self._started_s

    @property
    def code_s(self) -> float:
        """Return the time spent on compiling machine code, or on loading it from the cache."""
        return float(self._code.duration) if self._code.done else 0.0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Measure machine code that is compiled or loaded inside the block."""
        with install_listener(MACHINE_CODE, self._code):
            yield

    @contextmanager
    def feeding(self) -> Iterator[None]:
        """Count the block as feeding, less code and waiting."""
        other_s, started_s = self.code_s + self.waited_s, self._now_s()
        try:
            yield
        finally:
            taken_s = self._now_s() - started_s
            self.feeding_s += max(0.0, taken_s - (self.code_s + self.waited_s - other_s))

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the block as waiting, less code."""
        code_s, started_s = self.code_s, self._now_s()
        try:
            yield
        finally:
            self.waited_s += max(0.0, self._now_s() - started_s - (self.code_s - code_s))
