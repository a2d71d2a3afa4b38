"""Kraken's private half, composed: one account, its keys, its REST, what sockets need of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from ares.sim.serve.funds import VenueRules
from ares.sim.serve.keys import SimKey
from ares.sim.serve.kraken_executions import KrakenChannels
from ares.sim.serve.kraken_keys import KrakenKeys
from ares.sim.serve.kraken_pairs import FEES, FEES_MAKER, min_lots
from ares.sim.serve.kraken_private import KrakenPrivate
from ares.sim.serve.kraken_requests import KrakenRequests
from ares.sim.serve.kraken_trading import KrakenTrading
from ares.sim.serve.market import SymbolMarket
from ares.sim.serve.matching import Exchange
from ares.sim.serve.venue import SimVenue
from ares.sim.serve.views import Views

COST_MIN = 50_000_000
"""Half a unit of the quote currency."""


def kraken_rules() -> VenueRules:
    """Return Kraken's rules, with the fees of its first tier."""
    maker, taker = (round(tiers[0][1] * 10_000) for tiers in (FEES_MAKER, FEES))
    return VenueRules(maker, taker, min_lots, COST_MIN)


class SimKrakenAccount:
    """What REST and sockets share of the account.

    symbol : returns the symbol of a name.
    tier   : of the call counters; empty: they are off.
    """

    def __init__(
        self,
        venue: SimVenue,
        exchange: Exchange,
        keys: Iterable[SimKey],
        symbol: Callable[[str], SymbolMarket],
        tier: str,
    ) -> None:
        faults = venue.faults

        def is_revoked(key: str) -> bool:
            return faults.lasts("key_revoked", key) is not None

        self._exchange = exchange
        self._faults = faults
        self.keys = KrakenKeys(keys, venue.clock.monotonic_s, is_revoked, tier)
        self.views = Views(exchange, faults)
        trading = KrakenTrading(venue, exchange, symbol, tier)
        self.rest = KrakenPrivate(venue, self.keys, trading, self.views, symbol)
        self.requests = KrakenRequests(trading, self.keys, faults)

    def channels(self, send: Callable[[dict[str, Any]], None]) -> KrakenChannels:
        """Return the private channels of a new socket."""
        return KrakenChannels(self._exchange, self.keys, send)

    def request(self, text: str, do: Callable[[], None]) -> None:
        """Do what a socket asks for: now, or (fault ``request_late``) later than what follows."""
        fault = self._faults.struck("request_late", "socket", text)
        if fault is None:
            do()
        else:
            asyncio.get_running_loop().call_later(fault.ms / 1000.0, do)
