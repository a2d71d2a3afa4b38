"""An event loop that never waits: its time jumps to what is due next."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from ares.runtime.engine.clocks import RunningClock


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs what is ready, then goes on to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual_s = 0.0

    def time(self) -> float:
        return self._virtual_s

    def _run_once(self) -> None:
        waiting: Any = self
        if not waiting._ready and waiting._scheduled:
            self._virtual_s = max(self._virtual_s, waiting._scheduled[0]._when)
        super()._run_once()  # type: ignore[misc]


class VirtualTime:
    """A loop and a clock that belong together."""

    def __init__(self, market_ms: int, speed: float = 1.0) -> None:
        self.loop = VirtualLoop()
        self.clock = RunningClock(
            market_ms, speed, lambda: round(self.loop.time() * 1e9), lambda: market_ms * 1_000_000
        )

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run until the work is done."""
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(work)
