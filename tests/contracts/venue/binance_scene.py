"""A Binance account at a server of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any

import msgspec
from tests.contracts.venue.loopback import SYMBOLS, LoopbackScene, running
from tests.sim.serving import serving

from ares.domain.api_key import ApiKey
from ares.sim.serve.orders import SimOrder
from ares.venues.binance import BINANCE
from ares.venues.binance_venue import BinanceAccount
from ares.venues.ccxt_account import AccountPolicy
from ares.venues.requests import RequestPolicy
from ares.venues.stream import PrivateStreamPolicy

QUICK = AccountPolicy(
    RequestPolicy(turn_s=0.1, answer_s=3.0, read_wait_s=0.05),
    PrivateStreamPolicy(mute_s=4.0, ping_s=0.5, wait_first_s=0.05, wait_max_s=0.5),
)


class BinanceScene(LoopbackScene):
    """A Binance account; its lots are 1e-5 of a bitcoin, and its fees are taken out of them."""

    lots, lot_units, lots_min = 1_000, 1_000, 20
    add, add_path, cancel = "POST /api/v3/order", "/api/v3/order", "DELETE /api/v3/order"
    amend, balances, look_up = "no such request", "/api/v3/account", "/api/v3/order?"
    execution, refuses_closed = "TRADE", True
    words: Mapping[str, str] = MappingProxyType(
        {"key": "Invalid API-key", "funds": "insufficient balance", "minimum": "NOTIONAL"}
    )

    def exec_ids_at_venue(self, order: SimOrder) -> set[str]:
        return {f"BTCUSDT-{execution.number}" for execution in order.executions}

    def executed_at_venue(self, client_id: str) -> int:
        return super().executed_at_venue(client_id) // self.lot_units

    def name_of(self, order: dict[str, Any]) -> str:
        return str(order["clientOrderId"])


@asynccontextmanager
async def binance_scene(
    deadline_ms: int = 0, policy: AccountPolicy = QUICK
) -> AsyncIterator[BinanceScene]:
    """Open a session with a server of its own; deadline_ms: another than the declared one."""
    traits = BINANCE.traits
    if deadline_ms:
        traits = msgspec.structs.replace(traits, deadline_ms=deadline_ms)
    async with serving("binance", speed=1.0) as served:
        scene = BinanceScene(served, traits)
        key = served.key("engine")
        account = BinanceAccount(
            ApiKey(key.key, key.secret), scene.now_ms, scene.lines.append, served.address, policy
        )
        scene.venue = await account.venue(SYMBOLS, traits, scene.post)
        async with running(scene):
            yield scene
