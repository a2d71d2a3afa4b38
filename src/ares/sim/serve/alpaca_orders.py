"""Alpaca's words for orders of crypto: one from a request; orders and events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ares.sim.serve.account import rounded, units_of
from ares.sim.serve.alpaca_words import (
    AlpacaError,
    asset_id,
    price_text,
    time_or_none,
    unprocessable,
)
from ares.sim.serve.market import SymbolMarket
from ares.sim.serve.matching import Event
from ares.sim.serve.orders import Execution, NewOrder, SimOrder, cost_of
from ares.sim.serve.wire import rfc3339, trimmed

TYPES = {"market": "market", "limit": "limit", "stop_limit": "stop-loss-limit"}
TIMES = {"gtc": "GTC", "ioc": "IOC"}
CLIENT_ID_MAX = 128
USD_MIN = 10
"""Of an order that buys with USD; other quote currencies have no such minimum."""

REPLACED = "Order replaced"


def new_order(
    symbol: SymbolMarket, fields: Mapping[str, Any], client_id: str, last_ticks: int
) -> NewOrder:
    """Return the order that a request asks for; raise AlpacaError.

    client_id  : where the request has none.
    last_ticks : the market's price, for an order of so much money.
    """
    kind, side = _word(fields, "type"), _word(fields, "side")
    if kind not in TYPES:
        raise unprocessable("invalid order type for crypto order")
    if side not in ("buy", "sell"):
        raise unprocessable("side must be buy or sell")
    tif = _word(fields, "time_in_force")
    if tif not in TIMES:
        raise unprocessable("invalid crypto time_in_force", 42210000)
    if fields.get("order_class") not in (None, "", "simple"):
        raise unprocessable("crypto orders not allowed for advanced order_class", 42210000)
    given = str(fields.get("client_order_id") or client_id)
    if len(given) > CLIENT_ID_MAX:
        raise unprocessable(f"client_order_id must be no more than {CLIENT_ID_MAX} characters")
    limit_ticks = _ticks(symbol, fields, "limit_price", wanted=kind != "market")
    stop_ticks = _ticks(symbol, fields, "stop_price", wanted=kind == "stop_limit")
    lots = _lots(symbol, fields, limit_ticks or last_ticks)
    cost = cost_of(symbol, limit_ticks or last_ticks, lots)
    if side == "buy" and symbol.quote == "USD" and cost < USD_MIN * 10**8:
        text = f"cost basis must be >= minimal amount of order {USD_MIN}"
        raise AlpacaError(403, 40310000, text)
    return NewOrder(
        symbol,
        side == "buy",
        TYPES[kind],
        lots,
        *(limit_ticks, stop_ticks),
        tif=TIMES[tif],
        client_id=given,
        fee_in="base" if side == "buy" else "quote",
        flags=kind,
    )


def status_of(order: SimOrder) -> str:
    """Return where an order stands, in Alpaca's words."""
    if order.status == "closed":
        return "filled"
    if order.status == "canceled":
        return "replaced" if order.reason == REPLACED else "canceled"
    if order.is_open:
        return "partially_filled" if order.filled_lots else "new"
    return order.status


def order_facts(
    order: SimOrder, replaced_by: Mapping[str, str], *, placed: bool = False
) -> dict[str, Any]:
    """Return an order.

    replaced_by : id of an order -> id of that which replaced it.
    placed      : as the answer to its request has it: nothing has happened to it yet.
    """
    symbol, status = order.symbol, "pending_new" if placed else status_of(order)
    opened, filled = rfc3339(order.opened_ms), 0 if placed else order.filled_lots
    ended = None if placed else time_or_none(order.closed_ms)
    changed_ms = max(
        (order.opened_ms, order.closed_ms, *(each.ts_ms for each in order.executions[-1:]))
    )
    average = trimmed(order.average_units(), 8) if filled else None
    limit, stop = (
        price_text(symbol, t) if t else None for t in (order.limit_ticks, order.stop_ticks)
    )
    facts = {
        "id": order.order_id,
        "client_order_id": order.requested.client_id,
        "created_at": opened,
        "updated_at": opened if placed else rfc3339(changed_ms),
        "submitted_at": opened,
        "filled_at": ended if status == "filled" else None,
        "expired_at": ended if status == "expired" else None,
        "canceled_at": ended if status in ("canceled", "replaced") else None,
        "failed_at": None,
        "replaced_at": ended if status == "replaced" else None,
        "replaced_by": replaced_by.get(order.order_id),
        "replaces": order.requested.parent or None,
        "asset_id": asset_id(symbol.symbol),
        "symbol": symbol.symbol,
        "asset_class": "crypto",
        "notional": None,
        "qty": trimmed(order.lots, 8),
        "filled_qty": trimmed(filled, 8),
        "filled_avg_price": average,
        "order_class": "",
        "order_type": order.requested.flags,
        "type": order.requested.flags,
        "side": "buy" if order.is_buy else "sell",
        "time_in_force": order.requested.tif.lower(),
        "limit_price": limit,
        "stop_price": stop,
        "status": status,
        "extended_hours": False,
        "position_intent": "buy_to_open" if order.is_buy else "sell_to_close",
    }
    nothing = ("legs", "trail_percent", "trail_price", "hwm", "subtag")
    return {**facts, **dict.fromkeys(nothing), "source": "access_key"}


