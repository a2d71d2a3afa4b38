"""The statement of an Alpaca account: read only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from ares.domain.order_events import OrderFilled
from ares.domain.utc import utc_iso
from ares.venues.alpaca_orders import (
    ACTIVITIES,
    ACTIVITIES_MAX,
    ORDER,
    ORDERS,
    ORDERS_MAX,
    POSITIONS,
    REST,
    lots_and_rests,
    positions_of,
    rows_of,
)
from ares.venues.alpaca_reports import AlpacaReports, time_ms
from ares.venues.amounts import decimal_of, nearest
from ares.venues.known_orders import sign_of
from ares.venues.markets import VenueMarket
from ares.venues.requests import PrivateRequests
from ares.venues.statement import OpenAtVenue, Statement

PAGES_MAX = 2_000
Order = Mapping[str, Any]


async def alpaca_statement(
    requests: PrivateRequests,
    markets: Sequence[VenueMarket],
    reports: AlpacaReports,
    from_ms: int,
) -> Statement:
    """Return what the venue says now; executions since ``from_ms``.

    Raises Refused or NoAnswer where it does not say it.
    """
    held = positions_of(await requests.read(POSITIONS, {}, limit=REST))
    lots, rests = lots_and_rests([held.get(m.base, Decimal(0)) for m in markets], markets)
    found = await requests.read(ORDERS, {"status": "open", "limit": str(ORDERS_MAX)}, limit=REST)
    listed = rows_of(found)
    orders = [o for row in listed if (o := _open_order(row, markets, reports)) is not None]
    activities, complete = await _activities(requests, from_ms)
    known = await _orders(requests, from_ms) if activities else {}
    executions: list[OrderFilled] = []
    for activity in activities:
        venue_id = str(activity.get("order_id"))
        if venue_id not in known:
            known[venue_id] = await requests.read(ORDER, {"order_id": venue_id}, limit=REST)
        events = reports.execution(activity, known[venue_id])
        executions += [event for event in events if isinstance(event, OrderFilled)]
    executions.sort(key=lambda event: (event.venue_ms, event.exec_id))
    is_whole = complete and len(listed) < ORDERS_MAX
    return Statement(lots, tuple(orders), tuple(executions), is_whole, rests)


def _open_order(
    order: Order, markets: Sequence[VenueMarket], reports: AlpacaReports
) -> OpenAtVenue | None:
    """Return an open order; None: of no instrument here. A stop's price is its trigger."""
    i = reports.instrument(str(order.get("symbol")))
    if i < 0:
        return None
    market, sign = markets[i], sign_of(order.get("side"))
    price = order.get("stop_price") or order.get("limit_price") or "0"
    return OpenAtVenue(
        str(order.get("client_order_id") or order.get("id")),
        str(order.get("id")),
        i,
        sign * nearest(decimal_of(order.get("qty")), market.qty_decimals),
        sign * nearest(decimal_of(order.get("filled_qty") or "0"), market.qty_decimals),
        nearest(decimal_of(price), market.price_decimals),
    )


async def _activities(requests: PrivateRequests, from_ms: int) -> tuple[list[Order], bool]:
    """Return the executions since a time, and whether every page was read.

    Entries name how much of their order was left: one that is missing in between shows.
    """
    found: dict[str, Order] = {}
    parameters = {
        "activity_type": "FILL",
        "after": utc_iso(from_ms),
        "direction": "asc",
        "page_size": str(ACTIVITIES_MAX),
    }
    for _ in range(PAGES_MAX):
        rows = rows_of(await requests.read(ACTIVITIES, parameters, limit=REST))
        before = len(found)
        found |= {str(row.get("id")): row for row in rows}
        if len(found) == before:
            return list(found.values()), _is_gapless(list(found.values()))
        parameters["page_token"] = str(rows[-1].get("id"))
    return list(found.values()), False


def _is_gapless(rows: Sequence[Order]) -> bool:
    """Return whether the executions of each order add up to what it has filled with them."""
    filled: dict[str, Decimal] = {}
    for row in rows:
        venue_id = str(row.get("order_id"))
        filled[venue_id] = filled.get(venue_id, Decimal(0)) + decimal_of(row.get("qty"))
        if filled[venue_id] != decimal_of(row.get("cum_qty")):
            return False
    return True


async def _orders(requests: PrivateRequests, from_ms: int) -> dict[str, Order]:
    """Return the orders that were submitted since a time, by the venue's id."""
    found: dict[str, Order] = {}
    since_ms = from_ms
    for _ in range(PAGES_MAX):
        parameters = {
            "status": "all",
            "limit": str(ORDERS_MAX),
            "direction": "asc",
            "after": utc_iso(max(0, since_ms - 1_000)),
        }
        rows, before = rows_of(await requests.read(ORDERS, parameters, limit=REST)), len(found)
        found |= {str(row.get("id")): row for row in rows}
        if len(found) == before or len(rows) < ORDERS_MAX:
            break
        since_ms = time_ms(rows[-1].get("submitted_at"))
    return found
