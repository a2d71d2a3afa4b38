"""Kraken's WebSocket requests about orders: their fields in the words of REST, and the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ares.sim.serve.faults import ActiveFaults
from ares.sim.serve.kraken_keys import KrakenKeys
from ares.sim.serve.kraken_rest import KrakenError
from ares.sim.serve.kraken_trading import KrakenTrading

Params = Mapping[str, Any]
RIGHTS = {
    "add_order": ("trade",),
    "batch_add": ("trade",),
    "amend_order": ("trade", "cancel"),
    "edit_order": ("trade",),
    "cancel_order": ("trade", "cancel"),
    "cancel_all": ("trade", "cancel"),
    "cancel_all_orders_after": ("trade", "cancel"),
    "batch_cancel": ("trade", "cancel"),
}
"""Method -> the rights one of which a key needs."""


class KrakenRequests:
    """Does what a message of a socket asks for."""

    def __init__(self, trading: KrakenTrading, keys: KrakenKeys, faults: ActiveFaults) -> None:
        self._trading = trading
        self._keys = keys
        self._faults = faults
        self._methods: dict[str, Callable[[Params], list[dict[str, Any]]]] = {
            "add_order": self._add,
            "batch_add": self._add_batch,
            "amend_order": self._amend,
            "edit_order": self._edit,
            "cancel_order": self._cancel,
            "cancel_all": lambda params: [trading.cancel_all(params)],
            "cancel_all_orders_after": lambda params: [trading.cancel_after(params)],
            "batch_cancel": lambda params: [trading.cancel_batch(params)],
        }

    def results(self, method: str, params: Params, text: str) -> list[dict[str, Any]]:
        """Return the results, one for each answer; raise KrakenError.

        text : the whole message, for the faults' ``only``.
        """
        if self._faults.struck("unavailable", "socket", text):
            raise KrakenError("EService:Unavailable")
        if self._faults.struck("error_before", "socket", text):
            raise KrakenError("EGeneral:Internal error")
        api_key = self._keys.owner(params.get("token"))
        if not set(RIGHTS[method]) & set(api_key.rights):
            raise KrakenError("EGeneral:Permission denied")
        results = self._methods[method](params)
        if self._faults.struck("error_after", "socket", text):
            raise KrakenError("EService:Busy")
        return results

    def _add(self, params: Params) -> list[dict[str, Any]]:
        answer = self._trading.add(fields_of(params))
        ids = {"order_id": answer["txid"][0]} if "txid" in answer else {}
        return [ids | _repeated(params)]

    def _add_batch(self, params: Params) -> list[dict[str, Any]]:
        """Return one answer with the id, or the error, of each order."""
        orders = [fields_of(order) for order in params.get("orders") or []]
        shared = {name: params.get(name) for name in ("deadline", "validate")}
        fields = {**shared, "pair": params.get("symbol"), "orders": orders}
        answers = self._trading.add_batch(fields)["orders"]
        return [{"orders": [{"order_id": a["txid"]} if "txid" in a else a for a in answers]}]

    def _amend(self, params: Params) -> list[dict[str, Any]]:
        order = self._trading.found(params)
        answer = self._trading.amend(params)
        return [{**answer, "order_id": order.order_id} | _repeated(params)]

    def _edit(self, params: Params) -> list[dict[str, Any]]:
        fields = {**fields_of(params), "txid": params.get("order_id")}
        answer = self._trading.edit(fields)
        return [{"order_id": answer["txid"], "original_order_id": answer["originaltxid"]}]

    def _cancel(self, params: Params) -> list[dict[str, Any]]:
        """Return an answer for each id; the first that is not open ends the request."""
        ids = [{"txid": each} for each in params.get("order_id") or []]
        ids += [{"cl_ord_id": each} for each in params.get("cl_ord_id") or []]
        ids += [{"txid": str(each)} for each in params.get("order_userref") or []]
        if not ids:
            raise KrakenError("EGeneral:Invalid arguments:order_id")
        found = []
        for fields in ids:
            is_userref = str(fields.get("txid", "")).lstrip("-").isdigit()
            named = {} if is_userref else {"order_id": self._trading.found(fields).order_id}
            self._trading.cancel(fields)
            found.append(named | {k: v for k, v in fields.items() if k == "cl_ord_id"})
        return found


def fields_of(params: Params) -> dict[str, Any]:
    """Return the fields of AddOrder for the parameters of add_order."""
    kind = str(params.get("order_type", ""))
    trigger = params.get("triggers") or {}
    limit, stop = params.get("limit_price"), trigger.get("price")
    flags = ["post"] if params.get("post_only") else []
    if params.get("fee_preference") in ("base", "quote"):
        flags.append("fcib" if params["fee_preference"] == "base" else "fciq")
    fields: dict[str, Any] = {
        "pair": params.get("symbol"),
        "type": params.get("side"),
        "ordertype": kind,
        "volume": params.get("order_qty"),
        "price": stop if trigger else limit,
        "price2": limit if trigger else None,
        "timeinforce": str(params.get("time_in_force") or "").upper(),
        "oflags": ",".join(flags),
        "cl_ord_id": params.get("cl_ord_id"),
        "userref": params.get("order_userref"),
        "deadline": params.get("deadline"),
        "validate": params.get("validate"),
        "expiretm": _seconds(params.get("expire_time")),
    }
    if follows := params.get("conditional"):
        stop = follows.get("trigger_price")
        fields |= {
            "close[ordertype]": follows.get("order_type"),
            "close[price]": follows.get("limit_price") if stop is None else stop,
            "close[price2]": None if stop is None else follows.get("limit_price"),
        }
    return {name: value for name, value in fields.items() if value not in (None, "")}


def _seconds(value: object) -> str | None:
    """Return the seconds of a time in RFC 3339."""
    from datetime import datetime

    if value in (None, ""):
        return None
    try:
        return str(datetime.fromisoformat(str(value)).timestamp())
    except ValueError:
        raise KrakenError("EGeneral:Invalid arguments:expire_time") from None


def _repeated(params: Params) -> dict[str, Any]:
    """Return the client's own ids, which answers repeat."""
    names = ("cl_ord_id", "order_userref")
    return {name: params[name] for name in names if params.get(name) not in (None, "")}
