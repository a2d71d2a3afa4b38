"""Integer money: the only module that rounds notionals and fees (half to even)."""

from __future__ import annotations

from ares.kernel.jit import inlined, njit

INT64_SAFE = 9.0e18


@inlined
def divide_half_even(numerator: int, divisor: int) -> int:
    """Return numerator / divisor rounded half to even; ``divisor`` > 0.

    >>> [divide_half_even(n, 2) for n in (1, 3, -1, -3)]
    [0, 2, 0, -2]
    """
    quotient = numerator // divisor
    remainder = numerator - quotient * divisor
    if 2 * remainder > divisor or (2 * remainder == divisor and quotient % 2 != 0):
        quotient += 1
    return quotient


@inlined
def multiply_divide(value: int, factor: int, divisor: int) -> int:
    """Return value * factor / divisor, half to even, exact however large the product.

    value, factor >= 0; 0 < divisor < 2**62. Raises OverflowError where the result is beyond int64.

    >>> multiply_divide(10**12 + 1, 10**13 - 1, 10**13)
    1000000000001
    """
    if float(value) * float(factor) <= INT64_SAFE:
        return divide_half_even(value * factor, divisor)
    return _multiply_divide_long(value, factor, divisor)


@inlined
def notional_units(ticks: int, lots: int, mul: int, div: int) -> int:
    """Return ticks x lots in money units (1e-8 quote), half to even.

    ticks, lots >= 0; mul, div : ``InstrumentSpec.notional_mul`` and ``notional_div``, of which at
    least one is 1. Raises OverflowError beyond int64.

    >>> notional_units(6_000_000, 10_000, 10, 1)  # 0.1 BTC at 60,000.00, lots of 1e-5
    600000000000
    """
    if float(ticks) * float(lots) * float(mul) > INT64_SAFE:
        if div == 1:
            raise OverflowError("notional too large for integer money")
        return _multiply_divide_long(ticks, lots, div)
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
    remainder = size - whole * 1_000_000
    return whole * fee_ppm + divide_half_even(remainder * fee_ppm, 1_000_000)


@njit
def _multiply_divide_long(value: int, factor: int, divisor: int) -> int:
    """Multiply bit by bit and divide after each: no value is ever above twice the divisor."""
    if float(value) * float(factor) / float(divisor) > INT64_SAFE:
        raise OverflowError("amount too large for integer money")
    whole = value // divisor
    fraction = value - whole * divisor
    quotient = 0
    remainder = 0
    for bit in range(62, -1, -1):
        quotient *= 2
        remainder *= 2
        if remainder >= divisor:
            remainder -= divisor
            quotient += 1
        if (factor >> bit) & 1 == 1:
            remainder += fraction
            if remainder >= divisor:
                remainder -= divisor
                quotient += 1
    total = whole * factor + quotient
    half = divisor - remainder
    if remainder > half or (remainder == half and total % 2 != 0):
        total += 1
    return total
