"""The venues that are declared."""

from __future__ import annotations

import difflib

from ares.domain.errors import UserError
from ares.venues.alpaca import ALPACA
from ares.venues.binance import BINANCE
from ares.venues.declared import DeclaredVenue
from ares.venues.kraken import KRAKEN

DECLARED = {venue.name: venue for venue in (KRAKEN, BINANCE, ALPACA)}


def declared_venue(name: str) -> DeclaredVenue:
    """Return a declared venue; raise UserError, with the nearest name, for another."""
    found = DECLARED.get(name)
    if found is None:
        near = difflib.get_close_matches(name, DECLARED, n=1)
        hint = f": did you mean {near[0]}?" if near else f": use one of {', '.join(DECLARED)}"
        raise UserError(f"venue '{name}' is not declared{hint}")
    return found


def require_orders(name: str) -> DeclaredVenue:
    """Return a venue that takes orders of Ares; raise UserError for one that does not."""
    venue = declared_venue(name)
    if not venue.takes_orders:
        able = ", ".join(v.name for v in DECLARED.values() if v.takes_orders)
        raise UserError(f"Ares sends no orders to {name} yet: use one of {able}")
    return venue


def require_sandbox(name: str) -> None:
    """Raise UserError for a venue that has no sandbox."""
    if not declared_venue(name).has_sandbox:
        able = ", ".join(v.name for v in DECLARED.values() if v.has_sandbox)
        raise UserError(
            f"live_trading.sandbox: {name} has no sandbox ({able} have): rehearse with `ares sim"
            f" serve --protocol {name}` and --address"
        )
