"""A server of the test's own on loopback: its market is made here, its clock runs fast."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ares.domain.timeframe import MINUTE_MS
from ares.kernel.bars import Bars
from ares.sim.serve.clock import MarketClock
from ares.sim.serve.faults import ActiveFaults, Fault
from ares.sim.serve.keys import SimKey, default_keys
from ares.sim.serve.market import SimMarket
from ares.sim.serve.matching import Exchange
from ares.sim.serve.protocols import PROTOCOLS
from ares.sim.serve.server import MarketServer
from ares.sim.serve.venue import SimVenue
from ares.venues.ccxt_setup import prepare

FROM_MS = 1_700_006_400_000  # 2023-11-15 00:00
N_BARS = 3_000
START_MS = FROM_MS + 2_000 * MINUTE_MS


def made_bars(seed: int, price: float, decimals: int) -> Bars:
    """Return 3,000 minutes of a random walk; every tenth has no volume."""
    rng = np.random.default_rng(seed)
    scale = 10.0**decimals
    close = np.rint(price * np.exp(np.cumsum(rng.normal(0, 5e-4, N_BARS))) * scale) / scale
    opened = np.concatenate([[price], close[:-1]])
    wick = np.rint(rng.exponential(3e-4, (2, N_BARS)) * price * scale) / scale
    high = np.rint((np.maximum(opened, close) + wick[0]) * scale) / scale
    low = np.rint((np.minimum(opened, close) - wick[1]) * scale) / scale
    volume = np.rint(rng.exponential(20.0, N_BARS) * 1e5) / 1e5
    silent = np.arange(N_BARS) % 10 == 7
    volume[silent] = 0.0
    ts_ms = FROM_MS + MINUTE_MS * np.arange(N_BARS, dtype=np.int64)
    return Bars.make(ts_ms, opened, high, low, close, volume)


def made_market() -> dict[str, Bars]:
    return {"BTC/USDT": made_bars(1, 37_000.0, 2), "ADA/USDT": made_bars(2, 0.37, 4)}


@dataclass
class Served:
    """A server that listens."""

    protocol: str
    address: str
    venue: SimVenue
    server: MarketServer
    keys: list[SimKey]

    @property
    def socket_address(self) -> str:
        return self.address.replace("http", "ws")

    @property
    def account(self) -> Exchange:
        assert self.venue.exchange is not None
        return self.venue.exchange

    def key(self, name: str) -> SimKey:
        return next(key for key in self.keys if key.name == name)

    def exchange(self, name: str, key: str = "engine") -> Any:
        """Return a ccxt.pro exchange that talks to this server."""
        import ccxt.pro

        exchange = getattr(ccxt.pro, name)({"enableRateLimit": False})
        if self.keys:
            exchange.apiKey, exchange.secret = self.key(key).key, self.key(key).secret
        prepare(exchange, self.address)
        return exchange

    def fault(self, kind: str, **values: object) -> int:
        return self.venue.faults.add(Fault(kind, **values))  # type: ignore[arg-type]


BALANCES = {"BTC": 2 * 10**8, "ADA": 10_000 * 10**8, "USDT": 10_000_000 * 10**8}


@asynccontextmanager
async def serving(
    protocol: str, speed: float = 60.0, from_ms: int = START_MS, tier: str = ""
) -> AsyncIterator[Served]:
    """Serve the made market, and an account where the protocol has one, until the block ends."""
    clock = MarketClock(from_ms, speed, lambda: time.time_ns() // 1_000_000, time.monotonic)
    faults = ActiveFaults(clock.monotonic_s)
    found = PROTOCOLS[protocol]
    rules, ids = found.rules(), found.ids(1_000)
    exchange = Exchange(clock.market_ms, BALANCES, rules, faults, ids)
    venue = SimVenue(SimMarket(made_market()), clock, faults, exchange)
    keys = default_keys(1, withdraws=True)
    server = MarketServer(venue, found.face(venue, keys, tier))
    address = await server.start()
    try:
        yield Served(protocol, address, venue, server, keys)
    finally:
        await server.stop()


@contextmanager
def serving_in_thread(protocol: str, speed: float = 60.0, tier: str = "") -> Iterator[Served]:
    """Serve in a thread of its own, for clients that block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    scene = serving(protocol, speed, tier=tier)
    try:
        yield asyncio.run_coroutine_threadsafe(scene.__aenter__(), loop).result(30)
    finally:
        left = asyncio.run_coroutine_threadsafe(scene.__aexit__(None, None, None), loop)
        left.result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
