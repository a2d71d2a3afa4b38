"""Alpaca's private half, composed: one account, its keys, its requests, its stream."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from ares.sim.serve.alpaca_keys import REQUESTS_MAX, AlpacaKeys
from ares.sim.serve.alpaca_orders import trade_update
from ares.sim.serve.alpaca_private import AlpacaPrivate
from ares.sim.serve.alpaca_trading import AlpacaTrading
from ares.sim.serve.funds import VenueRules
from ares.sim.serve.keys import SimKey
from ares.sim.serve.market import SymbolMarket, Trade
from ares.sim.serve.matching import Event, Exchange
from ares.sim.serve.sockets import Socket
from ares.sim.serve.venue import SimVenue
from ares.sim.serve.views import Views
from ares.sim.serve.wire import to_json

FEE_MAKER_PPM, FEE_TAKER_PPM = 1_500, 2_500
"""Of tier 1, in what is received (docs.alpaca.markets/docs/crypto-fees)."""

STREAMS = ("trade_updates",)


def alpaca_rules() -> VenueRules:
    """Return Alpaca's rules; an id that was used is refused for ever (alpaca-py issue 260)."""

    def min_lots(symbol: SymbolMarket) -> int:
        return int(symbol.lot_unit)

    return VenueRules(FEE_MAKER_PPM, FEE_TAKER_PPM, min_lots, 0, ids_once=True)


class SimAlpacaAccount:
    """What REST and the stream share of the account.

    tier : ``none``, or empty: requests are not limited.
    """

    def __init__(
        self, venue: SimVenue, exchange: Exchange, keys: Iterable[SimKey], tier: str
    ) -> None:
        faults = venue.faults

        def is_revoked(key: str) -> bool:
            return faults.lasts("key_revoked", key) is not None

        limit = 0 if tier in ("", "none") else REQUESTS_MAX
        self.venue, self.exchange = venue, exchange
        self.keys = AlpacaKeys(keys, venue.clock.monotonic_s, is_revoked, limit)
        self.views = Views(exchange, faults)
        self.trading = AlpacaTrading(venue, exchange)
        self.rest = AlpacaPrivate(venue, self.keys, self.trading, self.views)


class TradingStream:
    """One socket of /stream: it authenticates, says what it listens to, and is sent trade updates.

    Messages are JSON in binary frames, as the real one's are.
    """

    def __init__(self, socket: Socket, account: SimAlpacaAccount | None) -> None:
        self._socket, self._account = socket, account
        self._key: SimKey | None = None
        self._listens = False
        socket.encode = str.encode

    def opened(self) -> None:
        """Say nothing, as Alpaca."""

    def receive(self, text: str) -> None:
        """Take a request: authenticate (or auth), listen."""
        try:
            message = msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.MsgspecError:
            self._send("error", {"action": "error", "error": "invalid message"})
            return
        data = message.get("data")
        data = data if isinstance(data, dict) else {}
        action = message.get("action")
        if action in ("authenticate", "auth"):
            self._authenticate(
                str(data.get("key_id") or message.get("key") or ""),
                str(data.get("secret_key") or message.get("secret") or ""),
            )
        elif action == "listen":
            self._listen(data.get("streams"))
        else:
            self._send("error", {"action": str(action), "error": "unknown action"})

    def trade(self, trade: Trade) -> None:
        """Of the market: nothing is sent."""

    def minute(self, ts_ms: int) -> None:
        """Of the market: nothing is sent."""

    def second(self) -> None:
        """Say nothing: a quiet stream is quiet."""

    def closed(self) -> None:
        """Listen no more."""
        if self._account is not None and self._happened in self._account.exchange.listeners:
            self._account.exchange.listeners.remove(self._happened)

    def _authenticate(self, name: str, secret: str) -> None:
        self._key = self._account.keys.key(name, secret) if self._account else None
        status = "unauthorized" if self._key is None else "authorized"
        facts = {"action": "authenticate", "status": status}
        if self._key is None:
            facts["message"] = "access key verification failed"
        else:
            self._socket.is_private = True
        self._send("authorization", facts)

    def _listen(self, streams: Any) -> None:
        if self._key is None or self._account is None:
            facts = {"action": "listen", "status": "unauthorized", "message": "not authorized"}
            self._send("authorization", facts)
            return
        wanted = streams if isinstance(streams, list) else []
        self._listens = STREAMS[0] in wanted
        listeners = self._account.exchange.listeners
        if self._happened not in listeners:
            listeners.append(self._happened)
        self._send("listening", {"streams": [name for name in STREAMS if name in wanted]})

    def _happened(self, event: Event) -> None:
        account, key = self._account, self._key
        if account is None or key is None or not self._listens or account.keys.is_revoked(key):
            return
        position = account.exchange.account.balance(event.order.symbol.base)
        update = trade_update(
            event, account.trading.replaced_by, position, account.venue.clock_ms()
        )
        if update is not None:
            self._send(STREAMS[0], update)

    def _send(self, stream: str, data: dict[str, Any]) -> None:
        self._socket.send(to_json({"stream": stream, "data": data}))
