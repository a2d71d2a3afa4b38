"""Money is exact: against Python's own integers, half to even, and never silently wrong."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from ares.domain.instrument import Instrument, InstrumentSpec
from ares.kernel.jit import njit
from ares.kernel.trade import money

INT64_SAFE = 9 * 10**18
THOROUGH = settings(deadline=None, max_examples=300)  # the first example compiles


@njit
def notional(ticks: int, lots: int, mul: int, div: int) -> int:
    return money.notional_units(ticks, lots, mul, div)


@njit
def share(value: int, factor: int, divisor: int) -> int:
    return money.multiply_divide(value, factor, divisor)


@njit
def fee(units: int, ppm: int) -> int:
    return money.fee_units(units, ppm)


@njit
def half_even(numerator: int, divisor: int) -> int:
    return money.divide_half_even(numerator, divisor)


def sizes(bits: int) -> st.SearchStrategy[int]:
    """Return integers of every magnitude up to ``bits`` bits."""
    return st.integers(0, bits).flatmap(lambda b: st.integers(0, 2**b - 1))


def exact_or_overflow(wanted: int, compute: Callable[[], int]) -> None:
    """Compare, allowing for the last bit of the float guard around the limit."""
    if wanted > INT64_SAFE * 1.001:
        with pytest.raises(OverflowError, match="too large"):
            compute()
    elif wanted < INT64_SAFE * 0.999:
        assert compute() == wanted


@THOROUGH
@given(st.integers(-(2**62), 2**62), st.integers(1, 2**61))
@example(5, 2)
@example(-5, 2)
@example(7, 2)
def test_rounding_is_half_to_even(numerator: int, divisor: int) -> None:
    assert half_even(numerator, divisor) == round(Fraction(numerator, divisor))


@THOROUGH
@given(sizes(62), sizes(62), st.integers(0, 8), st.integers(0, 8))
@example(1, 5 * 10**7, 8, 8)  # exactly half a unit
@example(3, 5 * 10**7, 8, 8)
@example(10**13, 10**13, 8, 8)  # the product is 2**86, the result fits
def test_a_notional_is_exact_on_every_grid_or_refused(
    ticks: int, lots: int, price_decimals: int, qty_decimals: int
) -> None:
    spec = InstrumentSpec(Instrument("test", "A/B"), price_decimals, qty_decimals)
    mul, div = spec.notional_mul, spec.notional_div
    wanted = round(Fraction(ticks * lots * mul, div))
    assert wanted == round(Fraction(ticks * lots * 10**8, 10 ** (price_decimals + qty_decimals)))
    exact_or_overflow(wanted, lambda: notional(ticks, lots, mul, div))


@THOROUGH
@given(sizes(62), sizes(62), st.integers(1, 2**62 - 1))
@example(10**12, 10**13, 10**13)  # a whole position of 10**13 lots: its whole cost
@example(1, 2**61 - 1, 2**62 - 2)  # a tie
def test_a_share_is_exact_however_large_the_product(value: int, factor: int, divisor: int) -> None:
    wanted = round(Fraction(value * factor, divisor))
    exact_or_overflow(wanted, lambda: share(value, factor, divisor))


@THOROUGH
@given(sizes(62), st.integers(1, 2**62 - 1), st.data())
def test_shares_of_a_whole_sum_to_it(value: int, whole: int, data: st.DataObject) -> None:
    left_value, left = value, whole
    for last in (False, False, False, True):
        part = left if last else data.draw(st.integers(1, left))
        released = share(left_value, part, left)
        assert 0 <= released <= left_value
        left_value, left = left_value - released, left - part
        if left == 0:
            break
    assert left_value == 0


@THOROUGH
@given(sizes(62), st.integers(0, 100_000))
@example(500, 1_000)
@example(1_500, 1_000)
def test_a_fee_is_exact(units: int, ppm: int) -> None:
    assume(units < INT64_SAFE)
    assert fee(units, ppm) == round(Fraction(units * ppm, 1_000_000))
    assert fee(-units, ppm) == fee(units, ppm)
