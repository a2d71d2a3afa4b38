"""Binance's words for orders: one from the parameters of a request; orders, fills and events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ares.sim.serve.account import units_of
from ares.sim.serve.binance_keys import missing
from ares.sim.serve.binance_rest import BinanceError, price_text, symbol_id
from ares.sim.serve.market import SymbolMarket
from ares.sim.serve.matching import Event
from ares.sim.serve.orders import Execution, NewOrder, OrderRefusal, OrderRefused, SimOrder
from ares.sim.serve.wire import lots_text

TYPES = {
    "MARKET": "market",
    "LIMIT": "limit",
    "LIMIT_MAKER": "limit",
    "STOP_LOSS": "stop-loss",
    "STOP_LOSS_LIMIT": "stop-loss-limit",
    "TAKE_PROFIT": "take-profit",
    "TAKE_PROFIT_LIMIT": "take-profit-limit",
}
TIMES = ("GTC", "IOC", "FOK")
CLIENT_ID_MAX = 36
_ENDED_BY_ITSELF = ("Immediate or cancel", "Fill or kill")

REFUSALS = {
    OrderRefusal.NO_FUNDS: (-2010, "Account has insufficient balance for requested action."),
    OrderRefusal.BELOW_MIN_QTY: (-1013, "Filter failure: LOT_SIZE"),
    OrderRefusal.BELOW_MIN_COST: (-1013, "Filter failure: NOTIONAL"),
    OrderRefusal.WOULD_TAKE: (-2010, "Order would immediately match and take."),
    OrderRefusal.DUPLICATE_CLIENT_ID: (-2010, "Duplicate order sent."),
    OrderRefusal.UNKNOWN_ORDER: (-2011, "Unknown order sent."),
    OrderRefusal.CANCEL_ONLY: (-2010, "Only cancel orders are allowed on this symbol."),
    OrderRefusal.POST_ONLY: (-2010, "Only LIMIT_MAKER orders are allowed on this symbol."),
    OrderRefusal.LIMIT_ONLY: (-1013, "Market is closed."),
    OrderRefusal.REDUCE_ONLY: (-1013, "Market is closed."),
    OrderRefusal.MAINTENANCE: (-1013, "Market is closed."),
    OrderRefusal.NOT_AMENDABLE: (-2038, "The order cannot be amended."),
    OrderRefusal.BAD_PRICE: (-1013, "Filter failure: PRICE_FILTER"),
    OrderRefusal.BAD_QTY: (-1013, "Filter failure: LOT_SIZE"),
}


def refused(error: OrderRefused) -> BinanceError:
    """Return a refusal in Binance's words."""
    return BinanceError(*REFUSALS[error.refusal])


def quantity_lots(symbol: SymbolMarket, params: Mapping[str, Any], name: str) -> int:
    """Return a quantity in lots of 1e-8; raise BinanceError."""
    lots = _units(params, name, 8)
    if lots <= 0 or lots % symbol.lot_unit:
        raise BinanceError(-1013, "Filter failure: LOT_SIZE")
    return lots


def new_order(symbol: SymbolMarket, params: Mapping[str, Any], client_id: str) -> NewOrder:
    """Return the order that the parameters ask for; raise BinanceError.

    client_id : where the request has none.
    """
    side, kind = _named(params, "side"), _named(params, "type")
    if side not in ("BUY", "SELL"):
        raise BinanceError(-1117, "Invalid side.")
    if kind not in TYPES:
        raise BinanceError(-1116, "Invalid orderType.")
    order_type = TYPES[kind]
    tif = str(params.get("timeInForce") or "GTC")
    if tif not in TIMES:
        raise BinanceError(-1115, "Invalid timeInForce.")
    if kind in ("LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT") and "timeInForce" not in params:
        raise missing("timeInForce")
    given = str(params.get("newClientOrderId") or client_id)
    if len(given) > CLIENT_ID_MAX:
        raise BinanceError(-1100, "Illegal characters found in parameter 'newClientOrderId'.")
    return NewOrder(
        symbol,
        side == "BUY",
        order_type,
        quantity_lots(symbol, params, "quantity"),
        _ticks(symbol, params, "price") if order_type.endswith("limit") else 0,
        _ticks(symbol, params, "stopPrice") if "-" in order_type else 0,
        tif=tif,
        post_only=kind == "LIMIT_MAKER",
        client_id=given,
        fee_in="base" if side == "BUY" else "quote",
        flags=kind,
    )


def status_of(order: SimOrder) -> str:
    """Return NEW, PARTIALLY_FILLED, FILLED, CANCELED or EXPIRED."""
    if order.status == "closed":
        return "FILLED"
    if order.status == "expired" or order.reason in _ENDED_BY_ITSELF:
        return "EXPIRED"
    if order.status == "canceled":
        return "CANCELED"
    return "PARTIALLY_FILLED" if order.filled_lots else "NEW"


