"""Kraken's private channels: executions and balances, in snapshots and updates with a sequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ares.sim.serve.keys import SimKey
from ares.sim.serve.kraken_keys import KrakenKeys, require
from ares.sim.serve.kraken_rest import KrakenError
from ares.sim.serve.matching import Event, Exchange, Transfer
from ares.sim.serve.orders import TRIGGERED, Execution, SimOrder
from ares.sim.serve.wire import raw, rfc3339

CHANNELS = ("executions", "balances")
SNAPSHOT_TRADES = 50
MAX_RATE_COUNT = 125
ENDS = ("new", "filled", "canceled", "expired")
"""What ``order_status: false`` leaves, with the trades."""

Send = Callable[[dict[str, Any]], None]


class KrakenChannels:
    """The private subscriptions of one socket.

    send : takes a message.
    """

    def __init__(self, exchange: Exchange, keys: KrakenKeys, send: Send) -> None:
        self._exchange = exchange
        self._keys = keys
        self._send = send
        self._params: dict[str, dict[str, Any]] = {}
        self._owners: dict[str, SimKey] = {}
        self._sequence = dict.fromkeys(CHANNELS, 0)

    def subscribe(self, channel: str, params: dict[str, Any]) -> dict[str, Any]:
        """Return the result of a subscription; raise KrakenError. The snapshot is the next step."""
        api_key = self._keys.owner(params.get("token"))
        require(api_key, "query")
        if channel in self._params:
            raise KrakenError("Already subscribed")
        legacy = params.get("snapshot")
        options: dict[str, Any] = {"channel": channel}
        if channel == "executions":
            options |= {
                "snap_orders": params.get("snap_orders", True if legacy is None else legacy),
                "snap_trades": params.get("snap_trades", bool(params.get("snapshot_trades"))),
                "order_status": params.get("order_status", True),
            }
        else:
            options["snapshot"] = True if legacy is None else legacy
        if not self._params:
            self._exchange.listeners.append(self._happened)
            self._exchange.transfer_listeners.append(self._transferred)
        self._params[channel], self._owners[channel] = options, api_key
        self._sequence[channel] = 0
        extra = {"maxratecount": MAX_RATE_COUNT} if channel == "executions" else {}
        return {**options, **extra}

    def snapshot(self, channel: str) -> None:
        """Send what a channel begins with."""
        options = self._params[channel]
        if channel == "balances":
            if options["snapshot"]:
                self._data(channel, "snapshot", self._balances())
            return
        rows: list[dict[str, Any]] = []
        if options["snap_orders"]:
            rows += [order_report(order) for order in self._exchange.open_orders()]
        if options["snap_trades"]:
            newest = self._exchange.executions[-SNAPSHOT_TRADES:]
            rows += [trade_report(order, execution) for order, execution in reversed(newest)]
        if options["snap_orders"] or options["snap_trades"]:
            self._data(channel, "snapshot", rows)

    def unsubscribe(self, channel: str) -> dict[str, Any]:
        """Return the result of the end of a subscription; raise KrakenError."""
        if self._params.pop(channel, None) is None:
            raise KrakenError("Subscription Not Found")
        self._owners.pop(channel)
        if not self._params:
            self.closed()
        return {"channel": channel}

    def closed(self) -> None:
        """Listen no more."""
        if self._happened in self._exchange.listeners:
            self._exchange.listeners.remove(self._happened)
            self._exchange.transfer_listeners.remove(self._transferred)

    def _happened(self, event: Event) -> None:
        """Send what follows from an event, unless the key was revoked."""
        for channel in list(self._params):
            if self._keys.is_revoked(self._owners[channel]):
                continue
            if channel == "executions":
                whole = self._params[channel]["order_status"]
                if whole or event.kind in (*ENDS, "trade"):
                    self._data(channel, "update", [event_report(event)])
            elif event.execution is not None:
                self._data(channel, "update", self._moves(event.order, event.execution))

    def _transferred(self, transfer: Transfer) -> None:
        """Send the ledger's entry of a deposit or withdrawal."""
        if "balances" not in self._params or self._keys.is_revoked(self._owners["balances"]):
            return
        kind = "deposit" if transfer.units > 0 else "withdrawal"
        row = self._entry(transfer.asset, transfer.units, transfer.ts_ms, kind)
        ids = {"ledger_id": transfer.transfer_id, "ref_id": transfer.transfer_id}
        self._data("balances", "update", [{**ids, **row, "fee": raw(0, 8)}])

    def _balances(self) -> list[dict[str, Any]]:
        return [
            {
                "asset": asset,
                "asset_class": "currency",
                "balance": raw(units, 8),
                "wallets": [{"type": "spot", "id": "main", "balance": raw(units, 8)}],
            }
            for asset, units in self._exchange.account.balances.items()
        ]

    def _moves(self, order: SimOrder, execution: Execution) -> list[dict[str, Any]]:
        """Return the ledger's entries of an execution."""
        sign = 1 if order.is_buy else -1
        amounts = {
            order.symbol.base: sign * execution.lots,
            order.symbol.quote: -sign * execution.cost,
        }
        ids = {"ledger_id": f"L{execution.exec_id[1:]}", "ref_id": execution.exec_id}
        return [
            {
                **ids,
                **self._entry(asset, amount, execution.ts_ms, "trade"),
                "fee": raw(execution.fee if asset == execution.fee_asset else 0, 8),
            }
            for asset, amount in amounts.items()
        ]

    def _entry(self, asset: str, amount: int, ts_ms: int, kind: str) -> dict[str, Any]:
        """Return what every entry of the ledger has."""
        return {
            "timestamp": rfc3339(ts_ms),
            "type": kind,
            "subtype": "",
            "asset": asset,
            "asset_class": "currency",
            "category": kind,
            "wallet_type": "spot",
            "wallet_id": "main",
            "amount": raw(amount, 8),
            "balance": raw(self._exchange.account.balance(asset), 8),
        }

    def _data(self, channel: str, kind: str, rows: list[dict[str, Any]]) -> None:
        self._sequence[channel] += 1
        message = {"channel": channel, "type": kind, "data": rows}
        self._send({**message, "sequence": self._sequence[channel]})


