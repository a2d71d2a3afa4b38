"""Window sums: exact, the same from whatever start, and zero where nothing moved."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.kernel.features import windows
from ares.kernel.features.windows import (
    AMOUNT_MAX,
    LOG_MAX,
    LOG_UNIT,
    SQUARE_UNIT,
    add,
    add_amount,
    balance,
    log_units,
    product_units,
    ratio,
    square_units,
    variance_sum,
    window,
    window_amount,
)

DEPTH = 32
units = st.lists(st.integers(-(2**62), 2**62), min_size=DEPTH + 8, max_size=DEPTH + 8)


@given(units, st.integers(1, 20), st.integers(-(2**63), 2**63 - 1))
def test_a_window_forgets_what_came_before_it(values: list[int], bars: int, start: int) -> None:
    """Also where the running totals wrap around, which they do after years."""
    totals = np.zeros((DEPTH, 1), np.int64)
    totals[-1] = start  # the total of the bar before the first
    for i, value in enumerate(values):
        add(totals, i, 0, value)
    last = len(values) - 1
    wanted = sum(values[last - bars + 1 :])
    assert (window(totals, last, bars, 0) - wanted) % 2**64 == 0


@given(st.lists(st.floats(0.25, 1e9), min_size=20, max_size=20), st.floats(0.25, AMOUNT_MAX / 64))
def test_the_sum_of_amounts_is_exact(amounts: list[float], before: float) -> None:
    totals = np.zeros((DEPTH, 2), np.int64)
    add_amount(totals, 0, 0, before)
    for i, amount in enumerate(amounts, 1):
        add_amount(totals, i, 0, amount)
    exact = sum(map(Fraction, amounts))
    whole = window(totals, 20, 20, 0)
    fraction = Fraction(window(totals, 20, 20, 1)) * Fraction(windows.FRACTION_UNIT)
    assert whole + fraction == exact
    assert window_amount(totals, 20, 20, 0) == pytest.approx(float(exact), rel=1e-15)


@given(st.floats(-LOG_MAX, LOG_MAX), st.integers(2, 200))
def test_what_does_not_vary_has_a_variance_of_exactly_zero(r: float, n: int) -> None:
    one = log_units(r)
    assert variance_sum(n * one, n * product_units(one, one), n) == 0.0


def test_the_variance_of_log_returns() -> None:
    returns = 0.01 * np.random.default_rng(1).standard_normal(100)
    counted = [log_units(r) for r in returns]
    total, squares = sum(counted), sum(product_units(r, r) for r in counted)
    spread = variance_sum(total, squares, 100)
    assert spread == pytest.approx(100 * returns.var(), rel=1e-9)


@pytest.mark.parametrize("r", [5.0, 1e300, math.inf])
def test_an_extreme_return_counts_as_the_limit(r: float) -> None:
    limit = round(LOG_MAX / LOG_UNIT)
    assert (log_units(r), log_units(-r)) == (limit, -limit)
    assert square_units(r * r) == round(LOG_MAX**2 / SQUARE_UNIT)


def test_without_a_denominator_the_neutral_value_is_given() -> None:
    assert ratio(3.0, 0.0, 0.5) == 0.5
    assert ratio(3.0, -1.0, 0.5) == 0.5
    assert ratio(3.0, 4.0, 0.5) == 0.75
    assert (balance(0.0, 0.0), balance(3.0, 1.0), balance(0.0, 2.0)) == (0.0, 0.5, -1.0)
