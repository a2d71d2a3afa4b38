"""Symbol and interval from the name of a candle file."""

from __future__ import annotations

import re
from pathlib import Path, PurePath

from ares.config.venues import known_venues, require_known_venue
from ares.domain.errors import UserError
from ares.domain.instrument import DERIVATIVES
from ares.domain.symbols import QUOTES, symbol_of
from ares.domain.timeframe import Timeframe

DERIVATIVE_FOLDERS = frozenset({"FUTURES", "PERPETUAL", "SWAP"})

_TRADINGVIEW = re.compile(r"([A-Z0-9]+)_([A-Z0-9]+)(\.P)?, (\w+)")
"""``BINANCE_BTCUSDT, 60.csv``; ``.P``: a perpetual."""

_MINUTES = {"1": "1m", "5": "5m", "15": "15m", "60": "1h", "240": "4h", "1440": "1d"}
"""Intervals written as minutes, by TradingView and by Kraken's OHLCVT files."""

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


class UnsupportedCandles(UserError):
    """The candles are of a kind that Ares does not use: a derivative, or another interval."""


def names_of(file_name: str, venue: str = "") -> tuple[str | None, str | None]:
    """Return ``(symbol, interval)`` from the file's name; None for what it does not contain.

    venue : a first word that is no symbol, besides the known venues.

    >>> names_of("BTCUSDT_1m_202303_202305.parquet"), names_of("BTC_USDT-5m.feather")
    (('BTC/USDT', '1m'), ('BTC/USDT', '5m'))
    >>> names_of("BTCUSDT-1h-2023-03.zip"), names_of("BINANCE_BTCUSDT, 60.csv")
    (('BTC/USDT', '1h'), ('BTC/USDT', '1h'))
    >>> names_of("candles.csv")
    (None, None)
    """
    words = _words(file_name)
    if (words and words[0].lower() == venue.lower()) or _named_venue(file_name):
        words = words[1:]
    words = words[:1] + [word for word in words[1:] if word.upper() not in DERIVATIVES]
    for i, word in enumerate(words):
        if _INTERVAL.fullmatch(word) and not word.endswith("M"):  # 1M is a month
            return symbol_of(words[: min(i, 2)]), _ALIASES.get(word.lower(), word.lower())
        if word in _MINUTES and (symbol := symbol_of(words[:i])):
            return symbol, _MINUTES[word]
    if len(words) > 1 and words[1].upper() in QUOTES:
        return symbol_of(words[:2]), None
    return symbol_of(words[:1]), None


def venue_of(path: Path) -> str | None:
    """Return the venue in a file's name, else of the nearest folder that is named after one.

    >>> venue_of(Path("user_data/data/binance/BTC_USDT-5m.feather"))
    'binance'
    >>> venue_of(Path("KRAKEN_BTCUSD, 60.csv")), venue_of(Path("candles/BTCUSDT_1m.csv"))
    ('kraken', None)

    Raises UserError where TradingView's name has something else in its place (``INDEX_BTCUSD``).
    """
    named = _named_venue(path.name)
    folders = (part.lower() for part in reversed(path.parts[:-1]))
    return named or next((part for part in folders if part in known_venues()), None)


def require_supported(path: Path) -> None:
    """Raise UnsupportedCandles where names of file and folders tell another kind of candles."""
    symbol, interval = names_of(path.name)
    words = [word.upper() for word in _words(path.name)]
    folders = {part.upper() for part in path.parts[:-1]}
    settled = len(words) > 2 and words[1] == words[2] and words[1] in QUOTES  # BTC_USDT_USDT-1h
    perpetual = re.search(r"\.P(, |\.)", path.name) is not None
    if settled or perpetual or DERIVATIVES & set(words[1:]) or DERIVATIVE_FOLDERS & folders:
        name = f"{symbol}:{symbol.partition('/')[2]}" if symbol else "of an unknown symbol"
        raise UnsupportedCandles(
            f"{path.name}: a derivative ({name}): Ares trades spot only; import spot candles"
        )
    if interval is not None and interval not in {each.value for each in Timeframe}:
        try:
            Timeframe.parse(interval)
        except UserError as error:
            raise UnsupportedCandles(f"{path.name}: {error}") from None


def parse_interval(text: str) -> str:
    """Return the interval's usual name; raise UserError naming the valid ones."""
    return Timeframe.parse(_ALIASES.get(text.lower(), text)).value


def parse_venue(text: str) -> str:
    """Return a venue's name in lower case; raise UserError for an unknown venue."""
    require_known_venue(text.lower())
    return text.lower()


def _words(file_name: str) -> list[str]:
    stem = PurePath(file_name).name.split(".")[0]
    if found := _TRADINGVIEW.match(PurePath(file_name).name):
        stem = f"{found[1]} {found[2]} {found[4]}"
    return [word for word in re.split(r"[_\-\s]+", stem) if word]


def _named_venue(file_name: str) -> str | None:
    """Return the venue with which a file's name begins."""
    words = _words(file_name)
    found = words[0].lower() if len(words) > 1 else ""
    if found in known_venues():
        return found
    if _TRADINGVIEW.match(PurePath(file_name).name):
        raise UserError(
            f"{PurePath(file_name).name}: {words[0]} is no venue: rename the file to "
            f"{words[1]}_{_MINUTES.get(words[2], words[2])}, and add --venue"
        )
    return None
