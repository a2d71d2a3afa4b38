"""Integer money: the one place where notionals and fees are rounded (half to even)."""

from __future__ import annotations

from ares.kernel.jit import inlined

INT64_SAFE = 9.0e18


@inlined
def divide_half_even(numerator: int, divisor: int) -> int:
    """Return numerator / divisor rounded half to even; ``divisor`` > 0.

    >>> [divide_half_even(n, 2) for n in (1, 3, -1, -3)]
    [0, 2, 0, -2]
    """
    quotient = numerator // divisor
    rest = numerator - quotient * divisor
    if 2 * rest > divisor or (2 * rest == divisor and quotient % 2 != 0):
        quotient += 1
    return quotient


@inlined
def multiply_divide(value: int, numerator: int, divisor: int) -> int:
    """Return value * numerator / divisor, half to even, without overflowing on the way.

    0 <= numerator <= divisor. Raises OverflowError where even the split product is too large.
    """
    whole = value // divisor
    rest = value - whole * divisor
    if abs(float(rest)) * float(numerator) > INT64_SAFE:
        raise OverflowError("position too large for integer money")
    return whole * numerator + divide_half_even(rest * numerator, divisor)


@inlined
def notional_units(ticks: int, lots: int, mul: int, div: int) -> int:
    """Return ticks x lots in money units (1e-8 quote), half to even.

    mul, div : ``InstrumentSpec.notional_mul`` and ``notional_div``.
    Raises OverflowError beyond int64.

    >>> notional_units(6_000_000, 10_000, 10, 1)  # 0.1 BTC at 60,000.00, lots of 1e-5
    600000000000
    """
    if abs(float(ticks)) * abs(float(lots)) * float(mul) > INT64_SAFE:
        raise OverflowError("notional too large for integer money")
    product = ticks * lots * mul
    if div == 1:
        return product
    return divide_half_even(product, div)


@inlined
def fee_units(notional: int, fee_ppm: int) -> int:
    """Return the fee on a notional, in money units, half to even.

    >>> fee_units(600_000_000_000, 1_000)  # 0.1% of 6,000
    600000000
    """
    size = abs(notional)
    whole = size // 1_000_000
    rest = size - whole * 1_000_000
    return whole * fee_ppm + divide_half_even(rest * fee_ppm, 1_000_000)
