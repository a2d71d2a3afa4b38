"""The statement of a Kraken account: read only, with a key of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ares.domain.order_events import OrderFilled
from ares.venues.amounts import decimal_of, nearest, whole_below
from ares.venues.known_orders import sign_of
from ares.venues.kraken_orders import PAGE, QUERY_MAX, table_of
from ares.venues.kraken_reports import KrakenReports
from ares.venues.markets import VenueMarket
from ares.venues.requests import PrivateRequests
from ares.venues.statement import OpenAtVenue, Statement

PAGES_MAX = 2_000


async def kraken_statement(
    requests: PrivateRequests,
    markets: Sequence[VenueMarket],
    reports: KrakenReports,
    from_ms: int,
) -> Statement:
    """Return what the venue says now; executions since ``from_ms``.

    Raises Refused or NoAnswer where it does not say it.
    """
    balances = await requests.read("privatePostBalance", {}, limit="rest")
    lots = [
        whole_below(decimal_of(balances.get(m.base_id, balances.get(m.base, "0"))), m.qty_decimals)
        for m in markets
    ]
    listed = await requests.read("privatePostOpenOrders", {}, limit="rest")
    found = table_of(listed, "open")
    orders = [
        order
        for venue_id, described in found.items()
        if (order := _open_order(venue_id, described, markets, reports)) is not None
    ]
    trades, complete = await _trades(requests, from_ms)
    owners = await _owners(requests, sorted({str(t.get("ordertxid")) for t in trades.values()}))
    executions: list[OrderFilled] = []
    for trade_id, trade in trades.items():
        client_id = owners.get(str(trade.get("ordertxid")), "")
        executions += [
            event
            for event in reports.trade(trade_id, trade, client_id)
            if isinstance(event, OrderFilled)
        ]
    executions.sort(key=lambda event: (event.venue_ms, event.exec_id))
    return Statement(tuple(lots), tuple(orders), tuple(executions), complete)


def _open_order(
    venue_id: str,
    order: Mapping[str, Any],
    markets: Sequence[VenueMarket],
    reports: KrakenReports,
) -> OpenAtVenue | None:
    """Return an open order; None: of no instrument here."""
    described = order.get("descr") or {}
    i = reports.instrument(str(described.get("pair") or ""))
    if i < 0:
        return None
    market, sign = markets[i], sign_of(described.get("type"))
    return OpenAtVenue(
        str(order.get("cl_ord_id") or venue_id),
        venue_id,
        i,
        sign * nearest(decimal_of(order.get("vol")), market.qty_decimals),
        sign * nearest(decimal_of(order.get("vol_exec")), market.qty_decimals),
        nearest(decimal_of(described.get("price") or "0"), market.price_decimals),
    )


async def _trades(requests: PrivateRequests, from_ms: int) -> tuple[dict[str, Any], bool]:
    """Return the trades since a time, and whether every page was read."""
    found: dict[str, Any] = {}
    for _ in range(PAGES_MAX):
        parameters = {"start": str(from_ms // 1000), "consolidate_taker": "false"}
        if found:
            parameters["ofs"] = str(len(found))
        result = await requests.read("privatePostTradesHistory", parameters, limit="rest", cost=2.0)
        page, before = table_of(result, "trades"), len(found)
        found |= page
        count = result.get("count")
        if not isinstance(count, int):
            return found, False
        if len(found) >= count:
            return found, True
        if len(found) == before or len(page) < min(PAGE, count - before):
            return found, False
    return found, False


async def _owners(requests: PrivateRequests, venue_ids: Sequence[str]) -> dict[str, str]:
    """Return the client id of each order; where it has none, the venue's own id."""
    found: dict[str, str] = {}
    for at in range(0, len(venue_ids), QUERY_MAX):
        ids = ",".join(venue_ids[at : at + QUERY_MAX])
        orders = await requests.read("privatePostQueryOrders", {"txid": ids}, limit="rest")
        found |= {id_: str(order.get("cl_ord_id") or id_) for id_, order in orders.items()}
    return found
