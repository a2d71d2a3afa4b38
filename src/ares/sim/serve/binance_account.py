"""Binance's private half, composed: one account, its keys, its requests, its user data streams."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ares.sim.serve.binance_keys import BinanceKeys
from ares.sim.serve.binance_orders import execution_report
from ares.sim.serve.binance_private import BinancePrivate
from ares.sim.serve.binance_rest import BinanceError, BinanceRest
from ares.sim.serve.funds import VenueRules
from ares.sim.serve.keys import SimKey
from ares.sim.serve.market import SymbolMarket
from ares.sim.serve.matching import Event, Exchange, Transfer
from ares.sim.serve.venue import SimVenue
from ares.sim.serve.views import Views
from ares.sim.serve.wire import lots_text, text

FEE_PPM = 1_000
"""A tenth of a percent, maker and taker."""

COST_MIN = 5 * 10**8
"""The filter NOTIONAL: five units of the quote currency."""


def binance_rules() -> VenueRules:
    """Return Binance's rules, with the fees of its first tier."""

    def min_lots(symbol: SymbolMarket) -> int:
        return int(symbol.lot_unit)

    return VenueRules(FEE_PPM, FEE_PPM, min_lots, COST_MIN)


class SimBinanceAccount:
    """What REST and sockets share of the account."""

    def __init__(
        self,
        venue: SimVenue,
        exchange: Exchange,
        keys: Iterable[SimKey],
        public: BinanceRest,
    ) -> None:
        faults = venue.faults

        def is_revoked(key: str) -> bool:
            return faults.lasts("key_revoked", key) is not None

        self.venue = venue
        self.exchange = exchange
        self.keys = BinanceKeys(keys, venue.clock_of, is_revoked)
        self.views = Views(exchange, faults)
        self.private = BinancePrivate(venue, exchange, self.keys, self.views, public)

    def stream(self, send: Callable[[dict[str, Any]], None]) -> UserStream:
        """Return the user data stream of a new socket; it sends once it is subscribed."""
        return UserStream(self, send)


class UserStream:
    """The user data streams of one socket of the WebSocket API."""

    def __init__(self, account: SimBinanceAccount, send: Callable[[dict[str, Any]], None]) -> None:
        self._account = account
        self._send = send
        self._owners: dict[int, SimKey] = {}
        self._next = 0

    def subscribe(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result of ``userDataStream.subscribe.signature``; raise BinanceError."""
        api_key, _ = self._account.keys.admit_params(params)
        if not self._owners:
            self._account.exchange.listeners.append(self._happened)
            self._account.exchange.transfer_listeners.append(self._transferred)
        self._owners[self._next] = api_key
        self._next += 1
        return {"subscriptionId": self._next - 1}

    def unsubscribe(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result of ``userDataStream.unsubscribe``: of one stream, or of all."""
        if params.get("subscriptionId") is None:
            self._owners.clear()
        elif self._owners.pop(int(params["subscriptionId"]), None) is None:
            raise BinanceError(-2035, "The subscription does not exist.")
        if not self._owners:
            self.closed()
        return {}

    def closed(self) -> None:
        """Listen no more."""
        if self._happened in self._account.exchange.listeners:
            self._account.exchange.listeners.remove(self._happened)
            self._account.exchange.transfer_listeners.remove(self._transferred)

    def _happened(self, event: Event) -> None:
        """Send an event's report, and the balances that it changed."""
        report = execution_report(event, self._account.venue.clock_ms())
        if report is None:
            return
        symbol = event.order.symbol
        self._each(report, self._position(event.ts_ms, symbol.base, symbol.quote))

    def _transferred(self, transfer: Transfer) -> None:
        """Send a deposit or withdrawal, and the balance after it."""
        update = {
            "e": "balanceUpdate",
            "E": self._account.venue.clock_ms(),
            "a": transfer.asset,
            "d": text(transfer.units, 8),
            "T": transfer.ts_ms,
        }
        self._each(update, self._position(transfer.ts_ms, transfer.asset))

    def _each(self, *events: dict[str, Any]) -> None:
        """Send events to every subscription whose key is not revoked."""
        for number, api_key in self._owners.items():
            if not self._account.keys.is_revoked(api_key):
                for event in events:
                    self._send({"subscriptionId": number, "event": event})

    def _position(self, ts_ms: int, *assets: str) -> dict[str, Any]:
        account = self._account.exchange.account
        return {
            "e": "outboundAccountPosition",
            "E": self._account.venue.clock_ms(),
            "u": ts_ms,
            "B": [
                {
                    "a": asset,
                    "f": lots_text(account.free(asset)),
                    "l": lots_text(account.held.get(asset, 0)),
                }
                for asset in assets
            ],
        }
