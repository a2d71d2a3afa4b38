"""Symbol and interval from the name of a candle file."""

from __future__ import annotations

import re
from pathlib import PurePath

from ares.config.venues import require_known_venue
from ares.domain.errors import UserError
from ares.domain.timeframe import Timeframe

QUOTES = (
    *("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "DAI", "USD", "EUR", "GBP", "JPY"),
    *("TRY", "BRL", "AUD", "CAD", "CHF", "KRW", "UAH", "ZAR", "BTC", "XBT", "ETH", "BNB"),
)
"""Quote currencies that end a symbol written as one word."""

MAJORS = (
    *("BTC", "ETH", "BNB", "SOL", "ADA", "XRP", "LTC", "DOGE", "DOT", "LINK", "AVAX", "TRX"),
    *("MATIC", "SHIB", "UNI", "ATOM", "USDT", "USDC"),
)
"""Bases that resolve an ambiguous word: DOTUSD is DOT/USD, not DO/TUSD."""

_INTERVAL = re.compile(r"\d+ ?(s|sec|m|min|minutes?|h|hours?|d|days?|w|mo)", re.IGNORECASE)
_ALIASES = {
    "1min": "1m",
    "5min": "5m",
    "15min": "15m",
    "60m": "1h",
    "60min": "1h",
    "1hour": "1h",
    "240m": "4h",
    "240min": "4h",
    "4hour": "4h",
    "24h": "1d",
    "1day": "1d",
    "1440m": "1d",
}


def names_of(file_name: str, venue: str) -> tuple[str | None, str | None]:
    """Return ``(symbol, interval)`` from the file's name; None for what it does not contain.

    >>> names_of("BTCUSDT_1m_202303_202305.parquet", "binance")
    ('BTC/USDT', '1m')
    >>> names_of("BTC_USDT-5m.feather", "binance"), names_of("BTCUSDT-1h-2023-03.csv", "binance")
    (('BTC/USDT', '5m'), ('BTC/USDT', '1h'))
    >>> names_of("candles.csv", "binance")
    (None, None)
    """
    stem = PurePath(file_name).name.split(".")[0]
    words = [word for word in re.split(r"[_\-\s]+", stem) if word]
    if words and words[0].lower() == venue.lower():
        words = words[1:]
    for i, word in enumerate(words):
        if _INTERVAL.fullmatch(word) and not word.endswith("M"):  # 1M is a month
            return _symbol_of(words[:i]), _ALIASES.get(word.lower(), word.lower())
    if len(words) > 1 and words[1].upper() in QUOTES:
        return _symbol_of(words[:2]), None
    return _symbol_of(words[:1]), None


def parse_symbol(text: str) -> str:
    """Return ``BASE/QUOTE`` of a symbol in any notation; raise UserError when it is ambiguous.

    >>> parse_symbol("btc-usdt"), parse_symbol("BTCUSDT")
    ('BTC/USDT', 'BTC/USDT')
    """
    words = [word for word in re.split(r"[/_\-\s]+", text.strip()) if word]
    symbol = _symbol_of(words)
    if symbol is None:
        raise UserError(f"'{text}' is not a symbol: write BASE/QUOTE, such as BTC/USDT")
    return symbol


def parse_interval(text: str) -> str:
    """Return the interval's usual name; raise UserError naming the valid ones."""
    return Timeframe.parse(_ALIASES.get(text.lower(), text)).value


def parse_venue(text: str) -> str:
    """Return a venue's name in lower case; raise UserError for an unknown venue."""
    require_known_venue(text.lower())
    return text.lower()


def _symbol_of(words: list[str]) -> str | None:
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
