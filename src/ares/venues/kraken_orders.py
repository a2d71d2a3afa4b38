"""Orders, look-ups and balances of a Kraken account, over ccxt's private requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from ares.domain.events import Event
from ares.domain.order_events import (
    AccountSeen,
    AmendOrder,
    CancelOrder,
    OrderAbsent,
    SubmitOrder,
)
from ares.venues.amounts import decimal_of, text_of, whole_below
from ares.venues.answers import NoAnswer, Refused, WouldTake
from ares.venues.deadline import left_ms
from ares.venues.known_orders import KnownOrder, KnownOrders
from ares.venues.kraken_reports import KrakenReports
from ares.venues.kraken_words import would_take
from ares.venues.markets import VenueMarket
from ares.venues.requests import LOOK_UP, NORMAL, REPORT, URGENT, PrivateRequests

DEADLINE_MS_MIN, DEADLINE_MS_MAX = 2_000, 55_000
"""How far ahead a deadline may lie on REST: 2 to 60 s, less what the clocks may differ."""

TRADES_BACK_MS, LATE_MS = 900_000, 20_000
PAGE, PAGES_MAX = 50, 40
QUERY_MAX = 20
SHORT_LIVED_MS = 5_000
SENT_KEPT = 1_000

WITH_TRADES = {"trades": "true", "consolidate_taker": "false"}
"""Executions one by one, as the stream reports them: their ids are the same then."""

TIERS = {
    "starter": {"rest": (15.0, 45.0), "trade": (60.0, 60.0)},
    "intermediate": {"rest": (20.0, 40.0), "trade": (125.0, 53.4)},
    "pro": {"rest": (20.0, 20.0), "trade": (180.0, 48.0)},
}
"""Level of the account -> the REST counter, and the orders of one pair: most at once, and seconds
in which so many are given back (docs.kraken.com, "Spot REST rate limits" and "Spot trading rate
limits", read 2026-11-28).
"""

COSTS = {"ClosedOrders": 2.0}
"""Of the REST counter; others cost 1."""


class KrakenOrders:
    """One account.

    markets    : of the run's instruments, in order.
    venue_ms   : the venue's clock, as far as it is known here.
    deadline_ms : of an amendment, in wall time.
    wall_ms    : the wall clock, by which the deadlines of a rehearsal run; speed: of a rehearsal.
    """

    def __init__(
        self,
        requests: PrivateRequests,
        markets: Sequence[VenueMarket],
        known: KnownOrders,
        reports: KrakenReports,
        now_ms: Callable[[], int],
        venue_ms: Callable[[], int],
        deadline_ms: int,
        speed: int = 1,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._requests, self._markets, self._known = requests, markets, known
        self._reports, self._now_ms, self._venue_now_ms = reports, now_ms, venue_ms
        self._deadline_ms, self._speed, self._wall_ms = deadline_ms, speed, wall_ms
        self._sent_ms: dict[str, int] = {}

    # --- what changes something ----------------------------------------------------------------

    async def submit(self, command: SubmitOrder) -> str:
        """Send an order; return the venue's id. Raises Refused, NotSent or NoAnswer."""
        market = self._market(command.instrument)
        rank = NORMAL if command.kind == "entry" else URGENT
        self._note_sent(command.client_id)
        try:
            result = await self._requests.ask(
                "privatePostAddOrder", lambda: self._request(command, market), rank,
                _trading(market),
            )  # fmt: skip
        except Refused as error:
            if would_take(str(error)):
                raise WouldTake(str(error)) from error
            raise
        ids = result.get("txid")
        if not isinstance(ids, list) or not ids:
            raise NoAnswer(f"the answer names no order: {str(result)[:60]}")
        sign = 1 if command.lots > 0 else -1
        i = command.instrument % len(self._markets)
        self._known.add(str(ids[0]), KnownOrder(command.client_id, i, sign))
        return str(ids[0])

    async def cancel(self, command: CancelOrder) -> None:
        """Cancel an order; its end is reported by the stream."""
        market = self._market(command.instrument)
        age_ms = self._now_ms() - self._sent_ms.pop(command.client_id, 0)
        cost = 8.0 if age_ms < SHORT_LIVED_MS else 2.0
        await self._requests.ask(
            "privatePostCancelOrder", {"cl_ord_id": command.client_id}, URGENT, _trading(market),
            cost,
        )  # fmt: skip

    async def amend(self, command: AmendOrder) -> None:
        """Change a resting stop in place."""
        market = self._market(command.instrument)
        parameters = {
            "cl_ord_id": command.client_id,
            "order_qty": text_of(abs(command.lots), market.qty_decimals),
            "trigger_price": text_of(command.price_ticks, market.price_decimals),
        }
        if self._deadline_ms:
            parameters["deadline"] = rfc3339(self._deadline(self._deadline_ms))
        await self._requests.ask("privatePostAmendOrder", parameters, URGENT, _trading(market), 2.0)

    async def try_late(self, command: SubmitOrder) -> None:
        """Have an order checked that comes after its deadline; it is never placed."""
        market = self._market(command.instrument)

        def late() -> dict[str, str]:
            by_ms = self._deadline(-LATE_MS)
            made = order_request(msgspec.structs.replace(command, send_by_ms=by_ms), market)
            return {**made, "validate": "true"}

        await self._requests.ask("privatePostAddOrder", late, NORMAL, _trading(market))

    def _note_sent(self, client_id: str) -> None:
        self._sent_ms[client_id] = self._now_ms()
        if len(self._sent_ms) > SENT_KEPT:
            del self._sent_ms[next(iter(self._sent_ms))]

    def _request(self, command: SubmitOrder, market: VenueMarket) -> dict[str, str]:
        """Return the order as it leaves now; raise NotSent where its deadline is too near.

        The venue takes no deadline that is far away: an earlier one keeps the promise too.
        """
        if not command.send_by_ms:
            return order_request(command, market)
        venue_ms = self._venue_now_ms()
        by_ms = self._deadline(left_ms(command.send_by_ms, venue_ms, self._speed, DEADLINE_MS_MIN))
        return order_request(msgspec.structs.replace(command, send_by_ms=by_ms), market)

    def _deadline(self, ahead_ms: int) -> int:
        """Return the instant that is so far away, in wall time."""
        is_fast = self._speed > 1  # the venue's clock is the market's
        now_ms = self._wall_ms() if is_fast else self._venue_now_ms()
        return now_ms + min(ahead_ms, DEADLINE_MS_MAX)

    # --- what only reads -----------------------------------------------------------------------

    async def look_up(self, client_id: str, _instrument: int) -> list[Event]:
        """Return the executions of an order and where it stands; or that it was not found.

        Everything is looked through from the venue's own time on, in the order in which an order
        moves, so that a later look finds what has moved on since an earlier one.

        Raises Refused or NoAnswer where nothing was learnt.
        """
        venue_ms = await self._venue_ms()
        is_whole = True
        for name, key in (("OpenOrders", "open"), ("ClosedOrders", "closed")):
            found, complete = await self._orders(name, key, client_id)
            if found:
                return await self._described(found, client_id)
            is_whole &= complete
        venue_ids, complete = await self._strange_trades(venue_ms)
        is_whole &= complete
        for at in range(0, len(venue_ids), QUERY_MAX):
            wanted = venue_ids[at : at + QUERY_MAX]
            orders = await self._requests.read(
                "privatePostQueryOrders", {**WITH_TRADES, "txid": ",".join(wanted)}, LOOK_UP, "rest"
            )
            found = {k: o for k, o in orders.items() if o.get("cl_ord_id") == client_id}
            if found:
                return await self._described(found, client_id)
            is_whole &= all(venue_id in orders for venue_id in wanted)
        return [OrderAbsent(client_id, self._now_ms(), is_whole, venue_ms if is_whole else 0)]

    async def _orders(
        self, name: str, key: str, client_id: str
    ) -> tuple[dict[str, dict[str, Any]], bool]:
        """Return the orders with our id, and whether all were read.

        The venue filters; where others come too it did not, and a page is no whole.
        """
        found: dict[str, dict[str, Any]] = {}
        seen, is_whole = 0, True
        for page in range(PAGES_MAX):
            parameters = {**WITH_TRADES, "cl_ord_id": client_id}
            if page:
                parameters["ofs"] = str(seen)
            result = await self._requests.read(
                f"privatePost{name}", parameters, LOOK_UP, "rest", COSTS.get(name, 1.0)
            )
            orders = table_of(result, key)
            found |= {k: o for k, o in orders.items() if o.get("cl_ord_id") == client_id}
            seen += len(orders)
            count = result.get("count")
            if key == "open" or not isinstance(count, int) or seen >= count:
                is_whole &= key == "open" or isinstance(count, int) or not orders
                return found, is_whole
            if not orders:
                return found, False
        return found, False

    async def _described(
        self, orders: Mapping[str, Mapping[str, Any]], client_id: str
    ) -> list[Event]:
        """Return the executions of orders with our id, then where the newest stands.

        Where QueryTrades sums trades up that one taking made, TradesHistory has them one by one.
        Raises NoAnswer where more was executed than the orders say.
        """
        ids = [str(id_) for order in orders.values() for id_ in order.get("trades") or ()]
        claimed = sum(decimal_of(order.get("vol_exec")) for order in orders.values())
        trades = await self._query_trades(ids)
        if _volume(trades) > claimed:
            opened = min(float(order.get("opentm") or 0.0) for order in orders.values())
            trades = await self._history_of(ids, int(opened) - 1)
        if _volume(trades) > claimed:
            raise NoAnswer(f"its executions are of {_volume(trades)}, the order says {claimed}")
        executions: list[Event] = []
        for trade_id, trade in trades.items():
            executions += self._reports.trade(trade_id, trade, client_id)
        newest = max(orders, key=lambda venue_id: float(orders[venue_id].get("opentm") or 0.0))
        return executions + self._reports.standing(newest, orders[newest], client_id)

    async def _query_trades(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """Return trades by their ids, those that the venue knows, in order."""
        found: dict[str, Mapping[str, Any]] = {}
        for at in range(0, len(ids), QUERY_MAX):
            wanted = ids[at : at + QUERY_MAX]
            parameters = {"txid": ",".join(wanted), "consolidate_taker": "false"}
            trades = await self._requests.read(
                "privatePostQueryTrades", parameters, LOOK_UP, "rest", 2.0
            )
            found |= {trade_id: trades[trade_id] for trade_id in wanted if trade_id in trades}
        return found

    async def _history_of(self, ids: Sequence[str], from_s: int) -> dict[str, Mapping[str, Any]]:
        """Return trades by their ids, from TradesHistory since a time."""
        found: dict[str, Mapping[str, Any]] = {}
        seen = 0
        for _ in range(PAGES_MAX):
            parameters = {"start": str(from_s), "consolidate_taker": "false"}
            if seen:
                parameters["ofs"] = str(seen)
            result = await self._requests.read(
                "privatePostTradesHistory", parameters, LOOK_UP, "rest", 2.0
            )
            page = table_of(result, "trades")
            found |= page
            seen += len(page)
            if not page or seen >= int(result.get("count") or 0):
                break
        return {trade_id: found[trade_id] for trade_id in ids if trade_id in found}

    async def _strange_trades(self, venue_ms: int) -> tuple[list[str], bool]:
        """Return the venue's ids of orders that traded lately and that are of nobody known, and
        whether all pages were read.
        """
        seen: dict[str, str] = {}
        parameters = {
            "start": str((venue_ms - TRADES_BACK_MS) // 1000),
            "end": str(venue_ms // 1000 + 1),
            "consolidate_taker": "false",
        }
        for _ in range(PAGES_MAX):
            page = {**parameters, "ofs": str(len(seen))} if seen else parameters
            result = await self._requests.read(
                "privatePostTradesHistory", page, LOOK_UP, "rest", 2.0
            )
            trades, before = table_of(result, "trades"), len(seen)
            seen |= {trade_id: str(t.get("ordertxid")) for trade_id, t in trades.items()}
            count = result.get("count")
            if not isinstance(count, int):
                return [], False
            if len(seen) >= count:
                exec_id, at_ms = self._reports.newest_execution
                if at_ms > venue_ms - TRADES_BACK_MS and exec_id not in seen:
                    return [], False  # the answer is older than what the stream has reported
                strange = {id_ for id_ in seen.values() if self._known.get(id_) is None}
                return sorted(strange), True
            if len(seen) == before:
                return [], False
        return [], False

    async def owner_of(self, venue_id: str) -> str:
        """Return the client id of an order; where it has none, the venue's own id."""
        orders = await self._requests.read(
            "privatePostQueryOrders", {"txid": venue_id}, LOOK_UP, "rest"
        )
        order = orders.get(venue_id)
        if not isinstance(order, dict):
            raise NoAnswer(f"order {venue_id} was not found")
        return str(order.get("cl_ord_id") or venue_id)

    async def account(self) -> AccountSeen:
        """Return balances and open orders. Raises Refused or NoAnswer."""
        as_of_ms = self._now_ms()
        balances = await self._requests.read("privatePostBalance", {}, REPORT, "rest")
        result = await self._requests.read("privatePostOpenOrders", {}, REPORT, "rest")
        orders = table_of(result, "open")
        lots = []
        for market in self._markets:
            held = decimal_of(balances.get(market.base_id, balances.get(market.base, "0")))
            lots.append(whole_below(held, market.qty_decimals))
        for venue_id, order in orders.items():
            self._learn(venue_id, order)
        ids = tuple(str(order.get("cl_ord_id") or id_) for id_, order in orders.items())
        return AccountSeen(self._now_ms(), as_of_ms, True, tuple(lots), ids)

    async def cash(self) -> dict[str, Decimal]:
        """Return what the account holds of every asset, by the venue's names."""
        balances = await self._requests.read("privatePostBalance", {}, REPORT, "rest")
        return {name: decimal_of(held) for name, held in balances.items()}

    async def token(self) -> dict[str, Any]:
        """Return the token that opens the private stream, and for how long it is valid."""
        return await self._requests.read("privatePostGetWebSocketsToken", {}, URGENT, "rest")

    def _learn(self, venue_id: str, order: Mapping[str, Any]) -> None:
        described, client_id = order.get("descr") or {}, order.get("cl_ord_id")
        i = self._reports.instrument(str(described.get("pair") or ""))
        if client_id and i >= 0:
            sign = {"buy": 1, "sell": -1}.get(str(described.get("type")), 0)
            self._known.add(venue_id, KnownOrder(str(client_id), i, sign))

    async def _venue_ms(self) -> int:
        """Return the venue's own time, rounded down: seconds are all that REST tells."""
        result = await self._requests.read("publicGetTime", {})
        return int(decimal_of(result.get("unixtime"))) * 1000

    def _market(self, lane: int) -> VenueMarket:
        return self._markets[lane % len(self._markets)]


def order_request(command: SubmitOrder, market: VenueMarket) -> dict[str, str]:
    """Return the order as Kraken takes it: an entry is a limit order that is filled at once or
    cancelled, an exit a market order, a stop rests and sells at the market. Fees in quote currency.
    """
    request = {
        "pair": market.venue_id,
        "type": "buy" if command.lots > 0 else "sell",
        "volume": text_of(abs(command.lots), market.qty_decimals),
        "cl_ord_id": command.client_id,
        "oflags": "fciq",
    }
    price = text_of(command.price_ticks, market.price_decimals)
    if command.kind == "stop":
        request |= {"ordertype": "stop-loss", "price": price, "trigger": "last"}
    elif command.kind == "entry" and command.limit_ticks:
        limit = text_of(command.limit_ticks, market.price_decimals)
        request |= {"ordertype": "limit", "price": limit, "oflags": "fciq,post"}
    elif command.price_ticks:
        request |= {"ordertype": "limit", "price": price, "timeinforce": "IOC"}
    else:
        request["ordertype"] = "market"
    if command.send_by_ms:
        request["deadline"] = rfc3339(command.send_by_ms)
    return request


def rfc3339(ms: int) -> str:
    """Return a time as Kraken takes it.

    >>> rfc3339(1695378785709)
    '2023-09-22T10:33:05.709Z'
    """
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def _volume(trades: Mapping[str, Mapping[str, Any]]) -> Decimal:
    return sum((decimal_of(trade.get("vol")) for trade in trades.values()), Decimal(0))


def _trading(market: VenueMarket) -> str:
    return f"trade:{market.symbol}"


def table_of(result: Mapping[str, Any], key: str) -> dict[str, dict[str, Any]]:
    """Return a table of an answer; raise NoAnswer where it is none."""
    table = result.get(key)
    if not isinstance(table, dict) or not all(isinstance(row, dict) for row in table.values()):
        raise NoAnswer(f"the answer has no {key}: {str(result)[:60]}")
    return table
