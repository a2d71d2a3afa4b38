"""Symbols as people and venues write them: ``BTCUSDT``, ``btc-usdt``, ``BTC/USDT``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ares.domain.errors import UserError
from ares.domain.instrument import require_spot

QUOTES = (
    *("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "DAI", "USD", "EUR", "GBP", "JPY"),
    *("TRY", "BRL", "AUD", "CAD", "CHF", "KRW", "UAH", "ZAR", "BTC", "XBT", "ETH", "BNB"),
)
"""Quote currencies that end a symbol written as one word."""

MAJORS = (
    *("BTC", "ETH", "BNB", "SOL", "ADA", "XRP", "LTC", "DOGE", "DOT", "LINK", "AVAX", "TRX"),
    *("MATIC", "SHIB", "UNI", "ATOM", "USDT", "USDC", "XBT"),
)
"""Bases that resolve an ambiguous word: DOTUSD is DOT/USD, not DO/TUSD."""


def parse_symbol(text: str) -> str:
    """Return ``BASE/QUOTE`` of a symbol in any notation; raise UserError when it is ambiguous.

    >>> parse_symbol("btc-usdt"), parse_symbol("BTCUSDT")
    ('BTC/USDT', 'BTC/USDT')
    """
    require_spot(text)
    words = [word for word in re.split(r"[/_\-\s]+", text.strip()) if word]
    symbol = symbol_of(words)
    if symbol is None:
        raise UserError(f"'{text}' is not a symbol: write BASE/QUOTE, such as BTC/USDT")
    return symbol


def suggested_symbol(text: str) -> str | None:
    """Return the symbol that a text in another notation means; None where it is not clear.

    >>> suggested_symbol("binance:BTCUSDT"), suggested_symbol("BTC")
    ('BTC/USDT', None)
    """
    try:
        return parse_symbol(text.rpartition(":")[2])
    except UserError:
        return None


def symbol_of(words: Sequence[str]) -> str | None:
    """Return the symbol of one word (``BTCUSDT``) or two (``BTC``, ``USDT``); None if ambiguous.

    ``ARBUSD`` is ambiguous: ARB/USD, or AR/BUSD.
    """
    pair = "/".join(words).upper()
    if re.fullmatch(r"[A-Z0-9][A-Z0-9.]{0,19}/[A-Z0-9][A-Z0-9.]{0,19}", pair):
        return pair
    if len(words) != 1 or not re.fullmatch(r"[A-Za-z0-9]{4,30}", words[0]):
        return None
    word = words[0].upper()
    pairs = [(word.removesuffix(q), q) for q in QUOTES if word.endswith(q) and len(word) > len(q)]
    if len(pairs) > 1:
        pairs = [pair for pair in pairs if pair[0] in MAJORS]
    return f"{pairs[0][0]}/{pairs[0][1]}" if len(pairs) == 1 else None
