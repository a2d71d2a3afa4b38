"""A Kraken account at a server of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from tests.contracts.venue.scene import Scene
from tests.sim.serving import Served, serving

from ares.domain.api_key import ApiKey
from ares.domain.events import Command
from ares.domain.order_events import VenueUp
from ares.domain.venue import VenueTraits
from ares.venues.ccxt_account import AccountPolicy
from ares.venues.ccxt_venue import CcxtVenue
from ares.venues.kraken import KRAKEN
from ares.venues.kraken_venue import KrakenAccount
from ares.venues.requests import RequestPolicy
from ares.venues.stream import PrivateStreamPolicy

QUICK = AccountPolicy(
    RequestPolicy(turn_s=0.5, answer_s=3.0, read_wait_s=0.05),
    PrivateStreamPolicy(mute_s=4.0, ping_s=0.5, wait_first_s=0.05, wait_max_s=0.5),
)
SYMBOLS = ["BTC/USDT", "ADA/USDT"]


class KrakenScene(Scene):
    """A venue over real sockets. ``served``: the server, which knows the truth."""

    def __init__(self, served: Served, traits: VenueTraits) -> None:
        super().__init__()
        self.served, self.traits = served, traits
        self.lines: list[str] = []
        self.venue: CcxtVenue
        self.connection: KrakenAccount

    def now_ms(self) -> int:
        return self.served.venue.clock.market_ms()

    def ticks(self) -> int:
        return self.served.venue.market.symbols[0].last_ticks(self.served.venue.now_ms())

    def send(self, command: Command) -> None:
        self.venue.send(command)

    def at_venue(self, client_id: str) -> int:
        """Return how many orders with this id the venue ever accepted."""
        orders = self.served.account.orders.values()
        return sum(order.requested.client_id == client_id for order in orders)

    def executed_at_venue(self, client_id: str) -> int:
        """Return the lots that the venue executed of this id, without sign."""
        orders = self.served.account.orders.values()
        return sum(o.filled_lots for o in orders if o.requested.client_id == client_id)


@asynccontextmanager
async def kraken_scene(
    deadline_ms: int = 0, tier: str = "", policy: AccountPolicy = QUICK
) -> AsyncIterator[KrakenScene]:
    """Open a session with a server of its own; deadline_ms: another than the declared one."""
    traits = KRAKEN.traits
    if deadline_ms:
        traits = msgspec.structs.replace(traits, deadline_ms=deadline_ms)
    async with serving("kraken", speed=1.0, tier=tier) as served:
        scene = KrakenScene(served, traits)
        key = served.key("engine")
        account = KrakenAccount(
            ApiKey(key.key, key.secret), scene.now_ms, scene.lines.append, served.address,
            policy=policy,
        )  # fmt: skip
        scene.connection = account
        scene.venue = await account.venue(SYMBOLS, traits, scene.post)
        running = asyncio.create_task(scene.venue.run())
        try:
            await scene.until(lambda: scene.of(VenueUp))
            yield scene
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await scene.venue.close()
