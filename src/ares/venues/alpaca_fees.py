"""What Alpaca takes for an execution. It reports fees at the end of the day only, so they follow
from the account's tier: of a purchase in the coins that are received, of a sale in quote currency.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from ares.venues.amounts import money_units, rounded_share

TIERS = {
    1: (1_500, 2_500),
    2: (1_200, 2_200),
    3: (1_000, 2_000),
    4: (800, 1_800),
    5: (500, 1_500),
    6: (200, 1_300),
    7: (200, 1_200),
    8: (0, 1_000),
}
"""Tier -> maker and taker, in millionths (docs.alpaca.markets/docs/crypto-fees, 2026-11-28)."""


class Taken(NamedTuple):
    """The fee of an execution: of a sale in money units of the quote currency, of a purchase in
    units of 1e-8 of the coins that were bought.
    """

    fee_units: int
    base_fee_units: int


class CryptoFees(NamedTuple):
    """Maker and taker, in millionths."""

    maker_ppm: int
    taker_ppm: int

    def taken(self, sign: int, quantity: Decimal, price: Decimal, *, is_maker: bool) -> Taken:
        """Return the fee of an execution; sign: 1 bought, -1 sold.

        >>> fees = CryptoFees(1_500, 2_500)
        >>> fees.taken(1, Decimal("0.5"), Decimal(100), is_maker=False)
        Taken(fee_units=0, base_fee_units=125000)
        >>> fees.taken(-1, Decimal("0.5"), Decimal(100), is_maker=False)
        Taken(fee_units=12500000, base_fee_units=0)
        """
        ppm = self.maker_ppm if is_maker else self.taker_ppm
        if sign < 0:
            return Taken(rounded_share(money_units(price * quantity), ppm), 0)
        return Taken(0, rounded_share(money_units(quantity), ppm))


def fees_of(account: Mapping[str, Any]) -> CryptoFees:
    """Return the fees of /v2/account; of the first tier where it names none."""
    tier = account.get("crypto_tier")
    return CryptoFees(*TIERS.get(tier if isinstance(tier, int) else 1, TIERS[1]))
