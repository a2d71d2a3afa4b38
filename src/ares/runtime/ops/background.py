"""Work that may hang, beside a loop that must not: looks at a database, messages that are sent."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Seen = TypeVar("Seen")

RETRY_S = (2.0, 5.0, 10.0, 20.0, 60.0)
WAITING_MAX = 200
"""Messages that wait to be sent; the oldest ones are lost."""


class BackgroundLook(Generic[Seen]):
    """Looks again and again, in a thread.

    look    : what is looked at; an exception of it is passed to ``failed``.
    clock   : of the loop that asks.
    """

    def __init__(
        self,
        look: Callable[[], Seen],
        failed: Callable[[Exception], Seen],
        clock: Callable[[], float],
        interval_s: float,
    ) -> None:
        self._look, self._failed, self._clock = look, failed, clock
        self._interval_s = interval_s
        self._stopped = threading.Event()
        self._newest: tuple[float, Seen] | None = None
        self._began_s = clock()
        threading.Thread(target=self._work, name="look", daemon=True).start()

    def newest(self, now_s: float) -> tuple[float, Seen | None]:
        """Return how old the newest look is, and what it saw; None: nothing yet."""
        found = self._newest
        return (now_s - self._began_s, None) if found is None else (now_s - found[0], found[1])

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def _work(self) -> None:
        while not self._stopped.is_set():
            try:
                seen = self._look()
            except Exception as error:
                seen = self._failed(error)
            self._newest = (self._clock(), seen)
            self._stopped.wait(self._interval_s)


class Outbox:
    """Sends messages in a thread, in order, until each has gone out.

    send : sends a title and a text; returns what failed, empty: nothing.
    say  : called, from the thread, when a message cannot be sent, and when it was after all.
    """

    def __init__(
        self,
        send: Callable[[str, str], str],
        say: Callable[[str], None],
        retry_s: Sequence[float] = RETRY_S,
    ) -> None:
        self._send, self._say, self._retry_s = send, say, tuple(retry_s)
        self._waiting = deque[tuple[str, str]](maxlen=WAITING_MAX)
        self._changed, self._stopped = threading.Condition(), False
        self._thread = threading.Thread(target=self._work, name="alarms", daemon=True)
        self._thread.start()

    def put(self, title: str, text: str) -> None:
        """Have a message sent."""
        with self._changed:
            self._waiting.append((title, text))
            self._changed.notify_all()

    def close(self, wait_s: float) -> None:
        """Wait until what waits was sent, for so long at most."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join(wait_s)

    def _work(self) -> None:
        failures = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopped)
                if not self._waiting:
                    return
                title, text = self._waiting[0]
            problem = self._send(title, text)
            if not problem:
                if failures:
                    self._say("alarms can be sent again")
                failures = 0
                with self._changed:
                    if self._waiting and self._waiting[0] == (title, text):
                        self._waiting.popleft()
                continue
            if not failures:
                self._say(f"alarms wait: {problem}")
            with self._changed:
                if self._stopped:
                    return
                pause_s = self._retry_s[min(failures, len(self._retry_s) - 1)]
                self._changed.wait_for(lambda: self._stopped, pause_s)
            failures += 1


class Pulse:
    """Does one thing again and again in threads, never twice at a time.

    work : returns what failed; empty: nothing. say: takes a line at the first failure, and when it
           succeeds again.
    """

    def __init__(self, work: Callable[[], str], say: Callable[[str], None], name: str) -> None:
        self._work, self._say, self._name = work, say, name
        self._thread: threading.Thread | None = None
        self._failed = False

    def begin(self) -> bool:
        """Begin, unless the time before has not ended; return whether it has begun."""
        if self._thread is not None and self._thread.is_alive():
            return False
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()
        return True

    def join(self, wait_s: float) -> None:
        """Wait until the newest has ended, for so long at most."""
        if self._thread is not None:
            self._thread.join(wait_s)

    def _run(self) -> None:
        problem = self._work()
        if problem and not self._failed:
            self._say(f"{self._name} failed: {problem}")
        if not problem and self._failed:
            self._say(f"{self._name} works again")
        self._failed = bool(problem)
