"""The grid of an instrument, read off its candles."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ares.kernel.bars import Bars
from ares.kernel.grid import decimals_of, grid_of


@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=50), st.integers(0, 8))
def test_the_fewest_decimals_that_reproduce_all(units: list[int], decimals: int) -> None:
    values = np.array([u / 10**decimals for u in units])
    needed = max(len(f"{u:09d}"[-decimals:].rstrip("0")) if decimals else 0 for u in units)
    assert decimals_of(values, 1e-12) == needed


def test_noise_of_summed_volumes_is_no_finer_grid() -> None:
    price = np.array([20_000.5])
    volume = np.array([0.1 + 0.2])  # 0.30000000000000004
    assert grid_of(Bars.make(np.array([0]), price, price, price, price, volume)) == (1, 1)


def test_values_on_no_grid_get_the_finest() -> None:
    assert decimals_of(np.array([1 / 3]), 1e-12) == 8


def test_no_bars_have_whole_ticks() -> None:
    assert grid_of(Bars.empty()) == (0, 0)
