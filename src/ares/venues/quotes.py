"""Best bids of a venue, asked for over ccxt."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from ares.domain.errors import ExternalError
from ares.venues.ccxt_setup import line_of


async def best_bids(venue: str, exchange: Any, symbols: Sequence[str]) -> list[Decimal]:
    """Return the best bid of each symbol; 0: there is none.

    exchange : of ccxt, with its markets loaded. Raises ExternalError where it does not answer.
    """
    try:
        tickers = await exchange.fetch_tickers(list(symbols))
    except Exception as error:  # whatever ccxt raises
        raise ExternalError(f"{venue}: its prices were not read: {line_of(error)}") from error
    return [Decimal(str((tickers.get(symbol) or {}).get("bid") or 0)) for symbol in symbols]