def event_report(event: Event) -> dict[str, Any]:
    """Return the execution report of an event."""
    order = event.order
    if event.execution is not None:
        return trade_report(order, event.execution)
    if event.kind == "pending":
        return {**order_report(order), "exec_type": "pending_new", "order_status": "pending_new"}
    report = {**_named(order), "timestamp": rfc3339(event.ts_ms)}
    if event.kind == "new":
        return {**report, "exec_type": "new", "order_status": "new"}
    sums = {**report, **_sums(order)}
    if event.kind == "triggered":
        states = {"exec_type": "status", "order_status": _status(order)}
        return {**sums, **states, "triggers": _trigger(order)}
    if event.kind == "amended":
        changed = {key: value for key, value in order_report(order).items() if key in _AMENDABLE}
        states = {"exec_type": "amended", "order_status": _status(order)}
        return {**sums, **changed, **states, "reason": "User requested", "amended": True}
    ended = {**sums, "exec_type": event.kind, "order_status": event.kind}
    reason = {"cancel_reason": order.reason, "reason": order.reason} if order.reason else {}
    return {**ended, **reason, "amended": bool(order.amends)}


_AMENDABLE = ("order_qty", "limit_price", "stop_price", "triggers")


def order_report(order: SimOrder) -> dict[str, Any]:
    """Return a whole order as snapshots have it."""
    requested, symbol = order.requested, order.symbol
    report: dict[str, Any] = {
        **_named(order),
        "symbol": symbol.symbol,
        "side": "buy" if order.is_buy else "sell",
        "order_type": requested.order_type,
        "order_qty": raw(order.lots, 8),
        "time_in_force": requested.tif,
        "exec_type": "new" if order.status == "open" else "pending_new",
        "order_status": _status(order),
        **_sums(order),
        "fee_ccy_pref": "fcib" if requested.fee_in == "base" else "fciq",
        "post_only": order.post_only,
        "margin": False,
        "amended": bool(order.amends),
        "timestamp": rfc3339(order.opened_ms),
    }
    if order.limit_ticks:
        report |= {
            "limit_price": raw(order.limit_ticks, symbol.price_decimals),
            "limit_price_type": "static",
        }
    if requested.order_type in TRIGGERED:
        report |= {
            "stop_price": raw(order.stop_ticks, symbol.price_decimals),
            "triggers": _trigger(order),
        }
    if requested.expire_ms:
        report["expire_time"] = rfc3339(requested.expire_ms)
    if requested.parent:
        report["order_ref_id"] = requested.parent
    return report


def trade_report(order: SimOrder, execution: Execution) -> dict[str, Any]:
    """Return the report of a fill; that it was the last one, the report ``filled`` says."""
    symbol = order.symbol
    so_far = [e for e in order.executions if e.number <= execution.number]
    return {
        **_named(order),
        "exec_id": execution.exec_id,
        "exec_type": "trade",
        "trade_id": execution.number,
        "symbol": symbol.symbol,
        "side": "buy" if order.is_buy else "sell",
        "order_type": order.requested.order_type,
        "order_qty": raw(order.lots, 8),
        "last_qty": raw(execution.lots, 8),
        "last_price": raw(execution.ticks, symbol.price_decimals),
        "cum_qty": raw(sum(e.lots for e in so_far), 8),
        "cum_cost": raw(sum(e.cost for e in so_far), 8),
        "liquidity_ind": "m" if execution.is_maker else "t",
        "cost": raw(execution.cost, 8),
        "order_status": "partially_filled",
        "timestamp": rfc3339(execution.ts_ms),
        "fee_usd_equiv": raw(execution.fee, 8),
        "fees": [{"asset": execution.fee_asset, "qty": raw(execution.fee, 8)}],
    }


def _named(order: SimOrder) -> dict[str, Any]:
    named: dict[str, Any] = {"order_id": order.order_id, "order_userref": order.requested.userref}
    if order.requested.client_id:
        named["cl_ord_id"] = order.requested.client_id
    return named


def _sums(order: SimOrder) -> dict[str, Any]:
    quote_fees = sum(e.fee for e in order.executions if e.fee_asset == order.symbol.quote)
    return {
        "cum_qty": raw(order.filled_lots, 8),
        "cum_cost": raw(order.cost, 8),
        "avg_price": raw(order.average_units(), 8),
        "fee_usd_equiv": raw(quote_fees, 8),
    }


def _status(order: SimOrder) -> str:
    if order.status == "closed":
        return "filled"
    if order.status in ("canceled", "expired"):
        return order.status
    if order.filled_lots:
        return "partially_filled"
    return "new" if order.status == "open" else "pending_new"


def _trigger(order: SimOrder) -> dict[str, Any]:
    """Return a stop's trigger."""
    decimals = order.symbol.price_decimals
    trigger: dict[str, Any] = {
        "reference": "last",
        "price": raw(order.stop_ticks, decimals),
        "price_type": "static",
        "status": "triggered" if order.is_triggered else "untriggered",
    }
    if order.is_triggered:
        trigger |= {
            "actual_price": raw(order.stop_ticks, decimals),
            "timestamp": rfc3339(order.triggered_ms),
        }
    return trigger
