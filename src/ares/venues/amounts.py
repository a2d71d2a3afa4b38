"""Whole ticks, lots and money units, and the exact decimals that venues write; never floats."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal, InvalidOperation

from ares.domain.instrument import MONEY_DECIMALS


class NotANumber(ValueError):
    """What a venue sent where a number belongs is none."""


def text_of(count: int, decimals: int) -> str:
    """Return so many units of 10**-decimals, without trailing zeros.

    >>> text_of(123450, 4), text_of(-5, 3), text_of(700, 0)
    ('12.345', '-0.005', '700')
    """
    sign, digits = ("-" if count < 0 else ""), str(abs(count)).rjust(decimals + 1, "0")
    if decimals == 0:
        return sign + digits
    rest = digits[-decimals:].rstrip("0")
    return sign + digits[:-decimals] + (f".{rest}" if rest else "")


def decimal_of(value: object) -> Decimal:
    """Return a venue's number; raise NotANumber for what is none, a float included."""
    if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("NaN")
        if number.is_finite():
            return number
    raise NotANumber(f"{str(value)[:40]!r} is not a number")


def nearest(value: Decimal, decimals: int) -> int:
    """Return the nearest count of 10**-decimals, half to even.

    >>> nearest(Decimal("1.25"), 1), nearest(Decimal("-3"), 2)
    (12, -300)
    """
    return int(value.scaleb(decimals).to_integral_value(ROUND_HALF_EVEN))


def whole_below(value: Decimal, decimals: int) -> int:
    """Return how many 10**-decimals are in a number, the rest dropped.

    >>> whole_below(Decimal("0.123456789"), 8)
    12345678
    """
    return int(value.scaleb(decimals).to_integral_value(ROUND_DOWN))


def is_whole(value: Decimal, decimals: int) -> bool:
    """Return whether a number is a count of 10**-decimals, nothing over."""
    scaled = value.scaleb(decimals)
    return scaled == scaled.to_integral_value()


def money_units(value: Decimal) -> int:
    """Return money units of the quote currency, half to even."""
    return nearest(value, MONEY_DECIMALS)


def rounded_share(amount: int, ppm: int) -> int:
    """Return so many millionths of an amount, half to even.

    >>> rounded_share(1_000, 2_500), rounded_share(3_000, 2_500)
    (2, 8)
    """
    return int((Decimal(amount) * ppm / 1_000_000).to_integral_value(ROUND_HALF_EVEN))
