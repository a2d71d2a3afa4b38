"""Exact decimals to and from whole ticks, lots and units."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.venues.amounts import (
    NotANumber,
    decimal_of,
    is_whole,
    money_units,
    nearest,
    text_of,
    whole_below,
)


@given(count=st.integers(-(10**18), 10**18), decimals=st.integers(0, 12))
def test_a_count_survives_its_text(count: int, decimals: int) -> None:
    text = text_of(count, decimals)
    assert "e" not in text.lower()
    assert nearest(decimal_of(text), decimals) == count
    assert whole_below(Decimal(text), decimals) == count
    assert is_whole(Decimal(text), decimals)


def test_halves_go_to_the_even_side_and_rests_are_dropped_where_asked() -> None:
    assert [nearest(Decimal(t), 1) for t in ("0.25", "0.35", "-0.25")] == [2, 4, -2]
    assert whole_below(Decimal("0.999999999"), 8) == 99_999_999
    assert whole_below(Decimal("-0.29"), 1) == -2
    assert money_units(Decimal("0.03458")) == 3_458_000
    assert not is_whole(Decimal("0.05"), 1)


@pytest.mark.parametrize("value", [0.1, None, "", "abc", "NaN", "Infinity", True, [1]])
def test_what_is_no_exact_number_is_refused(value: object) -> None:
    with pytest.raises(NotANumber, match="not a number"):
        decimal_of(value)
