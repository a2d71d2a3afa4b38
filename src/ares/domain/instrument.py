"""What can be traded: a symbol at a venue, and the grid on which it trades."""

from __future__ import annotations

import re

import msgspec

from ares.domain.errors import UserError

MONEY_DECIMALS = 8
"""Money is counted in units of 1e-8 of the quote currency."""


class Instrument(msgspec.Struct, frozen=True, order=True):
    """A symbol at a venue.

    >>> Instrument("binance", "BTC/USDT").key
    'binance:BTC/USDT'
    >>> Instrument.parse("binance:BTC/USDT")
    Instrument(venue='binance', symbol='BTC/USDT')
    """

    venue: str
    symbol: str

    @property
    def key(self) -> str:
        """Return ``venue:symbol``."""
        return f"{self.venue}:{self.symbol}"

    @property
    def slug(self) -> str:
        """Return a name that is safe in a path: ``binance_BTC-USDT``."""
        return f"{self.venue}_{self.symbol.replace('/', '-').replace(':', '-')}"

    @property
    def base(self) -> str:
        """Return the base currency, ``BTC`` of ``BTC/USDT``."""
        return self.symbol.partition("/")[0]

    @property
    def quote(self) -> str:
        """Return the quote currency, ``USDT`` of ``BTC/USDT``."""
        return self.symbol.partition("/")[2]

    @classmethod
    def parse(cls, key: str) -> Instrument:
        """Return the instrument of a full key; raise UserError when the venue is missing."""
        venue, colon, symbol = key.partition(":")
        if not colon or not venue or not symbol:
            raise UserError(f"'{key}' is not an instrument: write venue:BASE/QUOTE")
        return cls(venue, symbol)


def is_called(key: str, name: str) -> bool:
    """Return whether a name means an instrument: its key or symbol, in any case and notation.

    >>> [is_called("binance:BTC/USDT", name) for name in ("BTCUSDT", "btc-usdt", "BTC")]
    [True, True, False]
    >>> is_called("binance:BTC/USDT", "kraken:BTC/USDT")
    False
    """
    venue, _, symbol = name.rpartition(":")
    own_venue, _, own_symbol = key.rpartition(":")
    return venue.lower() in ("", own_venue) and _plain(symbol) == _plain(own_symbol)


def _plain(symbol: str) -> str:
    return symbol.translate(_SEPARATORS).upper()


_SEPARATORS = str.maketrans("", "", "/-_")


DERIVATIVES = frozenset({"FUTURES", "PERP", "PERPETUAL", "SWAP", "MARK", "FUNDING"})
"""Words in the names of derivatives."""

_UNIFIED = re.compile(r"(?:[a-z0-9]+:)?([A-Za-z0-9.]+/([A-Za-z0-9.]+)):[A-Za-z0-9.]+(?:-\S+)?")
"""ccxt's name of a derivative: ``BASE/QUOTE:SETTLED_IN``, of a dated one with ``-DATE``."""


class UnsupportedInstrument(UserError):
    """A derivative: Ares trades spot only."""


def require_spot(name: str) -> None:
    """Raise UnsupportedInstrument where a symbol or key names a derivative.

    >>> require_spot("binance:BTC/USDT")
    >>> require_spot("BTC/USDT:USDT")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ares.domain.instrument.UnsupportedInstrument: BTC/USDT:USDT is a derivative: ...
    """
    unified = _UNIFIED.fullmatch(name.strip())
    words = re.split(r"[/_\-\s]+", name.strip().upper())
    if unified is None and not DERIVATIVES & set(words[1:]):
        return
    spot = f"use spot, {unified[1].upper()}" if unified else "use spot, such as BTC/USDT"
    known = "" if unified else " (ccxt names a perpetual BTC/USDT:USDT)"
    raise UnsupportedInstrument(
        f"{name} is a derivative{known}: funding, margin and liquidation are not simulated yet: "
        f"{spot}"
    )


class InstrumentSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """An instrument with its grid: a tick is 10**-price_decimals of the quote currency, a lot
    10**-qty_decimals of the base currency.

    cost_min_quote : smallest order, in quote currency.
    order_lots_min : smallest order that the venue takes; 0: not known.
    order_lots_max : largest order that the venue takes; 0: no limit.
    """

    instrument: Instrument
    price_decimals: int
    qty_decimals: int
    cost_min_quote: float = 0.0
    order_lots_max: int = 0
    order_lots_min: int = 0

    @property
    def notional_mul(self) -> int:
        """Return the factor of ticks x lots on the way to money units (see kernel.money)."""
        return int(10 ** max(0, MONEY_DECIMALS - self.price_decimals - self.qty_decimals))

    @property
    def notional_div(self) -> int:
        """Return the divisor of ticks x lots on the way to money units (see kernel.money)."""
        return int(10 ** max(0, self.price_decimals + self.qty_decimals - MONEY_DECIMALS))
