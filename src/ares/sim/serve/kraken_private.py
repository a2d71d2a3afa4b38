"""Kraken's private REST: who may ask, what the account has, its orders and its trades."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ares.domain.errors import UserError
from ares.sim.serve.account import rounded, units_of
from ares.sim.serve.keys import SimKey
from ares.sim.serve.kraken_consolidated import Row, consolidated
from ares.sim.serve.kraken_keys import KrakenKeys, require
from ares.sim.serve.kraken_orders import is_true, money_text, order_facts, trade_facts
from ares.sim.serve.kraken_pairs import FEES, FEES_MAKER, altname, asset_id, pair_id
from ares.sim.serve.kraken_rest import KrakenError, error_answer
from ares.sim.serve.kraken_trading import KrakenTrading
from ares.sim.serve.market import SymbolMarket
from ares.sim.serve.orders import SimOrder
from ares.sim.serve.venue import Answer, SignedRequest, SimVenue
from ares.sim.serve.views import View, Views
from ares.sim.serve.wire import text

PAGE = 50
IDS_MAX = 50

Fields = Mapping[str, Any]


class KrakenPrivate:
    """The private requests of one account."""

    def __init__(
        self,
        venue: SimVenue,
        keys: KrakenKeys,
        trading: KrakenTrading,
        views: Views,
        symbol: Callable[[str], SymbolMarket],
    ) -> None:
        self._venue = venue
        self._keys = keys
        self._views = views
        self._symbol = symbol
        self._kept_key, self._kept = (0, 0), list[Row]()
        self._reads: dict[str, Callable[[Fields, View], Any]] = {
            "Balance": self._balance,
            "BalanceEx": self._balance_ex,
            "TradeBalance": self._trade_balance,
            "TradeVolume": self._volume,
            "OpenOrders": self._open,
            "ClosedOrders": self._closed,
            "QueryOrders": self._orders,
            "TradesHistory": self._trades,
            "QueryTrades": self._query_trades,
        }
        self._changes: dict[str, tuple[tuple[str, ...], Callable[[Fields], Any]]] = {
            "AddOrder": (("trade",), trading.add),
            "AddOrderBatch": (("trade",), trading.add_batch),
            "AmendOrder": (("trade", "cancel"), trading.amend),
            "EditOrder": (("trade",), trading.edit),
            "CancelOrder": (("cancel", "trade"), trading.cancel),
            "CancelOrderBatch": (("cancel", "trade"), trading.cancel_batch),
            "CancelAll": (("cancel", "trade"), trading.cancel_all),
            "CancelAllOrdersAfter": (("cancel", "trade"), trading.cancel_after),
            "Withdraw": (("withdraw",), self._withdraw),
        }

    def answer(self, request: SignedRequest) -> Answer:
        """Return the answer to a request; errors come with status 200."""
        faults, requested = self._venue.faults, request.text
        method = request.path.removeprefix("/0/private/")
        try:
            if faults.struck("unavailable", "rest", requested):
                return error_answer("EService:Unavailable")
            if faults.struck("error_before", "rest", requested):
                return error_answer("EGeneral:Internal error")
            result = self._result(request, method)
        except KrakenError as error:
            return error_answer(str(error))
        if faults.struck("error_after", "rest", requested):
            return error_answer("EService:Busy")
        return Answer(msgspec.json.encode({"error": [], "result": result}))

    def _result(self, request: SignedRequest, method: str) -> Any:
        if request.method != "POST":
            raise KrakenError("EGeneral:Unknown method")
        api_key, fields = self._keys.admit(request, method)
        if method in self._changes:
            rights, change = self._changes[method]
            if not set(rights) & set(api_key.rights):
                raise KrakenError("EGeneral:Permission denied")
            return change(fields)
        if method == "GetWebSocketsToken":
            return {"token": self._keys.new_token(api_key), "expires": 900}
        if method == "GetApiKeyInfo":
            return self._key_info(api_key)
        if method not in self._reads:
            raise KrakenError("EGeneral:Unknown method")
        require(api_key, "query")
        return self._reads[method](fields, self._views.view(request.text))

    def _balance(self, _fields: Fields, view: View) -> Any:
        return {
            asset_id(asset): money_text(asset, units)
            for asset, units in self._page(view.account.balances)
        }

    def _balance_ex(self, _fields: Fields, view: View) -> Any:
        return {
            asset_id(asset): {
                "balance": money_text(asset, units),
                "hold_trade": money_text(asset, view.account.held.get(asset, 0)),
            }
            for asset, units in self._page(view.account.balances)
        }

    def _trade_balance(self, fields: Fields, view: View) -> Any:
        """Return the account's equity in one asset; what has no pair with it counts for nothing."""
        wanted = str(fields.get("asset") or "ZUSD")
        now_ms, total = self._venue.now_ms(), 0
        quotes = {wanted, wanted.removeprefix("Z"), altname(wanted)}
        for asset, units in view.account.balances.items():
            if asset in quotes or asset_id(asset) == wanted:
                total += units
            for symbol in self._venue.market.symbols:
                if symbol.base == asset and {symbol.quote, asset_id(symbol.quote)} & quotes:
                    ticks = symbol.last_ticks(now_ms)
                    total += rounded(units * ticks, 10**symbol.price_decimals)
        equity, none = text(total // 10**4, 4), "0.0000"
        zero = dict.fromkeys(("m", "uv", "n", "c", "v"), none)
        return {"eb": equity, "tb": equity, **zero, "e": equity, "mf": equity}

    def _volume(self, fields: Fields, _view: View) -> Any:
        names = [name for name in str(fields.get("pair") or "").split(",") if name]
        symbols = [self._symbol(name) for name in names]

        def fees(tiers: list[list[float]]) -> dict[str, Any]:
            first, second = tiers[0], tiers[1]
            row = {
                "fee": f"{first[1]:.4f}",
                "minfee": f"{tiers[-1][1]:.4f}",
                "maxfee": f"{first[1]:.4f}",
                "nextfee": f"{second[1]:.4f}",
                "nextvolume": f"{second[0]:.4f}",
                "tiervolume": "0.0000",
            }
            return {pair_id(symbol): row for symbol in symbols}

        found = {"currency": "ZUSD", "volume": "0.0000"}
        return {**found, "fees": fees(FEES), "fees_maker": fees(FEES_MAKER)} if symbols else found

    def _open(self, fields: Fields, view: View) -> Any:
        orders = [o for o in reversed(view.orders) if o.is_open and _matches(o, fields)]
        rows = {order.order_id: _facts(order, fields) for order in orders}
        return {"open": dict(self._page(rows))}

    def _closed(self, fields: Fields, view: View) -> Any:
        """Return 50 closed orders, the newest first; ``count`` is of all that match."""
        orders = view.closed[::-1]
        if any(fields.get(name) for name in ("cl_ord_id", "userref", "start", "end")):
            by = str(fields.get("closetime") or "both")
            orders = [o for o in orders if _matches(o, fields) and _closed_within(o, fields, by)]
        rows = {o.order_id: _facts(o, fields) for o in _cut(orders, fields)}
        found: dict[str, Any] = {"closed": dict(self._page(rows))}
        return found if is_true(fields.get("without_count")) else {**found, "count": len(orders)}

    def _orders(self, fields: Fields, view: View) -> Any:
        by_id = {order.order_id: order for order in view.orders}
        found = {}
        for order_id in _ids(fields):
            if order_id not in by_id:
                raise KrakenError("EOrder:Unknown order")
            if _matches(by_id[order_id], fields):
                found[order_id] = _facts(by_id[order_id], fields)
        return found

    def _trades(self, fields: Fields, view: View) -> Any:
        """Return 50 executions, the newest first; ``count`` is of all that match."""
        low_ms, high_ms = _window(fields)
        rows = self._executions(fields, view)[::-1]
        if fields.get("start") or fields.get("end"):
            rows = [row for row in rows if low_ms < row[1].ts_ms <= high_ms]
        page = {e.exec_id: trade_facts(o, e) for o, e in _cut(rows, fields)}
        found: dict[str, Any] = {"trades": dict(self._page(page))}
        return found if is_true(fields.get("without_count")) else {**found, "count": len(rows)}

    def _executions(self, fields: Fields, view: View) -> list[Row]:
        """Return the executions, one by one or consolidated (kept until there is another)."""
        if not _is_whole(fields):
            return view.executions
        key = (id(view.executions), len(view.executions))
        if key != self._kept_key:
            self._kept_key, self._kept = key, consolidated(view.executions)
        return self._kept

    def _query_trades(self, fields: Fields, view: View) -> Any:
        one_by_one = {e.exec_id: (order, e) for order, e in view.executions}
        whole = {e.exec_id: (order, e) for order, e in self._executions({}, view)}
        by_id, wanted = one_by_one | (whole if _is_whole(fields) else {}), _ids(fields)
        if any(each not in by_id for each in wanted):
            raise KrakenError("EQuery:Unknown trade")
        return {each: trade_facts(*by_id[each]) for each in wanted}

    def _withdraw(self, fields: Fields) -> Any:
        """Take an amount out of the account, to where ``key`` or ``address`` says."""
        exchange, wanted = self._venue.exchange, str(fields.get("asset") or "")
        try:
            units = units_of(str(fields.get("amount") or ""))
            if exchange is None or units <= 0 or not (fields.get("key") or fields.get("address")):
                raise KrakenError("EGeneral:Invalid arguments")
            for asset in exchange.account.balances:
                if wanted in (asset, altname(asset), asset_id(asset)):
                    exchange.transfer(asset, -units)
                    break
            else:
                raise KrakenError("EFunding:Unknown asset")
        except ValueError:
            raise KrakenError("EGeneral:Invalid arguments") from None
        except UserError:
            raise KrakenError("EFunding:Insufficient funds") from None
        return {"refid": exchange.ids.next("W")}

    def _key_info(self, api_key: SimKey) -> Any:
        permissions = {
            "query": ["query-funds", "query-open-trades", "query-closed-trades"],
            "trade": ["modify-trades"],
            "cancel": ["close-trades"],
            "withdraw": ["withdraw-funds"],
        }
        made = str(self._venue.clock.from_ms // 1000)
        return {
            "apiKeyName": api_key.name,
            "apiKey": api_key.key,
            "nonce": str(self._keys.nonce(api_key)),
            "nonceWindow": api_key.nonce_window,
            "permissions": [p for right in api_key.rights for p in permissions[right]],
            "iban": "",
            "validUntil": "0",
            "queryFrom": "0",
            "queryTo": "0",
            "createdTime": made,
            "modifiedTime": made,
            "ipAllowlist": list(api_key.addresses),
            "lastUsed": str(self._venue.clock_ms() // 1000),
        }

    def _page(self, rows: Mapping[str, Any]) -> list[tuple[str, Any]]:
        """Return the rows of a page; the fault ``incomplete`` takes every other one away."""
        items = list(rows.items())
        if len(items) > 1 and self._venue.faults.struck("incomplete", "rest"):
            return items[::2]
        return items


def _facts(order: SimOrder, fields: Fields) -> dict[str, Any]:
    trades = is_true(fields.get("trades"))
    return order_facts(order, trades=trades, whole=_is_whole(fields))


def _is_whole(fields: Fields) -> bool:
    """Return whether taker trades are shown as one, as they are unless asked otherwise."""
    return is_true(fields.get("consolidate_taker") or "true")


def _matches(order: SimOrder, fields: Fields) -> bool:
    """Return whether an order has the client id and the user reference that are asked for."""
    wanted, userref = fields.get("cl_ord_id"), fields.get("userref")
    if wanted not in (None, "") and order.requested.client_id != wanted:
        return False
    return userref in (None, "") or str(order.requested.userref) == str(userref)


def _closed_within(order: SimOrder, fields: Fields, by: str) -> bool:
    low_ms, high_ms = _window(fields)
    times = {"open": [order.opened_ms], "close": [order.closed_ms]}
    return any(
        low_ms < ts_ms <= high_ms for ts_ms in times.get(by, [order.opened_ms, order.closed_ms])
    )


def _window(fields: Fields) -> tuple[int, int]:
    """Return start (exclusive) and end (inclusive) in ms; seconds as Kraken has them."""
    try:
        low, high = (float(str(fields.get(name) or 0)) for name in ("start", "end"))
    except ValueError:
        raise KrakenError("EGeneral:Invalid arguments") from None
    return (round(low * 1000) if low else -1), (round(high * 1000) if high else 1 << 62)


def _cut(rows: list[Any], fields: Fields) -> list[Any]:
    try:
        offset = int(str(fields.get("ofs") or 0))
    except ValueError:
        raise KrakenError("EGeneral:Invalid arguments") from None
    return rows[max(offset, 0) :][:PAGE]


def _ids(fields: Fields) -> list[str]:
    ids = [each for each in str(fields.get("txid") or "").split(",") if each]
    if not 1 <= len(ids) <= IDS_MAX:
        raise KrakenError("EGeneral:Invalid arguments")
    return ids
