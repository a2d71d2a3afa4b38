"""An order that takes a client id and cannot be filled: Alpaca takes none twice, so once it is
accepted, another order under that id will never arrive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_UP
from typing import Any

from ares.venues.amounts import decimal_of, text_of
from ares.venues.markets import VenueMarket


def claim(client_id: str, market: VenueMarket) -> dict[str, str]:
    """Return an order that takes an id: it buys at the lowest price that can be written, the
    smallest quantity that the venue takes.
    """
    qty = max(market.qty_min, market.qty_step, market.cost_min / market.price_step)
    qty = (qty / market.qty_step).to_integral_value(ROUND_UP) * market.qty_step
    return {
        "symbol": market.venue_id,
        "side": "buy",
        "type": "limit",
        "qty": text_of(int(qty.scaleb(market.qty_decimals)), market.qty_decimals),
        "limit_price": f"{market.price_step.normalize():f}",
        "client_order_id": client_id,
        "time_in_force": "gtc",
    }


def is_claim(order: Mapping[str, Any], markets: Sequence[VenueMarket]) -> bool:
    """Return whether an order only takes its id: no other order of ours buys so."""
    market = next((m for m in markets if order.get("symbol") in m.names), None)
    limit = order.get("limit_price")
    return (
        market is not None
        and order.get("type") == "limit"
        and order.get("side") == "buy"
        and order.get("time_in_force") == "gtc"
        and limit is not None
        and decimal_of(limit) == market.price_step
    )