def order_facts(order: SimOrder) -> dict[str, Any]:
    """Return an order as look-ups have it."""
    return {
        **placed_facts(order),
        "stopPrice": price_text(order.symbol, order.stop_ticks),
        "icebergQty": "0.00000000",
        "time": order.opened_ms,
        "updateTime": order.closed_ms or order.changed_ms,
        "isWorking": not order.awaits_trigger,
        "workingTime": order.triggered_ms or order.opened_ms,
        "origQuoteOrderQty": "0.00000000",
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }


def placed_facts(order: SimOrder) -> dict[str, Any]:
    """Return an order as the answers to placing and cancelling have it."""
    return {
        **named_facts(order),
        "price": price_text(order.symbol, order.limit_ticks),
        "origQty": lots_text(order.lots),
        "executedQty": lots_text(order.filled_lots),
        "cummulativeQuoteQty": lots_text(order.cost),
        "status": status_of(order),
        "timeInForce": order.requested.tif,
        "type": order.requested.flags,
        "side": "BUY" if order.is_buy else "SELL",
    }


def named_facts(order: SimOrder) -> dict[str, Any]:
    """Return what names an order."""
    return {
        "symbol": symbol_id(order.symbol),
        "orderId": int(order.order_id),
        "orderListId": -1,
        "clientOrderId": order.requested.client_id,
    }


def fill_facts(order: SimOrder, execution: Execution) -> dict[str, Any]:
    """Return a fill as the answer FULL has it."""
    return {
        "price": price_text(order.symbol, execution.ticks),
        "qty": lots_text(execution.lots),
        "commission": lots_text(execution.fee),
        "commissionAsset": execution.fee_asset,
        "tradeId": execution.number,
    }


def trade_facts(order: SimOrder, execution: Execution) -> dict[str, Any]:
    """Return a fill as myTrades has it."""
    return {
        "symbol": symbol_id(order.symbol),
        "id": execution.number,
        "orderId": int(order.order_id),
        "orderListId": -1,
        "price": price_text(order.symbol, execution.ticks),
        "qty": lots_text(execution.lots),
        "quoteQty": lots_text(execution.cost),
        "commission": lots_text(execution.fee),
        "commissionAsset": execution.fee_asset,
        "time": execution.ts_ms,
        "isBuyer": order.is_buy,
        "isMaker": execution.is_maker,
        "isBestMatch": True,
    }


_KINDS = {"new": "NEW", "trade": "TRADE", "canceled": "CANCELED", "expired": "EXPIRED",
          "amended": "REPLACED"}  # fmt: skip
"""Event -> execution type; of the others (pending, triggered, filled) Binance says nothing."""


def execution_report(event: Event, clock_ms: int) -> dict[str, Any] | None:
    """Return the executionReport of an event; None: there is none."""
    order, fill = event.order, event.execution
    kind = _KINDS.get(event.kind)
    if kind is None:
        return None
    if kind == "CANCELED" and status_of(order) == "EXPIRED":
        kind = "EXPIRED"
    symbol = order.symbol
    return {
        "e": "executionReport",
        "E": clock_ms,
        "s": symbol_id(symbol),
        "c": order.requested.client_id,
        "S": "BUY" if order.is_buy else "SELL",
        "o": order.requested.flags,
        "f": order.requested.tif,
        "q": lots_text(order.lots),
        "p": price_text(symbol, order.limit_ticks),
        "P": price_text(symbol, order.stop_ticks),
        "F": "0.00000000",
        "g": -1,
        "C": order.requested.client_id if kind == "CANCELED" else "",
        "x": kind,
        "X": status_of(order),
        "r": "NONE",
        "i": int(order.order_id),
        "l": lots_text(fill.lots if fill else 0),
        "z": lots_text(order.filled_lots),
        "L": price_text(symbol, fill.ticks if fill else 0),
        "n": lots_text(fill.fee) if fill else "0",
        "N": fill.fee_asset if fill else None,
        "T": event.ts_ms,
        "t": fill.number if fill else -1,
        "I": 8_641_984,
        "w": order.is_open and not order.awaits_trigger,
        "m": bool(fill and fill.is_maker),
        "M": False,
        "O": order.opened_ms,
        "Z": lots_text(order.cost),
        "Y": lots_text(fill.cost if fill else 0),
        "Q": "0.00000000",
        "W": order.triggered_ms or order.opened_ms,
        "V": "EXPIRE_MAKER",
    }


def _named(params: Mapping[str, Any], name: str) -> str:
    if params.get(name) in (None, ""):
        raise missing(name)
    return str(params[name]).upper()


def _units(params: Mapping[str, Any], name: str, decimals: int) -> int:
    given = params.get(name)
    if given in (None, ""):
        raise missing(name)
    try:
        return units_of(str(given), decimals)
    except ValueError as error:
        if "decimals" in str(error):
            raise BinanceError(-1111, f"Parameter '{name}' has too much precision.") from None
        raise BinanceError(-1100, f"Illegal characters found in parameter '{name}'.") from None


def _ticks(symbol: SymbolMarket, params: Mapping[str, Any], name: str) -> int:
    ticks = _units(params, name, 8)
    tick: int = 10 ** (8 - symbol.price_decimals)
    if ticks <= 0 or ticks % tick:
        raise BinanceError(-1013, "Filter failure: PRICE_FILTER")
    return ticks // tick
