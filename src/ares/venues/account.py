"""An account at a venue, by the venue's name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Protocol

from ares.domain.api_key import ApiKey
from ares.domain.errors import UserError
from ares.domain.events import Event
from ares.domain.venue import VenueTraits
from ares.venues.account_fees import AccountFee
from ares.venues.ccxt_venue import CcxtVenue
from ares.venues.markets import VenueMarket
from ares.venues.statement import Statement


class VenueAccess(Protocol):
    """The connections of one account; see ``KrakenAccount``."""

    async def markets(self, symbols: Sequence[str]) -> list[VenueMarket]:
        """Return the venue's markets of some symbols; raise ExternalError or UserError."""

    async def venue(
        self, symbols: Sequence[str], traits: VenueTraits, post: Callable[[Event], None]
    ) -> CcxtVenue:
        """Return the account as a venue for these instruments; events go to ``post``."""

    async def fees(self, symbols: Sequence[str]) -> list[AccountFee]:
        """Return what the account pays; raise ExternalError where the venue does not say."""

    async def statement(self, symbols: Sequence[str], from_ms: int) -> Statement:
        """Return what the venue says of the account; raise ExternalError where it does not."""

    async def bids(self, symbols: Sequence[str]) -> list[Decimal]:
        """Return the best bid of each symbol; raise ExternalError where the venue does not answer.

        Call ``markets`` before.
        """

    async def close(self) -> None:
        """Close every connection."""


def account_at(
    venue: str,
    key: ApiKey,
    now_ms: Callable[[], int],
    say: Callable[[str], None] = lambda _: None,
    address: str | None = None,
) -> VenueAccess:
    """Return the account of a key; raise UserError for a venue that takes no orders, or a key that
    cannot be its own.
    """
    if venue == "kraken":
        from ares.venues.kraken_venue import KrakenAccount

        return KrakenAccount(key, now_ms, say, address)
    if venue == "binance":
        from ares.venues.binance_venue import BinanceAccount

        return BinanceAccount(key, now_ms, say, address)
    if venue == "alpaca":
        from ares.venues.alpaca_venue import AlpacaAccount

        return AlpacaAccount(key, now_ms, say, address)
    raise UserError(f"Ares has no account at {venue}")