_KINDS = {"new": "new", "canceled": "canceled", "expired": "expired"}
"""Event -> Alpaca's; it says nothing of the others (pending, triggered, filled, amended)."""


def trade_update(
    event: Event, replaced_by: Mapping[str, str], position_lots: int, clock_ms: int
) -> dict[str, Any] | None:
    """Return the message of an event; None: there is none.

    position_lots : of the base currency, after it.
    """
    order, fill = event.order, event.execution
    kind = _KINDS.get(event.kind)
    if fill is not None:
        kind = "partial_fill" if order.left_lots > 0 else "fill"
    if kind == "canceled" and order.reason == REPLACED:
        kind = "replaced"
    if kind is None:
        return None
    facts = {
        "event": kind,
        "event_id": f"{event.ts_ms}:{order.order_id}:{len(order.executions)}",
        "execution_id": fill.exec_id if fill else order.order_id,
        "timestamp": rfc3339(event.ts_ms),
        "at": rfc3339(clock_ms),
        "order": order_facts(order, replaced_by),
    }
    if fill is not None:
        facts |= {
            "price": price_text(order.symbol, fill.ticks),
            "qty": trimmed(fill.lots, 8),
            "position_qty": trimmed(position_lots, 8),
        }
    return facts


def fill_activity(order: SimOrder, execution: Execution) -> dict[str, Any]:
    """Return an execution as the account's activities have it; its fee is not among it."""
    done = order.executions[: order.executions.index(execution) + 1]
    cum = sum(each.lots for each in done)
    is_whole = cum >= order.lots
    return {
        "id": activity_id(execution.ts_ms, execution.exec_id),
        "activity_type": "FILL",
        "account_id": asset_id("account"),
        "transaction_time": rfc3339(execution.ts_ms),
        "type": "fill" if is_whole else "partial_fill",
        "price": price_text(order.symbol, execution.ticks),
        "qty": trimmed(execution.lots, 8),
        "side": "buy" if order.is_buy else "sell",
        "symbol": order.symbol.symbol,
        "leaves_qty": trimmed(max(order.lots - cum, 0), 8),
        "order_id": order.order_id,
        "cum_qty": trimmed(cum, 8),
        "order_status": "filled" if is_whole else "partially_filled",
        "swap_rate": "1",
    }


def activity_id(ts_ms: int, own: str) -> str:
    """Return the id of an activity: its time, and an id.

    >>> activity_id(1_700_000_000_123, "x")
    '20231114221320123::x'
    """
    digits = "".join(c for c in rfc3339(ts_ms) if c.isdigit())
    return f"{digits[:17]}::{own}"


def _word(fields: Mapping[str, Any], name: str) -> str:
    return str(fields.get(name) or "").lower()


def _units(fields: Mapping[str, Any], name: str, decimals: int) -> int:
    try:
        units = units_of(str(fields[name]), decimals)
    except ValueError as error:
        raise unprocessable(f"{name}: {error}") from None
    if units <= 0:
        raise unprocessable(f"{name} must be > 0")
    return units


def _ticks(symbol: SymbolMarket, fields: Mapping[str, Any], name: str, *, wanted: bool) -> int:
    if fields.get(name) in (None, ""):
        if wanted:
            raise unprocessable(f"{name} is required")
        return 0
    if not wanted:
        raise unprocessable(f"{name} is not allowed for this order type")
    return _units(fields, name, symbol.price_decimals)


def _lots(symbol: SymbolMarket, fields: Mapping[str, Any], ticks: int) -> int:
    """Return the lots of a quantity, or of so much money at a price."""
    has_qty, has_money = (fields.get(name) not in (None, "") for name in ("qty", "notional"))
    if has_qty == has_money:
        raise unprocessable("qty or notional is required, not both")
    if has_qty:
        return _units(fields, "qty", 8)
    money = _units(fields, "notional", 8)
    return rounded(money * 10**symbol.price_decimals, ticks)
