"""Notionals are exact."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from ares.domain.instrument import Instrument, InstrumentSpec
from ares.research.account_path import notional


@given(
    ticks=st.integers(0, 10**9),
    lots=st.integers(-(10**15), 10**15),
    decimals=st.sampled_from([(2, 3), (5, 8), (8, 8), (0, 0), (2, 6)]),
)
def test_notionals_are_exact(ticks: int, lots: int, decimals: tuple[int, int]) -> None:
    spec = InstrumentSpec(Instrument("test", "AAA/USDT"), *decimals)
    exact = Fraction(ticks * lots * 10**8, 10 ** sum(decimals))
    assume(abs(exact) < 2**62)
    assert notional(np.array([ticks]), np.array([lots]), spec).tolist() == [round(exact)]
