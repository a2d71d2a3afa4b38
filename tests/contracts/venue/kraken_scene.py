"""A Kraken account at a server of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any

import msgspec
from tests.contracts.venue.loopback import SYMBOLS, LoopbackScene, running
from tests.sim.serving import serving

from ares.domain.api_key import ApiKey
from ares.venues.ccxt_account import AccountPolicy
from ares.venues.kraken import KRAKEN
from ares.venues.kraken_venue import KrakenAccount
from ares.venues.requests import RequestPolicy
from ares.venues.stream import PrivateStreamPolicy

QUICK = AccountPolicy(
    RequestPolicy(turn_s=0.5, answer_s=3.0, read_wait_s=0.05),
    PrivateStreamPolicy(mute_s=4.0, ping_s=0.5, wait_first_s=0.05, wait_max_s=0.5),
)


class KrakenScene(LoopbackScene):
    """A Kraken account."""

    connection: KrakenAccount
    add = add_path = "AddOrder"
    cancel, amend, balances, look_up = "CancelOrder", "AmendOrder", "Balance", "ClosedOrders"
    execution = '"trade"'
    words: Mapping[str, str] = MappingProxyType(
        {"key": "Invalid key", "funds": "Insufficient funds", "minimum": "minimum"}
    )
    has_numbers = has_nonces = True

    def share_nonces(self, exchange: Any) -> None:
        own = self.venue._orders._requests._exchange  # type: ignore[attr-defined]
        exchange.incrementing_nonce = own.incrementing_nonce


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
        async with running(scene):
            yield scene
