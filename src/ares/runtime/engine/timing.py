"""What a run's wall time went into: feeding instants, machine code, waiting for trainings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from numba.core.event import TimingListener, install_listener

MACHINE_CODE = "numba:compiler_lock"
"""Held while a function is compiled, and while its machine code is loaded from the cache."""


class RunTiming:
    """Measures one start of a run, in seconds of wall time.

    feeding_s : instants fed, without what the two below took meanwhile: a speed is made of these.
    waited_s  : trainings waited for.
    """

    def __init__(self, now_s: Callable[[], float] = time.perf_counter) -> None:
        self._now_s = now_s
        self._begun_s = now_s()
        self._code = TimingListener()  # type: ignore[no-untyped-call]
        self.feeding_s = 0.0
        self.waited_s = 0.0

    @property
    def seconds(self) -> float:
        """Return how long it has been running."""
        return self._now_s() - self._begun_s

    @property
    def code_s(self) -> float:
        """Return how long machine code was made (the first time) or loaded (ever after)."""
        return float(self._code.duration) if self._code.done else 0.0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Notice machine code that is made or loaded meanwhile."""
        with install_listener(MACHINE_CODE, self._code):
            yield

    @contextmanager
    def feeding(self) -> Iterator[None]:
        """Count what happens meanwhile as feeding, less code and waiting."""
        apart_s, begun_s = self.code_s + self.waited_s, self._now_s()
        try:
            yield
        finally:
            taken_s = self._now_s() - begun_s
            self.feeding_s += max(0.0, taken_s - (self.code_s + self.waited_s - apart_s))

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count what happens meanwhile as waiting, less code."""
        code_s, begun_s = self.code_s, self._now_s()
        try:
            yield
        finally:
            self.waited_s += max(0.0, self._now_s() - begun_s - (self.code_s - code_s))
