"""Values of command line options, parsed: costs, shares, sizes, times."""

from __future__ import annotations

import math
from typing import Literal, TypeVar

from ares.domain.errors import UserError
from ares.domain.timeframe import Timeframe
from ares.research.window import parse_utc

T = TypeVar("T", bound=str)
OFF = ("off", "none", "no")


def bps(option: str, text: str | None, off: bool = False) -> float | None:
    """Return basis points of ``10``, ``10bps`` or ``0.1%``; None for None.

    off : ``off`` is allowed too, and is 0.

    >>> bps("--fee", "10"), bps("--fee", "0.1%"), bps("--stop", "off", off=True)
    (10.0, 10.0, 0.0)
    """
    if text is None:
        return None
    plain = text.strip().lower()
    if off and plain in OFF:
        return 0.0
    scale = 100.0 if plain.endswith("%") else 1.0
    value = _number(plain.removesuffix("bps").removesuffix("%"))
    if value is None or not 0.0 <= value * scale <= 10_000.0:
        raise UserError(f"{option} {text}: write basis points, such as 10, or a percentage, 0.1%")
    return round(value * scale, 9)


def share(option: str, text: str | None) -> float | None:
    """Return a fraction of ``0.1`` or ``10%``; 0 for ``off``; None for None.

    >>> share("--drawdown", "15%"), share("--drawdown", "off")
    (0.15, 0.0)
    """
    if text is None:
        return None
    plain = text.strip().lower()
    if plain in OFF:
        return 0.0
    value = _number(plain.removesuffix("%"))
    if value is not None and plain.endswith("%"):
        value /= 100.0
    if value is None or not 0.0 < value <= 1.0:
        hint = f"{text}%" if value is not None and value > 1.0 else "10%"
        raise UserError(f"{option} {text}: write a share of equity, such as 0.1 or {hint}, or off")
    return value


def size_of(text: str | None) -> float | Literal["all"] | None:
    """Return a number of units, ``all``, or None for None.

    >>> size_of("0.5"), size_of("all")
    (0.5, 'all')
    """
    if text is None:
        return None
    plain = text.strip().lower()
    if plain == "all":
        return "all"
    value = _number(plain)
    if value is None or value <= 0.0:
        raise UserError(f"--size {text}: write a number of units, such as 0.5, or all")
    return value


def choice(option: str, text: str, allowed: tuple[T, ...]) -> T:
    """Return the allowed value that was written; raise UserError for any other."""
    for value in allowed:
        if text == value:
            return value
    raise UserError(f"{option} {text}: use {' or '.join(allowed)}")


def timeframe(text: str | None) -> Timeframe | None:
    """Return the timeframe of ``1h``; None for None or an empty text."""
    return Timeframe.parse(text) if text else None


def utc_ms(text: str | None) -> int | None:
    """Return a date or time (UTC) in ms since the epoch; None for None or an empty text."""
    return parse_utc(text) if text else None


def positive(option: str, value: float | None) -> float | None:
    """Return the value; raise UserError where it is not above zero."""
    if value is not None and not (math.isfinite(value) and value > 0.0):
        raise UserError(f"{option} {value:g}: must be above 0")
    return value


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
