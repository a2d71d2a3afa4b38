"""An event loop in virtual time: where it would wait, the time is moved on instead."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any


class NothingLeft(RuntimeError):
    """The loop would wait for ever."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """asyncio's loop with another clock; nothing in it may use sockets, threads or processes.

    ``time()`` begins at 0 and moves on to the next timer once nothing else is to be done.
    """

    def __init__(self) -> None:
        self._virtual_s = 0.0
        super().__init__(_Waiting(self))

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._virtual_s

    def pass_s(self, seconds: float | None) -> None:
        """Let time pass, instead of waiting; None: until something happens outside."""
        if seconds is None:
            raise NothingLeft("no task and no timer is left: the loop would wait for ever")
        self._virtual_s += max(0.0, seconds)


class _Waiting(selectors.SelectSelector):
    """Moves the loop's time on where a selector would wait for sockets."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        self._loop.pass_s(timeout)
        return []
