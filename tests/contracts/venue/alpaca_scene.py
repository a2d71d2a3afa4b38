"""An Alpaca account at a server of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from tests.contracts.venue.loopback import SYMBOLS, LoopbackScene, running
from tests.sim.serving import serving

from ares.domain.api_key import ApiKey
from ares.domain.events import Event
from ares.domain.order_events import OrderEnded
from ares.domain.venue import VenueTraits
from ares.sim.serve.orders import SimOrder
from ares.venues.alpaca import ALPACA
from ares.venues.alpaca_venue import AlpacaAccount
from ares.venues.ccxt_account import AccountPolicy
from ares.venues.requests import RequestPolicy
from ares.venues.stream import PrivateStreamPolicy

QUICK = AccountPolicy(
    RequestPolicy(turn_s=0.1, answer_s=3.0, read_wait_s=0.05),
    PrivateStreamPolicy(mute_s=4.0, ping_s=0.5, wait_first_s=0.05, wait_max_s=0.5),
    {"rest": (10_000.0, 1.0)},
    0.3,
)


class AlpacaScene(LoopbackScene):
    """An Alpaca account."""

    add, add_path, cancel, amend = "POST /v2/orders", "/v2/orders", "DELETE /v2/orders", "PATCH"
    balances, look_up = "positions", "by_client_order_id"
    execution = 'fill","event_id'
    words: Mapping[str, str] = MappingProxyType(
        {"key": "not authorized", "funds": "insufficient balance", "minimum": "minimal"}
    )

    def orders_at_venue(self, client_id: str) -> list[SimOrder]:
        """Return the orders with this id; an order that only takes the id is none."""
        return [o for o in super().orders_at_venue(client_id) if not is_claimed(o)]

    def claims_at_venue(self, client_id: str) -> list[SimOrder]:
        """Return the orders that only take this id."""
        return [o for o in super().orders_at_venue(client_id) if is_claimed(o)]

    def is_absent(self, answer: list[Event]) -> bool:
        last = answer[-1]
        return isinstance(last, OrderEnded) and (last.reason, last.cum_lots) == ("absent", 0)

    def exec_ids_at_venue(self, order: SimOrder) -> set[str]:
        filled, found = Decimal(0), set()
        for execution in order.executions:
            filled += Decimal(execution.lots).scaleb(-8)
            found.add(f"{order.order_id}:{filled.normalize():f}")
        return found

    def name_of(self, order: dict[str, Any]) -> str:
        return str(order["clientOrderId"])


def is_claimed(order: SimOrder) -> bool:
    """Return whether an order only takes its id: it buys at the lowest price."""
    return order.limit_ticks == 1 and order.requested.tif == "GTC"


@asynccontextmanager
async def alpaca_scene(
    policy: AccountPolicy = QUICK, traits: VenueTraits = ALPACA.traits
) -> AsyncIterator[AlpacaScene]:
    """Open a session with a server of its own; traits: others than the declared ones."""
    async with serving("alpaca", speed=1.0) as served:
        scene = AlpacaScene(served, traits)
        key = served.key("engine")
        account = AlpacaAccount(
            ApiKey(key.key, key.secret), scene.now_ms, scene.lines.append, served.address, policy
        )
        scene.venue = await account.venue(SYMBOLS, traits, scene.post)
        async with running(scene):
            yield scene
