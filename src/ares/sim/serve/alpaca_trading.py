"""What changes and shows the orders of an Alpaca account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ares.sim.serve.alpaca_orders import REPLACED, new_order, order_facts, status_of
from ares.sim.serve.alpaca_positions import held_assets, is_of, needs
from ares.sim.serve.alpaca_words import (
    AlpacaError,
    compressed,
    ms_of,
    not_found,
    price_text,
    refused,
    unprocessable,
    whole_of,
)
from ares.sim.serve.market import SymbolMarket
from ares.sim.serve.matching import Exchange
from ares.sim.serve.orders import NewOrder, OrderRefusal, OrderRefused, SimOrder, cost_of
from ares.sim.serve.venue import SimVenue
from ares.sim.serve.views import View
from ares.sim.serve.wire import trimmed

Fields = Mapping[str, Any]
USER = "User requested"
ROWS_MAX = 500


class AlpacaTrading:
    """The orders of one account; every method raises AlpacaError.

    replaced_by : id of an order -> id of that which replaced it.
    """

    def __init__(self, venue: SimVenue, exchange: Exchange) -> None:
        self._venue, self._exchange = venue, exchange
        self._by_name = {
            name: symbol
            for symbol in venue.market.symbols
            for name in (symbol.symbol, compressed(symbol))
        }
        self.replaced_by: dict[str, str] = {}

    def submit(self, fields: Fields) -> Any:
        """Return the answer to a new order: it is accepted; what follows comes by the stream."""
        symbol = self._symbol(fields)
        last = self._exchange.quotes.last_ticks(symbol)
        requested = new_order(symbol, fields, self._exchange.ids.next("C"), last)
        return order_facts(self._placed(requested), self.replaced_by, placed=True)

    def replace(self, order_id: str, fields: Fields) -> Any:
        """Return the order that replaces another, under an id of its own and a client id of its
        own: an order that is open keeps neither.
        """
        old = self._open(order_id)
        kept = {
            "symbol": old.symbol.symbol,
            "side": "buy" if old.is_buy else "sell",
            "type": old.requested.flags,
            "time_in_force": old.requested.tif.lower(),
            "qty": trimmed(old.left_lots, 8),
        }
        for name, ticks in (("limit_price", old.limit_ticks), ("stop_price", old.stop_ticks)):
            if ticks:
                kept[name] = price_text(old.symbol, ticks)
        given = {k: v for k, v in fields.items() if v not in (None, "") and k != "trail"}
        last = self._exchange.quotes.last_ticks(old.symbol)
        requested = new_order(old.symbol, kept | given, self._exchange.ids.next("C"), last)
        self._cancelled(old, REPLACED)
        order = self._placed(replace(requested, parent=old.order_id))
        self.replaced_by[old.order_id] = order.order_id
        return order_facts(order, self.replaced_by, placed=True)

    def cancel(self, order_id: str) -> None:
        """Cancel an open order; its end comes by the stream."""
        self._cancelled(self._open(order_id), USER)

    def cancel_all(self) -> list[dict[str, Any]]:
        """Cancel every open order; return how each went."""
        found = []
        for order in self._exchange.open_orders():
            try:
                self._cancelled(order, USER)
                status = 200
            except AlpacaError as error:
                status = error.status
            body = order_facts(order, self.replaced_by)
            found.append({"id": order.order_id, "status": status, "body": body})
        return found

    def close(self, asset: str, fields: Fields) -> Any:
        """Sell what is held of an asset, or a part of it, at the market."""
        account = self._exchange.account
        if asset not in held_assets(account):
            raise not_found("position does not exist")
        symbol = next((s for s in self._venue.market.symbols if s.base == asset), None)
        if symbol is None:
            raise unprocessable(f"{asset} cannot be sold here", 42210000)
        qty = fields.get("qty") or trimmed(account.free(asset), 8)
        order = {"symbol": symbol.symbol, "side": "sell", "type": "market", "time_in_force": "gtc"}
        return self.submit({**order, "qty": qty})

    def close_all(self) -> list[dict[str, Any]]:
        """Sell every position of a base currency; return how each went."""
        bases = {symbol.base for symbol in self._venue.market.symbols}
        found = []
        for asset in held_assets(self._exchange.account):
            if asset in bases:
                try:
                    status, body = 200, self.close(asset, {})
                except AlpacaError as error:
                    status, body = error.status, {"code": error.code, "message": str(error)}
                found.append({"symbol": f"{asset}USD", "status": status, "body": body})
        return found

    def shown(self, view: View, order_id: str = "", client_id: str = "") -> Any:
        """Return one order, by either id."""
        for order in reversed(view.orders):
            if order.order_id == order_id or (client_id and order.requested.client_id == client_id):
                return order_facts(order, self.replaced_by)
        raise not_found(f"order not found for {order_id or client_id}")

    def listed(self, fields: Fields, view: View) -> list[dict[str, Any]]:
        """Return a page of orders: open, closed or all; the newest first unless asked otherwise."""
        wanted = str(fields.get("status") or "open")
        if wanted not in ("open", "closed", "all"):
            raise unprocessable("status must be open, closed or all")
        low_ms, high_ms = ms_of(fields, "after", -1), ms_of(fields, "until", 1 << 52)
        symbols = frozenset(filter(None, str(fields.get("symbols") or "").split(",")))
        orders = [
            order
            for order in view.orders
            if wanted in ("all", "open" if order.is_open else "closed")
            and low_ms < order.opened_ms < high_ms
            and is_of(order, symbols)
            and str(fields.get("side") or "") in ("", "buy" if order.is_buy else "sell")
        ]
        if str(fields.get("direction") or "desc") == "desc":
            orders.reverse()
        cut = orders[: whole_of(fields, "limit", 50, ROWS_MAX)]
        return [order_facts(order, self.replaced_by) for order in cut]

    def _placed(self, requested: NewOrder) -> SimOrder:
        try:
            return self._exchange.submit(requested)
        except OrderRefused as error:
            raise self._refused(error, requested) from None

    def _refused(self, error: OrderRefused, requested: NewOrder) -> AlpacaError:
        symbol, account = requested.symbol, self._exchange.account
        asset, units = symbol.base, requested.lots
        if requested.is_buy:
            last = self._exchange.quotes.last_ticks(symbol)
            asset, units = symbol.quote, cost_of(symbol, requested.limit_ticks or last, units)
        return refused(error, symbol, needs(asset, account, units))

    def _open(self, order_id: str) -> SimOrder:
        order = self._exchange.orders.get(order_id)
        if order is None:
            raise not_found(f"order not found for {order_id}")
        if not order.is_open:
            raise unprocessable(f'order is already in "{status_of(order)}" state', 42210000)
        return order

    def _cancelled(self, order: SimOrder, reason: str) -> None:
        try:
            self._exchange.cancel(order, reason)
        except OrderRefused as error:
            if error.refusal is not OrderRefusal.UNKNOWN_ORDER:
                raise self._refused(error, order.requested) from None
            text = f'order is already in "{status_of(order)}" state'
            raise unprocessable(text, 42210000) from None

    def _symbol(self, fields: Fields) -> SymbolMarket:
        name = str(fields.get("symbol") or "")
        if name not in self._by_name:
            raise unprocessable(f'asset "{name}" not found')
        return self._by_name[name]
