"""Numbers and times as the venues write them, from whole ticks and lots."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from ares.sim.serve.trades import LOT_DECIMALS


def text(units: int, decimals: int) -> str:
    """Return ``units`` of 10**-decimals in full, without an exponent.

    >>> text(2700050, 2), text(1, 8), text(-5, 1)
    ('27000.50', '0.00000001', '-0.5')
    """
    sign, units = ("-", -units) if units < 0 else ("", units)
    if decimals == 0:
        return f"{sign}{units}"
    whole, part = divmod(units, 10**decimals)
    return f"{sign}{whole}.{part:0{decimals}d}"


def trimmed(units: int, decimals: int) -> str:
    """Return the same without zeros at its end.

    >>> trimmed(2700050, 2), trimmed(100, 2), trimmed(0, 8)
    ('27000.5', '1', '0')
    """
    found = text(units, decimals)
    return found.rstrip("0").rstrip(".") if "." in found else found


def raw(units: int, decimals: int) -> msgspec.Raw:
    """Return the same as a JSON number with all its decimals, as Kraken writes numbers."""
    return msgspec.Raw(text(units, decimals).encode())


def lots_text(lots: int) -> str:
    """Return a quantity with 8 decimals."""
    return text(lots, LOT_DECIMALS)


def money_text(amount: float, decimals: int = LOT_DECIMALS) -> str:
    """Return an amount of money with fixed decimals."""
    return f"{amount:.{decimals}f}"


def money_raw(amount: float, decimals: int) -> msgspec.Raw:
    """Return the same as a JSON number."""
    return msgspec.Raw(money_text(amount, decimals).encode())


def rfc3339(ts_ms: int) -> str:
    """Return a time as Kraken's WebSocket writes it.

    >>> rfc3339(1_700_000_000_123)
    '2023-11-14T22:13:20.123000Z'
    """
    moment = datetime.fromtimestamp(ts_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ts_ms % 1000:03d}000Z"


def to_json(value: Any) -> str:
    """Return ``value`` as JSON."""
    return msgspec.json.encode(value).decode()
