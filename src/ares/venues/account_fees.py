"""The fees of an account beside the fee that a run counts with."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ares.venues.amounts import decimal_of

TOLERANCE_BPS = 0.01


class AccountFee(msgspec.Struct, frozen=True):
    """What an account pays for a symbol, in basis points; maker_bps: None: not known."""

    symbol: str
    taker_bps: float
    maker_bps: float | None = None


def fee_of(symbol: str, taker_percent: object, maker_percent: object = None) -> AccountFee:
    """Return the fee of a symbol from percentages; raise ValueError where they are no numbers.

    >>> fee_of("BTC/USDT", "0.4000", "0.25")
    AccountFee(symbol='BTC/USDT', taker_bps=40.0, maker_bps=25.0)
    """
    maker = None if maker_percent is None else float(decimal_of(maker_percent) * 100)
    return AccountFee(symbol, float(decimal_of(taker_percent) * 100), maker)


def fee_remarks(venue: str, fees: Iterable[AccountFee], assumed_bps: float) -> list[str]:
    """Return a line for each fee above the one that models and rules count with."""
    return [
        f"{venue}: {fee.symbol}: the account pays {fee.taker_bps:g} bps, this run counts with"
        f" {assumed_bps:g} bps: every trade costs more than was judged (costs.fee_bps)"
        for fee in fees
        if fee.taker_bps > assumed_bps + TOLERANCE_BPS
    ]
