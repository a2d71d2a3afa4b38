"""A stream of ccxt on a served market, and what it has delivered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from tests.sim.serving import FROM_MS, Served, made_market, serving

from ares.adapters.ccxt_backfill import BackfillPolicy
from ares.adapters.ccxt_stream import CcxtStream, StreamPolicy
from ares.domain.market_data import (
    BarSeen,
    Connected,
    Disconnected,
    MarketData,
    SkewSeen,
    TradeSeen,
)
from ares.domain.timeframe import MINUTE_MS

SYMBOLS = ("BTC/USDT", "ADA/USDT")
SPEED = 240.0
WAIT_S = 40.0
QUICK = StreamPolicy(
    mute_s=1.5, mute_max_s=6.0, first_s=10.0, wait_first_s=0.05, heartbeat_s=0.1, skew_every_s=1.0
)
AT_ONCE = BackfillPolicy(attempts=3, wait_first_s=0.05, wait_max_s=0.1, skew_sample_apart_s=0.23)
"""A time in whole seconds is within 250 ms after five requests that fall anywhere in the second."""

T = TypeVar("T", BarSeen, TradeSeen, Connected, Disconnected, SkewSeen)


class Watching:
    """A stream that runs, what it has delivered, and its lines."""

    def __init__(
        self, served: Served, symbols: tuple[str, ...] = SYMBOLS, venue: str = "kraken"
    ) -> None:
        self.seen: list[MarketData] = []
        self.lines: list[str] = []
        self.stream = CcxtStream(
            *(venue, symbols, served.venue.now_ms, self.seen.append, self.lines.append),
            *(served.address, QUICK, AT_ONCE),
        )
        for exchange in (self.stream._rest_exchange,):
            exchange.enableRateLimit = False

    def of(self, kind: type[T], since: int = 0) -> list[T]:
        return [value for value in self.seen[since:] if isinstance(value, kind)]

    async def until(self, ready: Callable[[], object], what: str) -> None:
        for _ in range(int(WAIT_S / 0.05)):
            if ready():
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"not within {WAIT_S} s: {what}; lines: {self.lines[-5:]}")

    async def connected(self, since: int = 0) -> None:
        await self.until(lambda: self.of(Connected, since), "connected")


Scene = Callable[[Served, Watching], Awaitable[None]]


def play(scene: Scene, speed: float = SPEED, protocol: str = "kraken", **more: Any) -> None:
    """Run a scene beside a running stream; the stream must not have ended by itself."""

    async def run() -> None:
        problems: list[str] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: problems.append(str(context)))
        async with serving(protocol, speed) as served:
            watching = Watching(served, venue=protocol, **more)
            running = asyncio.create_task(watching.stream.run())
            try:
                await scene(served, watching)
                assert not running.done()
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
        assert problems == []
        assert all("\n" not in line for line in watching.lines)

    asyncio.run(run())


def are_true(bars: list[BarSeen]) -> bool:
    """Return whether every bar is that of the market, where it had a volume."""
    for bar in bars:
        columns = made_market()[SYMBOLS[bar.instrument]].columns
        row = (bar.open_ms - FROM_MS) // MINUTE_MS
        wanted = [float(column[row]) for column in columns[1:6]]
        if wanted[-1] and [bar.open, bar.high, bar.low, bar.close, bar.volume] != wanted:
            return False
    return True


def newest(bars: list[BarSeen]) -> list[BarSeen]:
    """Return the last report of each closed bar."""
    return list({(b.instrument, b.open_ms): b for b in bars if b.is_closed}.values())
