"""A venue at a server of the test's own: what its cases need to know of its protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from tests.contracts.venue.scene import Scene
from tests.sim.serving import Served

from ares.domain.events import Command, Event
from ares.domain.order_events import OrderAbsent, VenueUp
from ares.domain.venue import VenueTraits
from ares.sim.serve.orders import SimOrder
from ares.venues.ccxt_venue import CcxtVenue

SYMBOLS = ["BTC/USDT", "ADA/USDT"]


class LoopbackScene(Scene):
    """A venue over real sockets. ``served``: the server, which knows the truth.

    add, cancel, amend : texts of requests, as the faults' ``only`` finds them.
    add_path  : of the address alone, for faults of HTTP.
    balances, look_up : the same of what reads.
    execution : text of a message of the stream that tells an execution.
    words     : of refusals, in the venue's own language.
    has_numbers : messages of the stream are numbered, so that a lost one is noticed.
    has_nonces  : a request that was overtaken is refused.
    refuses_closed : an order for a closed market is refused; otherwise its outcome is unknown.
    """

    add = cancel = amend = add_path = balances = look_up = execution = ""
    words: Mapping[str, str] = {}
    has_numbers = has_nonces = refuses_closed = False

    def __init__(self, served: Served, traits: VenueTraits) -> None:
        super().__init__()
        self.served, self.traits = served, traits
        self.lines: list[str] = []
        self.venue: CcxtVenue

    def now_ms(self) -> int:
        return self.served.venue.clock.market_ms()

    def ticks(self) -> int:
        return self.served.venue.market.symbols[0].last_ticks(self.served.venue.now_ms())

    def send(self, command: Command) -> None:
        self.venue.send(command)

    def orders_at_venue(self, client_id: str) -> list[SimOrder]:
        """Return the orders with this id that the venue ever accepted."""
        orders = self.served.account.orders.values()
        return [order for order in orders if order.requested.client_id == client_id]

    def exec_ids_at_venue(self, order: SimOrder) -> set[str]:
        """Return the ids of an order's executions, as they are reported."""
        return {execution.exec_id for execution in order.executions}

    def at_venue(self, client_id: str) -> int:
        """Return how many orders with this id the venue ever accepted."""
        return len(self.orders_at_venue(client_id))

    def executed_at_venue(self, client_id: str) -> int:
        """Return the lots that the venue executed of this id, without sign."""
        return sum(order.filled_lots for order in self.orders_at_venue(client_id))

    def is_absent(self, answer: list[Event]) -> bool:
        """Return whether a look-up says, for certain, that there is no such order."""
        last = answer[-1]
        return isinstance(last, OrderAbsent) and last.complete

    def name_of(self, order: dict[str, Any]) -> str:
        """Return by which id an order of another client of ccxt is shown."""
        return str(order["id"])

    def share_nonces(self, exchange: Any) -> None:
        """Let another client of ccxt use this account's key."""


@asynccontextmanager
async def running(scene: LoopbackScene) -> AsyncIterator[None]:
    """Run a scene's venue until the block ends; it begins with a session."""
    task = asyncio.create_task(scene.venue.run())
    try:
        await scene.until(lambda: scene.of(VenueUp))
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await scene.venue.close()
