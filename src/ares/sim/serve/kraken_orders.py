"""Kraken's words for orders: one from the fields of REST; orders and trades as REST has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from ares.sim.serve.account import UNIT, rounded, units_of
from ares.sim.serve.kraken_consolidated import consolidated
from ares.sim.serve.kraken_pairs import altname, asset_id
from ares.sim.serve.kraken_rest import KrakenError
from ares.sim.serve.market import SymbolMarket
from ares.sim.serve.orders import (
    ORDER_TYPES,
    TRIGGERED,
    Close,
    Execution,
    NewOrder,
    OrderRefusal,
    OrderRefused,
    SimOrder,
)
from ares.sim.serve.wire import text

REFUSALS = {
    OrderRefusal.NO_FUNDS: "EOrder:Insufficient funds",
    OrderRefusal.BELOW_MIN_QTY: "EOrder:Order minimum not met",
    OrderRefusal.BELOW_MIN_COST: "EOrder:Cost minimum not met",
    OrderRefusal.WOULD_TAKE: "EOrder:Post only order",
    OrderRefusal.DUPLICATE_CLIENT_ID: "EOrder:Duplicate order",
    OrderRefusal.UNKNOWN_ORDER: "EOrder:Unknown order",
    OrderRefusal.CANCEL_ONLY: "EService:Market in cancel_only mode",
    OrderRefusal.POST_ONLY: "EService:Market in post_only mode",
    OrderRefusal.LIMIT_ONLY: "EService:Market in limit_only mode",
    OrderRefusal.REDUCE_ONLY: "EService:Market in reduce_only mode",
    OrderRefusal.MAINTENANCE: "EService:Unavailable",
    OrderRefusal.BAD_PRICE: "EOrder:Invalid price",
    OrderRefusal.BAD_QTY: "EGeneral:Invalid arguments:volume",
    OrderRefusal.NOT_AMENDABLE: "EGeneral:Invalid arguments",
}
DEADLINE_MS_MAX = 60_000
TIMES = ("GTC", "IOC", "GTD", "FOK")
FLAGS = ("post", "fcib", "fciq", "nompp", "viqc")


def refused(error: OrderRefused) -> KrakenError:
    """Return a refusal in Kraken's words."""
    return KrakenError(REFUSALS[error.refusal])


def is_true(value: object) -> bool:
    """Return whether a field of a form or of JSON is set."""
    return str(value).lower() in ("true", "1")


def price_ticks(symbol: SymbolMarket, value: object) -> int:
    """Return a price in ticks; raise KrakenError."""
    try:
        ticks = units_of(str(value), symbol.price_decimals)
    except ValueError:
        name = altname(symbol.base) + altname(symbol.quote)
        raise KrakenError(
            f"EOrder:Invalid price:{name} price can only be specified up to "
            f"{symbol.price_decimals} decimals."
        ) from None
    if ticks <= 0:
        raise KrakenError("EGeneral:Invalid arguments:price")
    return ticks


def quantity_lots(value: object) -> int:
    """Return a quantity in lots of 1e-8; raise KrakenError."""
    try:
        lots = units_of(str(value))
    except ValueError:
        raise KrakenError("EGeneral:Invalid arguments:volume") from None
    if lots <= 0:
        raise KrakenError("EGeneral:Invalid arguments:volume")
    return lots


def new_order(symbol: SymbolMarket, fields: Mapping[str, Any], now_ms: int) -> NewOrder:
    """Return the order that the fields of AddOrder ask for; raise KrakenError."""
    kind, side = str(fields.get("ordertype", "")), str(fields.get("type", ""))
    if kind not in ORDER_TYPES:
        raise KrakenError("EGeneral:Invalid arguments:ordertype")
    if side not in ("buy", "sell"):
        raise KrakenError("EGeneral:Invalid arguments:type")
    flags = [flag for flag in str(fields.get("oflags") or "").split(",") if flag]
    tif = str(fields.get("timeinforce") or "GTC").upper()
    expires = str(fields.get("expiretm") or "0")
    if tif not in TIMES or set(flags) - set(FLAGS) or "viqc" in flags:
        raise KrakenError("EGeneral:Invalid arguments")
    if "post" in flags and (kind != "limit" or tif in ("IOC", "FOK")):
        raise KrakenError("EGeneral:Invalid arguments:oflags")
    leverage = str(fields.get("leverage") or "none")
    if leverage not in ("none", "1", "1:1"):
        raise KrakenError("EOrder:Cannot open position")
    limit_ticks, stop_ticks = _prices(symbol, kind, fields, "")
    expire_ms = _expiry_ms(expires, now_ms) if tif == "GTD" else 0
    return NewOrder(
        symbol,
        side == "buy",
        kind,
        quantity_lots(fields.get("volume", "")),
        limit_ticks,
        stop_ticks,
        tif=tif,
        expire_ms=expire_ms,
        post_only="post" in flags,
        client_id=client_id(fields.get("cl_ord_id")),
        userref=_userref(fields.get("userref")),
        fee_in="base" if "fcib" in flags else "quote" if "fciq" in flags else "",
        flags=",".join(flags),
        close=_close(symbol, fields),
    )


