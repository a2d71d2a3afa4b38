"""The instruments of a run as the venue lists them: names, grid, smallest order, state."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from ares.domain.errors import UserError
from ares.domain.instrument import Instrument, InstrumentSpec


class VenueMarket(msgspec.Struct, frozen=True):
    """One symbol at the venue.

    names       : every name by which the venue calls it.
    price_step, qty_step : exact decimals; prices and quantities are multiples of them.
    qty_min, cost_min : smallest order in base and in quote currency; 0: not known.
    state       : the venue's own word, such as online or cancel_only; empty: not known.
    """

    symbol: str
    venue_id: str
    names: tuple[str, ...]
    base_id: str
    base: str
    quote: str
    price_step: Decimal
    qty_step: Decimal
    qty_min: Decimal
    cost_min: Decimal
    state: str = ""

    @property
    def price_decimals(self) -> int:
        """Return the decimals of a price."""
        return _decimals(self.price_step)

    @property
    def qty_decimals(self) -> int:
        """Return the decimals of a quantity."""
        return _decimals(self.qty_step)

    def spec(self, venue: str) -> InstrumentSpec:
        """Return the instrument with the venue's own grid."""
        return InstrumentSpec(
            Instrument(venue, self.symbol),
            self.price_decimals,
            self.qty_decimals,
            float(self.cost_min),
            order_lots_min=math.ceil(self.qty_min * 10**self.qty_decimals),
        )


def market_of(entry: Mapping[str, Any]) -> VenueMarket:
    """Return a market of ccxt's list."""
    info, limits = entry.get("info") or {}, entry.get("limits") or {}
    names = [entry["symbol"], entry["id"], info.get("altname"), info.get("wsname")]
    return VenueMarket(
        symbol=entry["symbol"],
        venue_id=entry["id"],
        names=tuple(dict.fromkeys(str(name) for name in names if name)),
        base_id=str(info.get("base") or entry.get("baseId") or entry["base"]),
        base=entry["base"],
        quote=entry["quote"],
        price_step=_number(entry["precision"].get("price")),
        qty_step=_number(entry["precision"].get("amount")),
        qty_min=_number((limits.get("amount") or {}).get("min")),
        cost_min=_number((limits.get("cost") or {}).get("min")),
        state=str(info.get("status") or ""),
    )


def markets_of(
    venue: str, listed: Mapping[str, Mapping[str, Any]], symbols: Sequence[str]
) -> list[VenueMarket]:
    """Return the markets of some symbols; raise UserError where one is not traded there."""
    missing = [symbol for symbol in symbols if symbol not in listed]
    if missing:
        raise UserError(f"{venue} does not trade {', '.join(missing)}")
    return [market_of(listed[symbol]) for symbol in symbols]


def require_same_grid(specs: Sequence[InstrumentSpec], markets: Sequence[VenueMarket]) -> None:
    """Raise UserError where a run counts in other ticks or lots than its venue.

    On another grid an order could not be written exactly, or an execution not be booked exactly.
    """
    for spec, market in zip(specs, markets, strict=True):
        own = (spec.price_decimals, spec.qty_decimals)
        venue_price, venue_qty = market.price_decimals, market.qty_decimals
        if own != (venue_price, venue_qty):
            raise UserError(
                f"{market.symbol}: this run counts with {own[0]} decimals of price and {own[1]} of"
                f" quantity, the venue with {venue_price} and {venue_qty}: begin a new run"
            )
        for name, step in (("prices", market.price_step), ("quantities", market.qty_step)):
            if step.normalize().as_tuple().digits != (1,):
                raise UserError(
                    f"{market.symbol}: {name} in steps of {step} are not supported: leave it out"
                )


def _number(value: Any) -> Decimal:
    return Decimal(0) if value is None else Decimal(str(value))


def _decimals(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
