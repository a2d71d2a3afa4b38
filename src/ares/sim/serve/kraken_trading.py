"""Kraken's requests that change orders, the same for REST and for the WebSocket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ares.sim.serve.kraken_limits import EngineLimits
from ares.sim.serve.kraken_orders import (
    close_text,
    is_true,
    new_order,
    order_text,
    price_ticks,
    quantity_lots,
    refused,
    require_deadline,
)
from ares.sim.serve.kraken_rest import KrakenError
from ares.sim.serve.market import SymbolMarket
from ares.sim.serve.matching import Exchange
from ares.sim.serve.orders import OrderRefused, SimOrder
from ares.sim.serve.venue import SimVenue
from ares.sim.serve.wire import rfc3339, text

USER = "User requested"
TIMEOUT_S_MAX = 86_400
BATCH_MIN, BATCH_MAX = 2, 15

Fields = Mapping[str, Any]


class KrakenTrading:
    """Adds, amends and cancels orders; every method raises KrakenError.

    symbol : returns the symbol of a name.
    tier   : of the matching engine's limits; empty: there are none.
    """

    def __init__(
        self,
        venue: SimVenue,
        exchange: Exchange,
        symbol: Callable[[str], SymbolMarket],
        tier: str = "",
    ) -> None:
        self._venue = venue
        self._exchange = exchange
        self._symbol = symbol
        self._limits = EngineLimits(tier, venue.clock.monotonic_s, self._age_s)

    def add(self, fields: Fields) -> dict[str, Any]:
        """Return the answer to AddOrder."""
        symbol = self._symbol(str(fields.get("pair", "")))
        now_ms = self._venue.clock_ms()
        require_deadline(fields.get("deadline"), self._venue.clock_of)
        requested = new_order(symbol, fields, now_ms)
        try:
            if is_true(fields.get("validate")):
                self._exchange.check(requested)
                prices = (requested.limit_ticks, requested.stop_ticks)
                order = SimOrder("", requested, 0, requested.lots, *prices)
                return {"descr": _described(order)}
            n_open = sum(o.symbol is symbol for o in self._exchange.open_orders())
            self._limits.add(symbol, n_open)
            order = self._exchange.submit(requested)
        except OrderRefused as error:
            raise refused(error) from None
        return {"txid": [order.order_id], "descr": _described(order)}

    def add_batch(self, fields: Fields) -> dict[str, Any]:
        """Return the answer to AddOrderBatch: each order is accepted or refused by itself."""
        orders = fields.get("orders")
        if not isinstance(orders, list) or not BATCH_MIN <= len(orders) <= BATCH_MAX:
            raise KrakenError("EGeneral:Invalid arguments:orders")
        shared = {name: fields.get(name) for name in ("pair", "deadline", "validate")}
        answers: list[dict[str, Any]] = []
        for order in orders:
            try:
                added = self.add({**order, **shared})
                ids = {"txid": added["txid"][0]} if "txid" in added else {}
                answers.append({**ids, "descr": added["descr"]})
            except KrakenError as error:
                answers.append({"error": str(error)})
        return {"orders": answers}

    def amend(self, fields: Fields) -> dict[str, Any]:
        """Return the answer to AmendOrder."""
        require_deadline(fields.get("deadline"), self._venue.clock_of)
        order = self.found(fields)
        changes: dict[str, Any] = {}
        if fields.get("order_qty") not in (None, ""):
            changes["lots"] = quantity_lots(fields["order_qty"])
        for name, field in (("limit_ticks", "limit_price"), ("stop_ticks", "trigger_price")):
            if fields.get(field) not in (None, ""):
                changes[name] = price_ticks(order.symbol, fields[field])
        if not changes:
            raise KrakenError("EGeneral:Invalid arguments")
        self._limits.amend(order)
        try:
            self._exchange.amend(order, **changes, post_only=is_true(fields.get("post_only")))
        except OrderRefused as error:
            raise refused(error) from None
        return {"amend_id": self._exchange.ids.next("T")}

    def edit(self, fields: Fields) -> dict[str, Any]:
        """Return the answer to EditOrder: the order is cancelled, and a new one placed."""
        require_deadline(fields.get("deadline"), self._venue.clock_of)
        old = self.found(fields)
        stop = old.requested.order_type not in ("market", "limit")
        wanted = {
            "ordertype": old.requested.order_type,
            "type": "buy" if old.is_buy else "sell",
            "oflags": old.requested.flags,
            "volume": text(old.left_lots, 8),
            "price": text(old.stop_ticks if stop else old.limit_ticks, _decimals(old)),
            "price2": text(old.limit_ticks, _decimals(old)),
        }
        given = {name: value for name, value in fields.items() if value not in (None, "")}
        requested = new_order(old.symbol, wanted | given, self._venue.clock_ms())
        self._limits.edit(old)
        try:
            self._exchange.cancel(old, "Order replaced")
            order = self._exchange.submit(requested)
        except OrderRefused as error:
            raise refused(error) from None
        return {
            "status": "ok",
            "txid": order.order_id,
            "originaltxid": old.order_id,
            "orders_cancelled": 1,
            "volume": text(order.lots, 8),
            "descr": _described(order),
        }

    def cancel(self, fields: Fields) -> dict[str, Any]:
        """Return the answer to CancelOrder: by id, client id or user reference."""
        given = str(fields.get("txid") or "")
        if given.lstrip("-").isdigit():
            orders = [o for o in self._exchange.open_orders() if str(o.requested.userref) == given]
        else:
            orders = [self.found(fields)]
        if not orders:
            raise KrakenError("EOrder:Unknown order")
        try:
            for order in orders:
                self._limits.cancel(order)
                self._exchange.cancel(order, USER)
        except OrderRefused as error:
            raise refused(error) from None
        return {"count": len(orders)}

    def cancel_batch(self, fields: Fields) -> dict[str, Any]:
        """Return the answer to CancelOrderBatch: how many of the ids were open."""
        given = [*(fields.get("orders") or []), *(fields.get("cl_ord_ids") or [])]
        count = 0
        for each in given:
            name = str(each.get("txid", "")) if isinstance(each, Mapping) else str(each)
            try:
                order = self._exchange.find(name, name)
                self._exchange.cancel(order, USER)
                count += 1
            except OrderRefused:
                continue
        return {"count": count}

    def cancel_all(self, _fields: Fields) -> dict[str, Any]:
        """Return the answer to CancelAll."""
        return {"count": self._exchange.cancel_all(USER)}

    def cancel_after(self, fields: Fields) -> dict[str, Any]:
        """Return the answer to CancelAllOrdersAfter: the timeout is of the wall clock."""
        try:
            timeout_s = int(str(fields.get("timeout", "")))
        except ValueError:
            raise KrakenError("EGeneral:Invalid arguments:timeout") from None
        if not 0 <= timeout_s <= TIMEOUT_S_MAX:
            raise KrakenError("EGeneral:Invalid arguments:timeout")
        now_ms, now_s = self._venue.clock_ms(), self._venue.clock.monotonic_s()
        self._exchange.cancel_all_s = now_s + timeout_s if timeout_s else 0.0
        return {
            "currentTime": _second(now_ms),
            "triggerTime": _second(now_ms + timeout_s * 1000) if timeout_s else "0",
        }

    def _age_s(self, order: SimOrder) -> float:
        """Return for how long an order has rested, in wall time."""
        return (self._venue.now_ms() - order.changed_ms) / 1000.0 / self._venue.clock.speed

    def found(self, fields: Fields) -> SimOrder:
        """Return the open order that a request names."""
        order_id = str(fields.get("txid") or fields.get("order_id") or "")
        client_id = str(fields.get("cl_ord_id") or "")
        if not order_id and not client_id:
            raise KrakenError("EGeneral:Invalid arguments:txid")
        try:
            return self._exchange.find(order_id, client_id)
        except OrderRefused as error:
            raise refused(error) from None


def _described(order: SimOrder) -> dict[str, str]:
    described = {"order": order_text(order)}
    if close := close_text(order):
        described["close"] = close
    return described


def _decimals(order: SimOrder) -> int:
    return order.symbol.price_decimals


def _second(ts_ms: int) -> str:
    return rfc3339(ts_ms)[:19] + "Z"