def client_id(value: object) -> str:
    """Return a client's id: a UUID, 32 hex digits, or 18 characters at most; raise KrakenError."""
    given = str(value or "")
    plain = given.replace("-", "") if len(given) == 36 and given.count("-") == 4 else given
    is_hex = len(plain) == 32 and all(c in "0123456789abcdefABCDEF" for c in plain)
    if not is_hex and (len(given) > 18 or not given.isascii()):
        raise KrakenError("EGeneral:Invalid arguments:cl_ord_id")
    return given


def require_deadline(value: object, clock_of: Callable[[int], int]) -> None:
    """Raise KrakenError where a request's deadline (RFC 3339) has passed, or is too far away.

    clock_of : the venue's time, see ``SimVenue.clock_of``.
    """
    if not value:
        return
    try:
        deadline = datetime.fromisoformat(str(value))
        deadline_ms = round(deadline.timestamp() * 1000)
    except ValueError:
        raise KrakenError("EGeneral:Invalid arguments:deadline") from None
    now_ms = clock_of(deadline_ms)
    if deadline.tzinfo is None or deadline_ms > now_ms + DEADLINE_MS_MAX:
        raise KrakenError("EGeneral:Invalid arguments:deadline")
    if deadline_ms < now_ms:
        raise KrakenError("EService:Deadline elapsed")


def order_text(order: SimOrder) -> str:
    """Return ``descr.order``: buy 0.02100000 XBTUSDT @ limit 330.00."""
    side = "buy" if order.is_buy else "sell"
    return f"{side} {text(order.lots, 8)} {_pair(order.symbol)} @ {_price_text(order)}"


def order_facts(order: SimOrder, *, trades: bool = False, whole: bool = True) -> dict[str, Any]:
    """Return an order as REST lists it; ``whole``: taker trades are one."""
    requested, symbol = order.requested, order.symbol
    first = order.stop_ticks if requested.order_type in TRIGGERED else order.limit_ticks
    second = order.limit_ticks if requested.order_type in TRIGGERED else 0
    facts: dict[str, Any] = {
        "refid": requested.parent or None,
        "userref": requested.userref,
        "cl_ord_id": requested.client_id or None,
        "status": order.status,
        "opentm": order.opened_ms / 1000,
        "starttm": 0,
        "expiretm": requested.expire_ms / 1000,
        "descr": {
            "pair": _pair(symbol),
            "type": "buy" if requested.is_buy else "sell",
            "ordertype": requested.order_type,
            "price": _price(symbol, first),
            "price2": _price(symbol, second),
            "leverage": "none",
            "order": order_text(order),
            "close": close_text(order),
        },
        "vol": text(order.lots, 8),
        "vol_exec": text(order.filled_lots, 8),
        "cost": text(order.cost, 8),
        "fee": text(sum(fee_in_quote(order, e) for e in order.executions), 8),
        "price": text(order.average_units(), 8),
        "stopprice": _price(symbol, order.stop_ticks) if order.is_triggered else "0.00000",
        "limitprice": "0.00000",
        "misc": "amended" if order.amends else "",
        "oflags": flags_of(order),
    }
    if requested.client_id == "":
        del facts["cl_ord_id"]
    if requested.order_type in TRIGGERED:
        facts["trigger"] = "last"
    if not order.is_open:
        facts |= {"closetm": order.closed_ms / 1000, "reason": order.reason or None}
    if trades:
        rows = [(order, execution) for execution in order.executions]
        shown = consolidated(rows) if whole else rows
        facts["trades"] = [execution.exec_id for _, execution in shown]
    return facts


