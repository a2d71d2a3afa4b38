"""Binance's signed requests, the same for REST and for the WebSocket API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ares.sim.serve.account import UNIT
from ares.sim.serve.binance_keys import (
    RESTRICTIONS,
    BinanceKeys,
    missing,
    refused_key,
    restrictions,
)
from ares.sim.serve.binance_orders import (
    fill_facts,
    named_facts,
    new_order,
    order_facts,
    placed_facts,
    quantity_lots,
    refused,
    trade_facts,
)
from ares.sim.serve.binance_rest import BinanceError, BinanceRest
from ares.sim.serve.keys import SimKey
from ares.sim.serve.market import SymbolMarket
from ares.sim.serve.matching import Exchange
from ares.sim.serve.orders import NewOrder, OrderRefused, SimOrder
from ares.sim.serve.venue import Answer, SignedRequest, SimVenue
from ares.sim.serve.views import Views
from ares.sim.serve.wire import lots_text

Params = Mapping[str, Any]
USER = "User requested"
ROWS_MAX = 1000
TIMEOUT = (
    "Timeout waiting for response from backend server. Send status unknown; "
    "execution status unknown."
)

REST = {
    "POST order": "order.place",
    "POST order/test": "order.test",
    "DELETE order": "order.cancel",
    "GET order": "order.status",
    "POST order/cancelReplace": "order.cancelReplace",
    "PUT order/amend/keepPriority": "order.amend.keepPriority",
    "GET openOrders": "openOrders.status",
    "DELETE openOrders": "openOrders.cancelAll",
    "GET allOrders": "allOrders",
    "GET myTrades": "myTrades",
    "GET account": "account.status",
}
"""SignedRequest of REST -> method of the WebSocket API."""

RIGHTS = {
    "order.place": ("trade",),
    "order.test": ("trade",),
    "order.cancelReplace": ("trade",),
    "order.amend.keepPriority": ("trade", "cancel"),
    "order.cancel": ("trade", "cancel"),
    "openOrders.cancelAll": ("trade", "cancel"),
}
"""Method -> the rights one of which a key needs; of the others ``query``."""


class BinancePrivate:
    """The signed requests of one account; every method raises BinanceError."""

    def __init__(
        self,
        venue: SimVenue,
        exchange: Exchange,
        keys: BinanceKeys,
        views: Views,
        public: BinanceRest,
    ) -> None:
        self._venue = venue
        self._exchange = exchange
        self._keys = keys
        self._views = views
        self._public = public
        self._methods: dict[str, Callable[[Params, str], Any]] = {
            "order.place": self._submit,
            "order.test": self._test,
            "order.cancel": self._cancel,
            "order.status": self._status,
            "order.cancelReplace": self._cancel_replace,
            "order.amend.keepPriority": self._amend,
            "openOrders.status": self._open,
            "openOrders.cancelAll": self._cancel_all,
            "allOrders": self._all,
            "myTrades": self._trades,
            "account.status": self._account,
        }

    def knows(self, method: str) -> bool:
        """Return whether a method of the WebSocket API is a signed one."""
        return method in self._methods

    def answer(self, request: SignedRequest) -> Answer | None:
        """Return the answer of REST; None: the request is a public one."""
        method = REST.get(f"{request.method} {request.path.removeprefix('/api/v3/')}")
        is_about_key = (request.method, request.path) == ("GET", RESTRICTIONS)
        if method is None and not is_about_key:
            return None
        try:
            if method is None:
                return Answer(msgspec.json.encode(restrictions(self._keys.admit(request)[0])))
            result = self.result(method, "rest", request.text, lambda: self._keys.admit(request))
        except BinanceError as error:
            return Answer(msgspec.json.encode(error.body()), error.status)
        return Answer(msgspec.json.encode(result))

    def result(
        self, method: str, on: str, text: str, admit: Callable[[], tuple[SimKey, dict[str, Any]]]
    ) -> Any:
        """Return the result of a request.

        on, text : where it came from, and what it says, for the faults.
        admit    : returns the key and the parameters.
        """
        struck = self._venue.faults.struck
        if struck("unavailable", on, text):
            raise BinanceError(-1001, "Internal error; unable to process your request.", 503)
        if struck("error_before", on, text):
            raise BinanceError(-1000, "An unknown error occurred while processing.", 200)
        api_key, params = admit()
        if not set(RIGHTS.get(method, ("query",))) & set(api_key.rights):
            raise refused_key()
        result = self._methods[method](params, text)
        if struck("error_after", on, text):
            raise BinanceError(-1007, TIMEOUT, 200)
        return result

    def _submit(self, params: Params, _text: str) -> Any:
        order = self._placed(self._new_order(params))
        return self._answered(order, params)

    def _test(self, params: Params, _text: str) -> Any:
        try:
            self._exchange.check(self._new_order(params))
        except OrderRefused as error:
            raise refused(error) from None
        return {}

    def _new_order(self, params: Params) -> NewOrder:
        symbol = self._public.symbol(params)
        requested = new_order(symbol, params, f"ares{self._exchange.ids.next('C')}")
        if requested.stop_ticks and self._triggers(requested):
            raise BinanceError(-2010, "Stop price would trigger immediately.")
        return requested

    def _triggers(self, requested: NewOrder) -> bool:
        last = requested.symbol.last_ticks(self._venue.now_ms())
        falls = requested.is_buy != requested.order_type.startswith("stop")
        return last <= requested.stop_ticks if falls else last >= requested.stop_ticks

    def _placed(self, requested: NewOrder) -> SimOrder:
        try:
            return self._exchange.submit(requested)
        except OrderRefused as error:
            raise refused(error) from None

    def _answered(self, order: SimOrder, params: Params) -> dict[str, Any]:
        """Return the answer to a new order: ACK, RESULT or FULL."""
        default = "FULL" if order.requested.flags in ("MARKET", "LIMIT") else "ACK"
        kind = str(params.get("newOrderRespType") or default)
        found = {**named_facts(order), "transactTime": order.opened_ms}
        if kind == "ACK":
            return found
        found |= {**placed_facts(order), "workingTime": order.opened_ms}
        if kind == "FULL":
            found["fills"] = [fill_facts(order, execution) for execution in order.executions]
        return {**found, "selfTradePreventionMode": "EXPIRE_MAKER"}

    def _cancel(self, params: Params, _text: str) -> Any:
        return self._cancelled(self._found(params, "orderId", "origClientOrderId"), params)

    def _cancelled(self, order: SimOrder, params: Params) -> dict[str, Any]:
        try:
            self._exchange.cancel(order, USER)
        except OrderRefused as error:
            raise refused(error) from None
        own = str(params.get("newClientOrderId") or f"ares{self._exchange.ids.next('C')}")
        return {
            **placed_facts(order),
            "origClientOrderId": order.requested.client_id,
            "clientOrderId": own,
            "transactTime": order.closed_ms,
            "selfTradePreventionMode": "EXPIRE_MAKER",
        }

    def _cancel_all(self, params: Params, _text: str) -> Any:
        symbol = self._public.symbol(params)
        orders = [o for o in self._exchange.open_orders() if o.symbol is symbol]
        if not orders:
            raise BinanceError(-2011, "Unknown order sent.")
        return [self._cancelled(order, {}) for order in orders]

    def _cancel_replace(self, params: Params, _text: str) -> Any:
        """Cancel an order and place another; STOP_ON_FAILURE: none where none is cancelled."""
        mode = str(params.get("cancelReplaceMode") or "")
        if mode not in ("STOP_ON_FAILURE", "ALLOW_FAILURE"):
            raise missing("cancelReplaceMode")
        found: dict[str, Any] = {"cancelResult": "SUCCESS", "newOrderResult": "SUCCESS"}
        requested = self._new_order(params)
        try:
            order = self._found(params, "cancelOrderId", "cancelOrigClientOrderId")
            found["cancelResponse"] = self._cancelled(order, {})
        except BinanceError as error:
            found |= {"cancelResult": "FAILURE", "cancelResponse": error.body()}
            if mode == "STOP_ON_FAILURE":
                found |= {"newOrderResult": "NOT_ATTEMPTED", "newOrderResponse": None}
                raise BinanceError(-2022, "Order cancel-replace failed.", data=found) from None
        try:
            found["newOrderResponse"] = self._answered(self._placed(requested), params)
        except BinanceError as error:
            found |= {"newOrderResult": "FAILURE", "newOrderResponse": error.body()}
        if "FAILURE" in (found["cancelResult"], found["newOrderResult"]):
            text = "Order cancel-replace partially failed."
            raise BinanceError(-2021, text, 409, data=found)
        return found

    def _amend(self, params: Params, _text: str) -> Any:
        """Reduce an order's quantity: nothing else can be amended on Binance."""
        order = self._found(params, "orderId", "origClientOrderId")
        lots = quantity_lots(order.symbol, params, "newQty")
        if not order.filled_lots < lots < order.lots:
            raise BinanceError(
                -2038, "The new quantity must be below the order's and above what is filled."
            )
        try:
            self._exchange.amend(order, lots=lots)
        except OrderRefused as error:
            raise refused(error) from None
        facts = {
            **named_facts(order),
            "price": placed_facts(order)["price"],
            "qty": lots_text(order.lots),
            "executedQty": lots_text(order.filled_lots),
            "preventedQty": "0.00000000",
            "quoteOrderQty": "0.00000000",
            "cumulativeQuoteQty": lots_text(order.cost),
            **{k: placed_facts(order)[k] for k in ("status", "timeInForce", "type", "side")},
            "workingTime": order.opened_ms,
            "origClientOrderId": order.requested.client_id,
            "selfTradePreventionMode": "EXPIRE_MAKER",
        }
        number = int(self._exchange.ids.next("A"))
        return {"transactTime": order.changed_ms, "executionId": number, "amendedOrder": facts}

    def _status(self, params: Params, text: str) -> Any:
        symbol, view = self._public.symbol(params), self._views.view(text)
        for order in reversed(view.orders):
            if order.symbol is symbol and _is_named(order, params, "orderId", "origClientOrderId"):
                return order_facts(order)
        raise BinanceError(-2013, "Order does not exist.")

    def _open(self, params: Params, text: str) -> Any:
        symbol = self._public.symbol(params) if params.get("symbol") else None
        orders = [o for o in self._views.view(text).orders if o.is_open]
        return self._page([order_facts(o) for o in orders if symbol in (None, o.symbol)])

    def _all(self, params: Params, text: str) -> Any:
        """Return a symbol's orders, oldest first: from an id, of a time, or the newest."""
        symbol, view = self._public.symbol(params), self._views.view(text)
        orders = [o for o in view.orders if o.symbol is symbol]
        if params.get("orderId") not in (None, ""):
            first = _whole(params, "orderId", 0)
            return self._cut([o for o in orders if int(o.order_id) >= first], params, order_facts)
        low_ms, high_ms = _window(params)
        orders = [o for o in orders if low_ms <= o.opened_ms <= high_ms]
        return self._cut(orders, params, order_facts)

    def _trades(self, params: Params, text: str) -> Any:
        """Return a symbol's fills, oldest first: of an order, from an id, of a time, the newest."""
        symbol, view = self._public.symbol(params), self._views.view(text)
        low_ms, high_ms = _window(params)
        wanted, first = params.get("orderId"), _whole(params, "fromId", 0)
        rows = [
            (order, execution)
            for order, execution in view.executions
            if order.symbol is symbol
            and (wanted in (None, "") or order.order_id == str(wanted))
            and execution.number >= first
            and low_ms <= execution.ts_ms <= high_ms
        ]
        return self._cut(rows, params, lambda row: trade_facts(*row))

    def _account(self, params: Params, text: str) -> Any:
        account = self._views.view(text).account
        rules, hide = self._exchange.rules, str(params.get("omitZeroBalances")).lower() == "true"
        balances = [
            {
                "asset": asset,
                "free": lots_text(account.free(asset)),
                "locked": lots_text(account.held.get(asset, 0)),
            }
            for asset, units in account.balances.items()
            if units or not hide
        ]
        maker, taker = (ppm * UNIT // 10**6 for ppm in (rules.fee_maker_ppm, rules.fee_taker_ppm))
        return {
            "makerCommission": rules.fee_maker_ppm // 100,
            "takerCommission": rules.fee_taker_ppm // 100,
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {
                "maker": lots_text(maker),
                "taker": lots_text(taker),
                "buyer": "0.00000000",
                "seller": "0.00000000",
            },
            "canTrade": True,
            "canWithdraw": False,
            "canDeposit": False,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": self._venue.clock_ms(),
            "accountType": "SPOT",
            "balances": self._page(balances),
            "permissions": ["SPOT"],
            "uid": 1,
        }

    def _found(self, params: Params, id_name: str, client_name: str) -> SimOrder:
        """Return the open order that a request names."""
        symbol: SymbolMarket = self._public.symbol(params)
        if not params.get(id_name) and not params.get(client_name):
            text = f"Param '{client_name}' or '{id_name}' must be sent, but both were empty/null!"
            raise BinanceError(-1102, text)
        for order in self._exchange.open_orders():
            if order.symbol is symbol and _is_named(order, params, id_name, client_name):
                return order
        raise BinanceError(-2011, "Unknown order sent.")

    def _cut(self, rows: list[Any], params: Params, facts: Callable[[Any], Any]) -> list[Any]:
        """Return the newest rows, or the first where the request says from where."""
        limit = min(_whole(params, "limit", 500), ROWS_MAX)
        is_first = any(params.get(name) for name in ("startTime", "fromId")) or (
            params.get("orderId") and rows and isinstance(rows[0], SimOrder)
        )
        cut = rows[:limit] if is_first else rows[-limit:]
        return self._page([facts(row) for row in cut])

    def _page(self, rows: list[Any]) -> list[Any]:
        """Return a page; the fault ``incomplete`` takes every other row away."""
        if len(rows) > 1 and self._venue.faults.struck("incomplete", "rest"):
            return rows[::2]
        return rows


def _is_named(order: SimOrder, params: Params, id_name: str, client_name: str) -> bool:
    given, client_id = params.get(id_name), params.get(client_name)
    if given not in (None, "") and order.order_id != str(given):
        return False
    if client_id not in (None, "") and order.requested.client_id != str(client_id):
        return False
    return given not in (None, "") or client_id not in (None, "")


def _window(params: Params) -> tuple[int, int]:
    return _whole(params, "startTime", 0), _whole(params, "endTime", 1 << 62)


def _whole(params: Params, name: str, default: int) -> int:
    try:
        return int(str(params.get(name) or default))
    except ValueError:
        message = f"Illegal characters found in parameter '{name}'."
        raise BinanceError(-1100, message) from None
