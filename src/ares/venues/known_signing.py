"""The venues whose private requests can be signed."""

from __future__ import annotations

from ares.domain.errors import UserError
from ares.venues.alpaca_signing import ALPACA_SIGNING
from ares.venues.binance_signing import BINANCE_SIGNING
from ares.venues.kraken_signing import KRAKEN_SIGNING
from ares.venues.signing import VenueSigning

KNOWN = {each.venue: each for each in (KRAKEN_SIGNING, BINANCE_SIGNING, ALPACA_SIGNING)}


def signing_of(venue: str) -> VenueSigning:
    """Return how a venue's requests are signed; raise UserError for one that is not known."""
    if venue not in KNOWN:
        raise UserError(f"Ares has no keys of '{venue}': use one of {', '.join(KNOWN)}")
    return KNOWN[venue]