def trade_facts(order: SimOrder, execution: Execution) -> dict[str, Any]:
    """Return an execution as REST lists it; the fee is in the quote currency, whatever paid it."""
    return {
        "ordertxid": order.order_id,
        "postxid": "TKH2SE-M7IF5-CFI7LT",
        "pair": _pair(order.symbol),
        "aclass": "forex",
        "time": execution.ts_ms / 1000,
        "type": "buy" if order.is_buy else "sell",
        "ordertype": order.requested.order_type,
        "price": text(execution.ticks, order.symbol.price_decimals),
        "cost": text(execution.cost, 8),
        "fee": text(fee_in_quote(order, execution), 8),
        "vol": text(execution.lots, 8),
        "margin": "0.00000000",
        "leverage": "0",
        "misc": "",
        "ledgers": [],
        "trade_id": execution.number,
        "maker": execution.is_maker,
    }


def fee_in_quote(order: SimOrder, execution: Execution) -> int:
    """Return a fee in units of the quote currency."""
    if execution.fee_asset == order.symbol.quote:
        return execution.fee
    return rounded(execution.fee * execution.ticks, 10**order.symbol.price_decimals)


def flags_of(order: SimOrder) -> str:
    """Return ``oflags``, the fee's currency among them."""
    flags = [flag for flag in order.requested.flags.split(",") if flag]
    if not {"fcib", "fciq"} & set(flags):
        flags.append("fciq" if order.is_buy else "fcib")
    return ",".join(flags)


def close_text(order: SimOrder) -> str:
    """Return ``descr.close`` of an order with a close."""
    close = order.requested.close
    if close is None:
        return ""
    return "close position @ " + _type_text(
        order.symbol, close.order_type, close.limit_ticks, close.stop_ticks
    )


def money_text(asset: str, units: int) -> str:
    """Return an amount of an asset: 10 decimals, of fiat 4 (cut, as Kraken shows it)."""
    if asset_id(asset).startswith("Z"):
        return text(units // (UNIT // 10**4), 4)
    return text(units, 8) + "00"


def _price_text(order: SimOrder) -> str:
    return _type_text(order.symbol, order.requested.order_type, order.limit_ticks, order.stop_ticks)


def _type_text(symbol: SymbolMarket, kind: str, limit_ticks: int, stop_ticks: int) -> str:
    if kind == "market":
        return kind
    if kind == "limit":
        return f"limit {_price(symbol, limit_ticks)}"
    words = f"{' '.join(kind.split('-')[:2])} {_price(symbol, stop_ticks)}"
    return f"{words} -> limit {_price(symbol, limit_ticks)}" if kind.endswith("limit") else words


def _pair(symbol: SymbolMarket) -> str:
    return altname(symbol.base) + altname(symbol.quote)


def _price(symbol: SymbolMarket, ticks: int) -> str:
    return text(ticks, symbol.price_decimals) if ticks else "0"


def _prices(
    symbol: SymbolMarket, kind: str, fields: Mapping[str, Any], prefix: str
) -> tuple[int, int]:
    """Return limit and stop in ticks, 0 where the type has none."""
    first = fields.get(f"{prefix}[price]" if prefix else "price")
    second = fields.get(f"{prefix}[price2]" if prefix else "price2")
    if kind == "market":
        return 0, 0
    if kind == "limit":
        return price_ticks(symbol, first), 0
    limit_ticks = price_ticks(symbol, second) if kind.endswith("limit") else 0
    return limit_ticks, price_ticks(symbol, first)


def _close(symbol: SymbolMarket, fields: Mapping[str, Any]) -> Close | None:
    kind = fields.get("close[ordertype]")
    if not kind:
        return None
    if kind not in ORDER_TYPES or kind == "market":
        raise KrakenError("EGeneral:Invalid arguments:close")
    limit_ticks, stop_ticks = _prices(symbol, str(kind), fields, "close")
    return Close(str(kind), limit_ticks, stop_ticks)


def _expiry_ms(value: str, now_ms: int) -> int:
    try:
        seconds = float(value)
    except ValueError:
        raise KrakenError("EGeneral:Invalid arguments:expiretm") from None
    expire_ms = now_ms + int(seconds * 1000) if value.startswith("+") else int(seconds * 1000)
    if expire_ms <= now_ms:
        raise KrakenError("EGeneral:Invalid arguments:expiretm")
    return expire_ms


def _userref(value: object) -> int:
    try:
        return int(str(value or 0))
    except ValueError:
        raise KrakenError("EGeneral:Invalid arguments:userref") from None
