"""Keeps the processes of an environment running: started in order, watched, ended in order."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from ares.runtime.ops.child import Child, ChildState

TURN_S = 0.25
START_S = 300.0
"""A process may take so long until it is healthy for the first time: code is compiled, the journal
is read, the venue is waited for."""

HUNG_S = 30.0
BOUND_S = 60.0

Liveness = Literal["live", "starting", "hung", "dead"]


Beat = Callable[[], float | None]
"""Returns something that changes with each sign of life; None: there was none yet."""


class ProcessStatus(msgspec.Struct, frozen=True):
    """A process of ``ares up``, for a person."""

    name: str
    state: ChildState
    liveness: Liveness
    pid: int
    starts: int
    detail: str


class Watched:
    """A process with its signs of life.

    A sign is counted by the clock of the supervisor, at the moment at which it is seen: a machine
    that slept, or whose clock was set, kills no process.
    """

    def __init__(
        self,
        child: Child,
        beat: Beat | None = None,
        hung_s: float = HUNG_S,
        start_s: float = START_S,
    ) -> None:
        self.child, self._beat = child, beat
        self._hung_s, self._start_s = hung_s, start_s
        self._pid, self._seen_s, self._known = 0, 0.0, False
        self._newest: float | None = None
        self._turned_s = 0.0

    def turn(self, now_s: float) -> None:
        """See what has become of the process; kill it where it hangs."""
        self.child.turn(now_s)
        stood_still_s = max(0.0, now_s - self._turned_s - 10.0 * TURN_S)
        self._turned_s = now_s
        if self.child.state != "running":
            return
        self._seen_s = min(now_s, self._seen_s + stood_still_s)  # the supervisor did
        newest = None if self._beat is None else self._beat()
        if self.child.pid != self._pid:  # what is there is of the process before, for all we know
            self._pid, self._seen_s, self._known = self.child.pid, now_s, False
        elif newest != self._newest:
            self._seen_s, self._known = now_s, True
        self._newest = newest
        if self.liveness(now_s) == "hung":
            self.child.kill(f"no sign of life for {now_s - self._seen_s:.0f} s: it was killed")

    @property
    def has_shown_life(self) -> bool:
        """Return whether the process that runs has shown that it lives."""
        return self.child.state == "running" and self.child.pid == self._pid and self._known

    def silent_s(self, now_s: float) -> float:
        """Return how long ago its newest sign of life is, or its start."""
        return now_s - self._seen_s if self.child.state == "running" else 0.0

    def liveness(self, now_s: float) -> Liveness:
        """Return whether it lives."""
        if self.child.state != "running":
            return "dead"
        if self._beat is None:
            return "live"
        silent_s = now_s - self._seen_s
        if not self._known:
            return "starting" if silent_s < self._start_s else "hung"
        return "live" if silent_s < self._hung_s else "hung"


class Supervisor:
    """The processes of an environment, in the order in which they are started.

    wait : waits for so many seconds, or until somebody wants the supervisor to stop; returns
           whether that is so.
    """

    def __init__(
        self,
        watched: Sequence[Watched],
        clock: Callable[[], float],
        say: Callable[[str], None],
        wait: Callable[[float], bool],
        each_turn: Callable[[float], None] = lambda _now_s: None,
    ) -> None:
        self._watched, self._clock, self._say = tuple(watched), clock, say
        self._wait, self._each_turn = wait, each_turn
        self._bounded_s = clock()

    def run(self) -> None:
        """Keep them running until somebody wants it to stop."""
        while True:
            now_s = self._clock()
            self.turn(now_s)
            self._each_turn(now_s)
            if self._wait(TURN_S):
                return

    def turn(self, now_s: float) -> None:
        """Take one look at all of them."""
        for each in self._watched:
            each.turn(now_s)
        if now_s - self._bounded_s > BOUND_S:
            self._bounded_s = now_s
            for each in self._watched:
                each.child.bound_output()

    def shut_down(self, wait: Callable[[float], bool]) -> bool:
        """End them, the last one first; return whether all have ended.

        Each is given its time after SIGTERM, then killed. wait: as of the constructor; where
        somebody wants to stop once more, the others go on.
        """
        for each in reversed(self._watched):
            child = each.child
            if child.has_ended():
                continue
            self._say(f"stopping {child.plan.name} (process {child.pid})")
            child.send(signal.SIGTERM)
            until_s = self._clock() + child.plan.stop_s
            while not child.has_ended():
                if wait(TURN_S):
                    self._say(f"{child.plan.name} goes on (process {child.pid})")
                    return False
                if self._clock() > until_s:
                    self._say(f"{child.plan.name} did not end in {child.plan.stop_s:g} s: killed")
                    child.send(signal.SIGKILL)
                    until_s = self._clock() + child.plan.stop_s
        return True

    def status(self, now_s: float) -> list[ProcessStatus]:
        """Return how each of them is."""
        return [
            ProcessStatus(
                each.child.plan.name, each.child.state, each.liveness(now_s), each.child.pid,
                each.child.starts, each.child.detail,
            )
            for each in self._watched
        ]  # fmt: skip
