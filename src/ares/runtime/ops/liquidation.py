"""What to cancel and how much to sell: a function of ledger, balances and open orders.

Coins that are not ours are never sold: at most what the ledger holds, and at most what the account
has beyond what it holds for others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from ares.domain.kill_ids import kill_lane
from ares.venues.markets import VenueMarket
from ares.venues.statement import OpenAtVenue


class Sale(msgspec.Struct, frozen=True):
    """So many lots of a lane are to be sold."""

    lane: int
    lots: int


def is_own(client_id: str, owner: str) -> bool:
    """Return whether an order is of this environment: its id begins with the owner's digits."""
    return bool(owner) and len(client_id) == 32 and client_id.startswith(owner)


def to_cancel(orders: Sequence[OpenAtVenue], owner: str, *, flatten: bool) -> list[OpenAtVenue]:
    """Return the open orders that are to be cancelled: entries; with ``flatten`` all of ours.

    A sale of the kill command itself ends at once by its own terms.
    """
    return [
        order
        for order in orders
        if is_own(order.client_id, owner)
        and kill_lane(order.client_id) < 0
        and (flatten or order.lots > 0)
    ]


def to_sell(
    lots: Sequence[int],
    venue_lots: Sequence[int],
    others: Sequence[int],
    unresolved: Mapping[int, int],
) -> list[Sale]:
    """Return what is to be sold of each lane.

    lots       : (n_lanes,) of the ledger. Lane ``k`` is of instrument ``k % n_instruments``.
    venue_lots : (n_instruments,) that the account has, those that orders hold included.
    others     : (n_instruments,) that it holds for others; a negative number counts as none.
    unresolved : lots of sales whose outcome is not known yet, by lane: they may be sold already.
    """
    n = len(venue_lots)
    sales: list[Sale] = []
    for i in range(n):
        lanes = range(i, len(lots), n)
        own = sum(max(0, lots[lane]) for lane in lanes)
        waiting = sum(unresolved.get(lane, 0) for lane in lanes)
        left = min(own, venue_lots[i] - max(0, others[i])) - waiting
        for lane in lanes:
            part = min(left, max(0, lots[lane]) - unresolved.get(lane, 0))
            if part > 0:
                sales.append(Sale(lane, part))
                left -= part
    return sales


def limit_ticks(bid: Decimal, collar_bps: float, market: VenueMarket) -> int:
    """Return the lowest price of a sale: the collar below the best bid, at least one tick."""
    lowest = bid * (1 - Decimal(str(collar_bps)) / 10_000)
    return max(1, int(lowest.scaleb(market.price_decimals).to_integral_value("ROUND_CEILING")))


def is_too_small(lots: int, bid: Decimal, collar_bps: float, market: VenueMarket) -> bool:
    """Return whether the venue takes no order of this size at the lowest price."""
    quantity = Decimal(lots).scaleb(-market.qty_decimals)
    price = Decimal(limit_ticks(bid, collar_bps, market)).scaleb(-market.price_decimals)
    return quantity < market.qty_min or quantity * price < market.cost_min
