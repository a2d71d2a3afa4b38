"""The statement of a Binance account: read only, with a key of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ares.domain.order_events import OrderFilled
from ares.venues.amounts import decimal_of, nearest
from ares.venues.binance_orders import BinanceOrders
from ares.venues.binance_reports import BinanceReports
from ares.venues.known_orders import sign_of
from ares.venues.markets import VenueMarket
from ares.venues.requests import REPORT
from ares.venues.statement import OpenAtVenue, Statement


async def binance_statement(
    orders: BinanceOrders,
    markets: Sequence[VenueMarket],
    reports: BinanceReports,
    from_ms: int,
    until_ms: int,
) -> Statement:
    """Return what the venue says now; executions since ``from_ms``.

    Raises Refused or NoAnswer where it does not say it.
    """
    lots, rests = await orders.balances()
    open_orders: list[OpenAtVenue] = []
    executions: list[OrderFilled] = []
    is_whole = True
    for i, market in enumerate(markets):
        symbol = {"symbol": market.venue_id}
        rows = await orders.reads.rows("privateGetOpenOrders", symbol, 6.0, REPORT)
        open_orders += [_open_order(row, i, market) for row in rows]
        since = (market.venue_id, from_ms, until_ms)
        listed, orders_whole = await orders.reads.since("privateGetAllOrders", *since)
        trades, trades_whole = await orders.reads.since("privateGetMyTrades", *since)
        is_whole &= orders_whole and trades_whole
        owners = {venue_id: str(row.get("clientOrderId")) for venue_id, row in listed.items()}
        for row in trades.values():
            venue_id = str(row.get("orderId"))
            if venue_id not in owners:
                named = {**symbol, "orderId": venue_id}
                order = await orders.reads.answer("privateGetOrder", named, 4.0)
                owners[venue_id] = str(order.get("clientOrderId") or venue_id)
            event = await orders.booked(reports.trade(row, owners[venue_id]))
            if isinstance(event, OrderFilled):
                executions.append(event)
    executions.sort(key=lambda event: (event.venue_ms, event.exec_id))
    return Statement(lots, tuple(open_orders), tuple(executions), is_whole, rests)


def _open_order(row: Mapping[str, Any], i: int, market: VenueMarket) -> OpenAtVenue:
    sign = sign_of(row.get("side"))
    stop, price = decimal_of(row.get("stopPrice") or "0"), decimal_of(row.get("price") or "0")
    return OpenAtVenue(
        str(row.get("clientOrderId") or row.get("orderId")),
        str(row.get("orderId")),
        i,
        sign * nearest(decimal_of(row.get("origQty")), market.qty_decimals),
        sign * nearest(decimal_of(row.get("executedQty")), market.qty_decimals),
        nearest(stop or price, market.price_decimals),
    )
